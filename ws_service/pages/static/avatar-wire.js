/**
 * What the socket's media look like: binary messages with a header, or base64 in JSON; and speech cut into messages.
 * Pure: knows no socket.
 */

const HEADER_BYTES = 20; // kind u8, flags u8, progress u16, sequence u32, timestamp in ms u64, audio_ms u32; little-endian
const KIND = { video: 1, audio: 2, upload: 16 };
const FLAG = { keyframe: 1, generated: 2, action: 4, endOfUtterance: 1 };
const NO_AUDIO = 0xffffffff;
const CHUNK_MS = 200; // at most; what comes in smaller pieces goes out as it comes

/** A binary message as a `Frame` (see avatar-client.d.ts); null for a kind that this client does not know. */
export function frameOfBytes(buffer) {
  const head = new DataView(buffer, 0, HEADER_BYTES);
  const kind = head.getUint8(0);
  if (kind !== KIND.video && kind !== KIND.audio) return null;
  const flags = head.getUint8(1);
  const audioMs = head.getUint32(16, true);
  return {
    kind: kind === KIND.video ? "video" : "audio",
    keyframe: Boolean(flags & FLAG.keyframe),
    generated: Boolean(flags & FLAG.generated),
    action: Boolean(flags & FLAG.action),
    timestampMs: Number(head.getBigUint64(8, true)),
    audioMs: audioMs === NO_AUDIO ? null : audioMs,
    data: new Uint8Array(buffer, HEADER_BYTES),
  };
}

/** VIDEO_FRAME, ACTION_FRAME or AUDIO_FRAME as a `Frame`; null for a message that is none. */
export function frameOfJson(type, data) {
  if (type !== "VIDEO_FRAME" && type !== "ACTION_FRAME" && type !== "AUDIO_FRAME") return null;
  return {
    kind: type === "AUDIO_FRAME" ? "audio" : "video",
    keyframe: Boolean(data.keyframe),
    generated: Boolean(data.generated ?? type === "AUDIO_FRAME"),
    action: type === "ACTION_FRAME" || data.state === "action",
    timestampMs: data.frame_timestamp,
    audioMs: data.audio_ms ?? null,
    data: fromBase64(data.frame_data ?? data.data),
  };
}

/** A chunk of speech as a binary message; without bytes and `ended`, the end of an utterance. */
export function speechAsBytes(bytes, sampleRate, channels, ended = false) {
  const message = new Uint8Array(HEADER_BYTES + bytes.byteLength);
  const head = new DataView(message.buffer);
  head.setUint8(0, KIND.upload);
  head.setUint8(1, ended ? FLAG.endOfUtterance : 0);
  head.setUint16(2, channels, true);
  head.setUint32(4, sampleRate, true);
  message.set(bytes, HEADER_BYTES);
  return message;
}

/** A chunk of speech as GENERATE's data; `video`: the base video to speak over, if any. */
export function speechAsJson(bytes, sampleRate, channels, utterance_id, video) {
  const audio_chunk = { format: "pcm_s16le", sample_rate: sampleRate, channels, data: toBase64(bytes) };
  return { utterance_id, audio_chunk, ...(video && { video_state: { type: "speaking", base_video: video } }) };
}

/** Bytes of s16 PCM in chunks, none too large for one message. Throws a TypeError for what is no PCM. */
export async function* chunks(pcm, sampleRate, channels) {
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

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
