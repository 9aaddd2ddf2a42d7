/**
 * The avatar's wire for browsers: one WebSocket that comes back by itself, frames in, speech out.
 *
 *     const client = new AvatarClient("ws://127.0.0.1:8000", { userId: "anna", audioOut: true });
 *     client.onframe = (frame) => player.take(frame);
 *     await client.connect();
 *     await client.speak(pcm, { sampleRate: 24000 });   // Int16Array, or an async iterable of them, as a microphone gives
 *
 * Depends on nothing and draws nothing; `player.js` shows what comes. Types are in avatar-client.d.ts.
 */

const SUBPROTOCOL = "musetalk.v1.binary";
const HEADER_BYTES = 20; // kind u8, flags u8, progress u16, sequence u32, timestamp in ms u64, audio_ms u32; little-endian
const KIND = { video: 1, audio: 2, upload: 16 };
const FLAG = { keyframe: 1, generated: 2, action: 4, endOfUtterance: 1 };
const NO_AUDIO = 0xffffffff;

const FRAME_MS = 40;
const CHUNK_MS = 200; // at most; what comes in smaller pieces goes out as it comes
const MAX_AHEAD_MS = 20_000; // of speech that was sent and not yet spoken; the server bounds what it queues
const WAITS_MS = [100, 500, 1000, 2000, 5000]; // between attempts, the last again and again
const STEADY_MS = 10_000; // a connection that lasted so long begins again with the shortest wait
const SILENT_MS = 10_000; // a picture is due every 40 ms: without any for so long, the line is dead and nobody said so
const FINAL_CLOSE_CODES = [1000, 4401, 4403]; // asked for, or another attempt cannot help
const CLOSE_REASONS = {
  1000: "the service ended the connection",
  1001: "the server stops",
  1006: "the server cannot be reached",
  1007: "what this page sent could not be read",
  1011: "the service failed",
  1012: "the server restarts",
  4408: "this page read too slowly",
  4429: "the service is full",
  timeout: "nothing was said here for as long as the service waits", // a CLOSE_ACK's, which tells more than the code
};
const OF_INIT = ["MODEL_NOT_FOUND", "PROCESSING_ERROR", "INVALID_MESSAGE"]; // that refuse it
const OF_SPEECH = /^data\.(audio_chunk|utterance_id|video_state)/; // fields of GENERATE

export class AvatarClient {
  /** Called with every picture (H.264 access unit) and, with `audioOut`, every 40 ms of sound, in the stream's order. */
  onframe = () => {};
  /** Called with every control message of the server: `{type, data}`. */
  onevent = () => {};
  /** Called when the connection changes: `{state: "connecting"|"open"|"waiting"|"closed", attempt, waitMs, reason}`. */
  onstatus = () => {};
  /** `data` of the last INIT_SUCCESS, or null. */
  info = null;
  /** The connection's id, for REST calls that name a session. */
  sessionId = null;
  /**
   * `performance.now()` when speech that does not wait for other speech was last sent. A page that sends it another way
   * (`POST /speak`) sets it itself.
   */
  speechSentAt = null;

  #base;
  #options;
  #socket = null;
  #wanted = false;
  #failures = 0;
  #openedAt = 0;
  #retry = null;
  #watch = null;
  #goodbye = ""; // the reason of a CLOSE_ACK
  #heardAt = 0;
  #opening = []; // who waits for INIT_SUCCESS
  #utterances = new Map(); // id -> {resolve, reject, started, aheadMs, cut, stopped, wake}
  #spoken = null; // the utterance of these that is being spoken
  #uploads = Promise.resolve();
  #cut = 0; // counts interruptions and INITs, both of which drop what was said before them
  #unanswered = []; // the count before each interruption that awaits INTERRUPTED
  #cutByInit = 0; // the count before the latest INIT
  #asked = []; // the avatar of each INIT that awaits its answer
  #shown; // the avatar of the last INIT_SUCCESS
  #room = []; // uploads that wait until more has been spoken

