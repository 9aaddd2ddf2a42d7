/** Types of avatar-client.js. */

export interface ClientOptions {
  /** 1 to 64 of A-Z a-z 0-9 _ -; names the avatar too where `avatarId` does not. */
  userId: string;
  avatarId?: string;
  authToken?: string;
  /** Media as binary messages; false: base64 in JSON. Default true. */
  binary?: boolean;
  /** Send each generated frame's own sound too. Default false. */
  audioOut?: boolean;
  /** Every picture an IDR. Default false. */
  allIntra?: boolean;
  /** Come back after the connection broke. Default true. */
  reconnect?: boolean;
}

export interface Frame {
  kind: "video" | "audio";
  keyframe: boolean;
  /** The frame consumed speech. */
  generated: boolean;
  /** The frame belongs to an action. */
  action: boolean;
  /** 40 ms per frame, over the whole connection; a sound has that of its picture. */
  timestampMs: number;
  /** Where in the utterance the frame's audio starts; null outside speech. */
  audioMs: number | null;
  /** One H.264 access unit (Annex B), or 640 samples of s16le at 16 kHz. */
  data: Uint8Array;
}

export interface ServerEvent {
  type:
    | "INIT_SUCCESS"
    | "STATE_CHANGED"
    | "ACTION_TRIGGERED"
    | "SPEAK_STARTED"
    | "SPEAK_ENDED"
    | "INTERRUPTED"
    | "CLOSE_ACK"
    | "ERROR";
  data: Record<string, unknown>;
}

export interface Status {
  state: "connecting" | "open" | "waiting" | "closed";
  /** 1 for the first attempt. */
  attempt: number;
  /** Until the next attempt, when `state` is "waiting". */
  waitMs: number;
  reason: string;
}

export interface Info {
  model_loaded: boolean;
  streaming_started: boolean;
  available_videos: string[];
  default_video: string;
  codec?: string;
  sample_rates?: number[];
  limits?: { max_queued_audio_s: number; max_queued_utterances: number; max_chunk_bytes: number; actions: number };
  engine?: Record<string, unknown>;
}

/** Samples of s16le, or their bytes in pieces of any size. */
export type Pcm = Int16Array | Uint8Array | ArrayBuffer;

export interface SpeakOptions {
  /** 8000 to 48000 Hz; default 16000. */
  sampleRate?: number;
  /** Interleaved; default 1. */
  channels?: 1 | 2;
  utteranceId?: string;
  /** Base video to speak over. */
  video?: string;
}

export interface Spoken {
  /** Audio of the frames that were shown. */
  positionMs: number;
  interrupted: boolean;
}

export declare class AvatarClient {
  /** `url`: ws, wss, http or https, host and port. */
  constructor(url: string | URL, options: ClientOptions);
  onframe: (frame: Frame) => void;
  onevent: (event: ServerEvent) => void;
  onstatus: (status: Status) => void;
  readonly info: Info | null;
  /** For REST calls that name a session. */
  readonly sessionId: string | null;
  readonly connected: boolean;
  /** The chosen avatar, "" where none was named. One that the service refuses leaves the one before it chosen. */
  readonly avatarId: string;
  /** `performance.now()` when speech that waits for no other was last sent; to be set by who sends it another way. */
  speechSentAt: number | null;
  connect(): Promise<Info>;
  /** What is awaited then (`connect`, `speak`) rejects with an error named `AbortError`; `NetworkError` for a lost connection. */
  close(): void;
  init(changes?: Partial<Pick<ClientOptions, "avatarId" | "audioOut" | "allIntra" | "authToken">>): void;
  speak(pcm: Pcm | AsyncIterable<Pcm>, options?: SpeakOptions): Promise<Spoken>;
  interrupt(): void;
  state(baseVideo: string, targetState?: string): void;
  action(index: number): void;
}