  constructor(url, options) {
    this.#base = String(url).replace(/^http/, "ws").replace(/\/+$/, "");
    this.#options = { binary: true, audioOut: false, reconnect: true, ...options };
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(this.#options.userId ?? "")) {
      throw new TypeError("userId has 1 to 64 of the characters A-Z a-z 0-9 _ -");
    }
  }

  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN && this.info !== null;
  }

  /** The chosen avatar, "" where none was named. */
  get avatarId() {
    return this.#options.avatarId ?? "";
  }

  /**
   * Connect and stay connected. Resolves with INIT_SUCCESS's data; rejects when no further attempt will be made, or when
   * the service shows another avatar than the wanted one.
   */
  connect() {
    if (this.connected) return Promise.resolve(this.info);
    return new Promise((resolve, reject) => {
      this.#opening.push({ resolve, reject });
      this.#wanted = true;
      if (this.#socket === null && this.#retry === null) this.#open();
    });
  }

  /** Say goodbye and stay away: what is awaited then rejects with an error named `AbortError`. */
  close() {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#wanted = false;
    this.#say("CLOSE", {});
    this.#leave(1000, "closed by this page", "AbortError");
  }

  /**
   * Start over with other choices (`avatarId`, `audioOut`, `allIntra`, `authToken`) on the same connection. An avatar
   * that the service refuses leaves the one before it chosen.
   */
  init(changes = {}) {
    Object.assign(this.#options, changes);
    this.#cutByInit = this.#stopUploads();
    const { userId, avatarId, audioOut, allIntra, authToken } = this.#options;
    this.#asked.push(avatarId ?? "");
    this.#say("INIT", {
      user_id: userId,
      audio_out: audioOut,
      ...(avatarId && { avatar_id: avatarId }),
      ...(authToken && { auth_token: authToken }),
      ...(allIntra && { video_config: { all_intra: true } }),
    });
  }

  /**
   * Let the avatar speak PCM (s16): an Int16Array, its bytes, or an async iterable of either. Utterances are
   * spoken one after the other. Resolves with `{positionMs, interrupted}` when the last frame has come; rejects when
   * the service refuses the speech or the connection breaks.
   */
  speak(pcm, { sampleRate = 16000, channels = 1, utteranceId = newId(), video } = {}) {
    if (!this.connected) return Promise.reject(new Error("not connected"));
    if (!(sampleRate >= 8000 && sampleRate <= 48000)) return Promise.reject(new RangeError("sampleRate is 8000 to 48000"));
    if (channels !== 1 && channels !== 2) return Promise.reject(new RangeError("channels is 1 or 2"));
    if (this.#utterances.has(utteranceId)) return Promise.reject(new RangeError("utteranceId is in use"));
    return new Promise((resolve, reject) => {
      const utterance = { resolve, reject, started: false, aheadMs: 0, cut: this.#cut, stopped: false, wake() {} };
      this.#utterances.set(utteranceId, utterance);
      const upload = () => this.#upload(pcm, utterance, { sampleRate, channels, utteranceId, video });
      this.#uploads = this.#uploads.then(upload).catch((error) => this.#settle(utteranceId, "reject", error));
    });
  }

  /** Drop all speech that has not been shown; the server answers INTERRUPTED. */
  interrupt() {
    const before = this.#stopUploads();
    if (this.connected) this.#unanswered.push(before);
    this.#say("INTERRUPT", {});
  }

  /** Show another base video, one of `info.available_videos`. */
  state(baseVideo, targetState = baseVideo.split("_")[0]) {
    this.#say("STATE_CHANGE", { target_state: targetState, base_video: baseVideo });
  }

  /** Play action 1..`info.limits.actions` once. */
  action(index) {
    this.#say("ACTION", { action_index: index });
  }

  // -- connection

  #open() {
    this.#retry = null;
    this.#goodbye = "";
    const url = `${this.#base}/musetalk/v1/ws/${this.#options.userId}`;
    let socket;
    try {
      socket = new WebSocket(url, this.#options.binary ? [SUBPROTOCOL] : []);
    } catch (error) {
      this.#wanted = false; // no address, or ws:// from an https page: another attempt cannot help
      return this.#closed(null, 0, error.message);
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#openedAt = performance.now();
      this.#asked = [];
      this.init();
    };
    socket.onmessage = ({ data }) => {
      this.#heardAt = performance.now();
      return typeof data === "string" ? this.#text(data) : this.#binary(data);
    };
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heardAt > SILENT_MS) this.#leave(4000, "the server fell silent");
    }, SILENT_MS / 4);
    this.#status("connecting");
  }

  /** Nothing that the socket still says is listened to. */
  #leave(code, reason, kind) {
    const socket = this.#socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    socket?.close(code);
    this.#closed(socket, code, reason, kind);
  }

  /** `kind`: the name of the error that those who wait get. */
  #closed(socket, code, reason, kind = "NetworkError") {
    if (socket !== this.#socket) return;
    clearInterval(this.#watch);
    this.#socket = null;
    this.info = null;
    const why = reason || CLOSE_REASONS[this.#goodbye] || CLOSE_REASONS[code] || `closed with code ${code}`;
    this.#unanswered = [];
    for (const id of [...this.#utterances.keys()]) {
      this.#settle(id, "reject", new DOMException(`connection lost: ${why}`, kind));
    }
    if (this.#openedAt && performance.now() - this.#openedAt > STEADY_MS) this.#failures = 0;
    this.#openedAt = 0;
    if (!this.#wanted || !this.#options.reconnect || FINAL_CLOSE_CODES.includes(code)) {
      this.#wanted = false;
      this.#failures = 0;
      for (const { reject } of this.#opening.splice(0)) reject(new DOMException(why, kind));
      this.#status("closed", { reason: why });
      return;
    }
    const waitMs = WAITS_MS[Math.min(this.#failures, WAITS_MS.length - 1)];
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), waitMs);
    this.#status("waiting", { waitMs, reason: why });
  }

  #status(state, more = {}) {
    call(this.onstatus, { state, attempt: this.#failures + 1, waitMs: 0, reason: "", ...more });
  }

  #say(type, data) {
    this.#send(JSON.stringify({ type, data }));
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  // -- what comes

  #binary(buffer) {
    const head = new DataView(buffer, 0, HEADER_BYTES);
    const kind = head.getUint8(0);
    if (kind !== KIND.video && kind !== KIND.audio) return;
    const flags = head.getUint8(1);
    const audioMs = head.getUint32(16, true);
    this.#frame({
      kind: kind === KIND.video ? "video" : "audio",
      keyframe: Boolean(flags & FLAG.keyframe),
      generated: Boolean(flags & FLAG.generated),
      action: Boolean(flags & FLAG.action),
      timestampMs: Number(head.getBigUint64(8, true)),
      audioMs: audioMs === NO_AUDIO ? null : audioMs,
      data: new Uint8Array(buffer, HEADER_BYTES),
    });
  }

  #text(text) {
    const { type, session_id, data = {} } = JSON.parse(text);
    switch (type) {
      case "PING":
        return;
      case "VIDEO_FRAME":
      case "ACTION_FRAME":
      case "AUDIO_FRAME":
        this.#frame({
          kind: type === "AUDIO_FRAME" ? "audio" : "video",
          keyframe: Boolean(data.keyframe),
          generated: Boolean(data.generated ?? type === "AUDIO_FRAME"),
          action: type === "ACTION_FRAME" || data.state === "action",
          timestampMs: data.frame_timestamp,
          audioMs: data.audio_ms ?? null,
          data: fromBase64(data.frame_data ?? data.data),
        });
        return;
      case "INIT_SUCCESS":
        this.info = data;
        this.sessionId = session_id;
        this.#shown = this.#asked.shift();
        this.#dropped(this.#cutByInit);
        this.#status("open");
        for (const { resolve } of this.#opening.splice(0)) resolve(data);
        break;
      case "SPEAK_STARTED":
        this.#spoken = this.#utterances.get(data.utterance_id) ?? null;
        if (this.#spoken) this.#spoken.started = true;
        break;
      case "SPEAK_ENDED":
        this.#settle(data.utterance_id, "resolve", { positionMs: data.position_ms, interrupted: data.interrupted });
        break;
      case "INTERRUPTED":
        this.#dropped(this.#unanswered.shift() ?? Infinity); // unasked, it was somebody else who interrupted
        break;
      case "ERROR":
        this.#refused(data);
        break;
      case "CLOSE_ACK":
        this.#goodbye = data.reason;
        break;
    }
    call(this.onevent, { type, data });
  }

  #frame(frame) {
    if (frame.kind === "video" && frame.generated && this.#spoken) {
      this.#spoken.aheadMs -= FRAME_MS;
      this.#makeRoom();
    }
    call(this.onframe, frame);
  }

  /** What had not begun gets no SPEAK_ENDED; what was said since belongs to the time after. */
  #dropped(lastCut) {
    for (const [id, { cut }] of [...this.#utterances]) {
      if (cut <= lastCut) this.#settle(id, "resolve", { positionMs: 0, interrupted: true });
    }
  }

  /** Speech that has not begun when the service refuses some, and does not say which, will not begin. */
  #refused({ code, message, details }) {
    if (details?.utterance_id !== undefined) return this.#settle(details.utterance_id, "reject", new Error(message));
    if (this.info === null && OF_INIT.includes(code)) {
      for (const { reject } of this.#opening.splice(0)) reject(new Error(message));
    }
    if (details?.avatar !== undefined || details?.path === "data.avatar_id") {
      this.#asked.shift();
      if (this.#asked.length === 0) this.#options.avatarId = this.#shown ?? this.#options.avatarId;
    }
    const ofSpeech = code === "INVALID_MESSAGE" && OF_SPEECH.test(details?.path ?? "");
    if (code !== "RATE_LIMIT_EXCEEDED" && code !== "PROCESSING_ERROR" && !ofSpeech) return;
    for (const [id, utterance] of [...this.#utterances]) {
      if (!utterance.started) this.#settle(id, "reject", new Error(message));
    }
  }

  #settle(id, how, value) {
    const utterance = this.#utterances.get(id);
    if (!utterance) return;
    this.#utterances.delete(id);
    if (utterance === this.#spoken) this.#spoken = null;
    stop(utterance);
    this.#makeRoom();
    utterance[how](value);
  }

  // -- what goes

  async #upload(pcm, utterance, { sampleRate, channels, utteranceId, video }) {
    const pieces = chunks(pcm, sampleRate, channels);
    const stoppable = (promise) => new Promise((resolve, reject) => {
      utterance.wake = resolve;
      promise.then(resolve, reject);
    });
    const binary = this.#options.binary;
    let first = true;
    try {
      while (!utterance.stopped) {
        const { done, value: chunk } = (await stoppable(pieces.next())) ?? {};
        if (done) break;
        while (!utterance.stopped && this.#tooFarAhead) await stoppable(new Promise((room) => this.#room.push(room)));
        if (utterance.stopped) break;
        utterance.aheadMs += (chunk.byteLength / 2 / channels / sampleRate) * 1000;
        const waits = this.#utterances.keys().next().value !== utteranceId; // for those before it
        if (first && !waits) this.speechSentAt = performance.now();
        // the first audio of an utterance names it, and only JSON has a place for the name
        if (first || !binary) this.#say("GENERATE", generate(chunk, sampleRate, channels, utteranceId, video));
        else this.#send(upload(chunk, sampleRate, channels));
        first = false;
      }
    } finally {
      // whatever ended it, the next one's audio is not to be taken for more of this one
      if (!first && binary) this.#send(upload(new Uint8Array(0), sampleRate, channels, FLAG.endOfUtterance));
      else if (!first) this.#say("SPEAK_END", {});
    }
    if (first) this.#settle(utteranceId, "resolve", { positionMs: 0, interrupted: utterance.stopped }); // nothing was sent
    if (utterance.stopped) pieces.return().catch(() => {}); // the source is told; what it says to that, nobody waits for
  }

  /** Nothing of what was said so far goes out any more. Returns the count that it all has at most. */
  #stopUploads() {
    for (const utterance of this.#utterances.values()) stop(utterance);
    return this.#cut++;
  }

  get #tooFarAhead() {
    const aheadMs = [...this.#utterances.values()].reduce((sum, utterance) => sum + utterance.aheadMs, 0);
    return aheadMs > Math.min(MAX_AHEAD_MS, ((this.info?.limits?.max_queued_audio_s ?? 60) * 1000) / 2);
  }

  #makeRoom() {
    for (const resolve of this.#room.splice(0)) resolve();
  }
}

/** Its upload goes no further. */
function stop(utterance) {
  utterance.stopped = true;
  utterance.wake();
}

/** Bytes of s16 PCM in chunks, none too large for one message. */
async function* chunks(pcm, sampleRate, channels) {
  const size = Math.round((sampleRate * CHUNK_MS) / 1000) * channels * 2;
  const pieces = Symbol.asyncIterator in Object(pcm) ? pcm : [pcm];
  for await (const piece of pieces) {
    const bytes = bytesOf(piece);
    for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
  }
}

function bytesOf(pcm) {
  if (pcm instanceof ArrayBuffer) return new Uint8Array(pcm);
  if (pcm instanceof Int16Array || pcm instanceof Uint8Array) return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  throw new TypeError("speech is s16 PCM: Int16Array, or its bytes as Uint8Array or ArrayBuffer, or an async iterable of these");
}

function generate(chunk, sample_rate, channels, utterance_id, video) {
  const audio_chunk = { format: "pcm_s16le", sample_rate, channels, data: toBase64(chunk) };
  return { utterance_id, audio_chunk, ...(video && { video_state: { type: "speaking", base_video: video } }) };
}

function upload(bytes, sampleRate, channels, flags = 0) {
  const message = new Uint8Array(HEADER_BYTES + bytes.byteLength);
  const head = new DataView(message.buffer);
  head.setUint8(0, KIND.upload);
  head.setUint8(1, flags);
  head.setUint16(2, channels, true);
  head.setUint32(4, sampleRate, true);
  message.set(bytes, HEADER_BYTES);
  return message;
}

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** crypto.randomUUID is there on secure pages only. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the page's own code throws is reported as its error, and stops nothing here. */
function call(callback, value) {
  try {
    callback(value);
  } catch (error) {
    reportError(error);
  }
}
