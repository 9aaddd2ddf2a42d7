/**
 * Shows the stream on a canvas: WebCodecs decodes, each picture is painted when its own sound is heard.
 *
 * Knows no socket: frames come in by `take`, as avatar-client.js gives them. While no sound may play (before the first
 * click) the page's own clock takes the audio clock's place.
 */

import { PlayoutClock } from "./playout.js";
import { Sound } from "./sound.js";

const MAX_PENDING = 16; // decoded pictures kept at a time: hardware decoders have few
const LAG_FRAMES = 4; // a decoder that holds back so many pictures ...
const LAG_PATIENCE = 8; // ... at so many packets in a row is too slow for a conversation
const EARLY_MS = 8; // half a refresh of the screen: a picture is painted at the refresh nearest to its time
const GAP_MS = 60; // between two pictures, from which on an eye may see it
const WINDOW_MS = 2000; // over which rates are taken
const BASELINE = "avc1.42C01E"; // until a key frame or INIT_SUCCESS says it better

export class Player {
  /** Called once with each problem that the decoder has, as text. */
  onproblem = () => {};
  /** Called when a picture is painted: `{timestampMs, generated, audioMs}`. */
  onpaint = () => {};
  sound = new Sound();
  codec = null;

  #canvas;
  #paper;
  #clock = new PlayoutClock();
  #decoder = null;
  #software = false;
  #waitsForKey = true;
  #group = []; // packets since the last key frame, to feed a fresh decoder
  #held = 0; // packets given and not yet come back as pictures
  #lagging = 0;
  #pending = []; // VideoFrames in order
  #meaning = new Map(); // timestamp in us -> the packet's frame
  #lastPainted = -1; // its timestamp in us
  #muteUntilAnswer = false;
  #request = 0;
  #firstAtMs = null; // the first packet of this stream
  #painted = []; // when, by performance.now()
  #received = []; // {atMs, size} of packets, size in bytes
  #offsets = []; // ms by which shown lips lagged behind the sound that was heard
  #count = { pictures: 0, gaps: 0, dropped: 0 };
  #keyAtMs = null;
  #onVisibility = () => (this.#painted = []); // a hidden page paints nothing, which is no gap in the stream

  /** Whether this browser can decode; pages get WebCodecs on https and localhost only. */
  static get supported() {
    return "VideoDecoder" in globalThis;
  }

  constructor(canvas) {
    this.#canvas = canvas;
    this.#paper = canvas.getContext("2d", { alpha: false, desynchronized: true });
    this.sound.onchange = () => this.#clock.reset();
    this.#request = requestAnimationFrame(() => this.#paint());
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  /** One frame of the stream, picture or sound. */
  take(frame) {
    if (frame.kind === "audio") this.#takeSound(frame);
    else this.#takePicture(frame);
  }

  /** Another stream begins: nothing of the old one is shown or heard any more; its last picture stays. */
  restart() {
    this.sound.stop();
    this.#clock.reset();
    this.#muteUntilAnswer = false;
    this.#group = [];
    this.#dropDecoder();
    this.#lastPainted = -1;
    this.#painted = [];
    this.#received = [];
    this.#firstAtMs = null;
  }

  /** Silent at once; sounds that are still on their way are dropped until `answered`. */
  silence() {
    this.sound.stop();
    this.#muteUntilAnswer = true;
  }

  /** The server has answered the interruption: sound that comes now is new. */
  answered() {
    this.#muteUntilAnswer = false;
  }

  close() {
    cancelAnimationFrame(this.#request);
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.restart();
    this.sound.close();
  }

  /** What an onlooker wants to know, over the last two seconds. */
  figures() {
    const now = performance.now();
    const since = now - WINDOW_MS;
    this.#received = this.#received.filter(({ atMs }) => atMs > since);
    this.#painted = this.#painted.filter((atMs) => atMs > since);
    const bytes = this.#received.reduce((sum, { size }) => sum + size, 0);
    const offsets = [...this.#offsets].sort((a, b) => a - b);
    const spanMs = Math.min(WINDOW_MS, now - (this.#firstAtMs ?? now));
    const gapsMs = this.#painted.slice(1).map((atMs, n) => atMs - this.#painted[n]);
    return {
      fps: spanMs > 0 ? (this.#painted.length * 1000) / spanMs : 0,
      kbitPerSecond: spanMs > 0 ? (bytes * 8) / spanMs : 0,
      pictures: this.#count.pictures,
      gaps: this.#count.gaps,
      longestGapMs: Math.max(0, ...gapsMs),
      dropped: this.#count.dropped,
      rebuffers: this.#clock.rebuffers,
      queue: this.#pending.length + this.#held,
      keyframeAgeMs: this.#keyAtMs === null ? null : now - this.#keyAtMs,
      soundToLipsMs: offsets.length ? offsets[offsets.length >> 1] : null,
      worstSoundToLipsMs: offsets.length ? Math.max(...offsets.map(Math.abs)) : null,
      softwareDecoding: this.#software,
      soundRunning: this.sound.running,
    };
  }

  // -- clocks: the audio clock where sound may play, else the page's

  get #nowS() {
    return this.sound.running ? this.sound.nowS : performance.now() / 1000;
  }

  get #heardS() {
    return this.sound.running ? this.sound.heardS : performance.now() / 1000;
  }

  // -- what comes

  #takeSound(frame) {
    if (!this.sound.running || this.#muteUntilAnswer) return;
    this.#clock.arrived(frame.timestampMs, this.#nowS, this.sound.busy);
    this.sound.play(frame.data, this.#clock.dueS(frame.timestampMs));
  }

  #takePicture(frame) {
    const now = performance.now();
    this.#firstAtMs ??= now;
    this.#received.push({ atMs: now, size: frame.data.byteLength });
    if (this.#received.length > 1000) this.#received.splice(0, 500);
    if (!(frame.generated && this.sound.busy)) this.#clock.arrived(frame.timestampMs, this.#nowS, this.sound.busy);
    if (frame.keyframe) {
      this.#keyAtMs = now;
      this.#group = [];
    } else if (this.#group.length === 0) {
      return; // nothing to build on: the next key frame is at most a second away
    }
    this.#group.push(frame);
    if (this.#decoder === null) this.#makeDecoder();
    this.#decode(frame);
    this.#watchLag();
  }

  #decode(frame) {
    if (this.#waitsForKey && !frame.keyframe) return;
    this.#waitsForKey = false;
    const timestamp = frame.timestampMs * 1000;
    this.#meaning.set(timestamp, frame);
    this.#held += 1;
    this.#decoder.decode(
      new EncodedVideoChunk({ type: frame.keyframe ? "key" : "delta", timestamp, duration: 40_000, data: frame.data }),
    );
  }

  #makeDecoder() {
    const decoder = new VideoDecoder({
      output: (picture) => this.#decoded(decoder, picture),
      error: (error) => this.#broke(decoder, error),
    });
    decoder.configure({
      codec: this.codec ?? codecOf(this.#group[0].data) ?? BASELINE,
      optimizeForLatency: true,
      hardwareAcceleration: this.#software ? "prefer-software" : "no-preference",
    });
    this.#decoder = decoder;
    this.#waitsForKey = true;
  }

  #dropDecoder() {
    if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    for (const picture of this.#pending.splice(0)) picture.close();
    this.#meaning.clear();
    this.#held = 0;
    this.#lagging = 0;
  }

  #broke(decoder, error) {
    if (decoder !== this.#decoder) return;
    this.onproblem(`decoder: ${error.message}`);
    this.#group = [];
    this.#software = true;
    this.#dropDecoder();
  }

  /** Some hardware decoders keep pictures back whatever they are asked: software ones do not. */
  #watchLag() {
    this.#lagging = this.#held > LAG_FRAMES ? this.#lagging + 1 : 0;
    if (this.#lagging < LAG_PATIENCE || this.#software) return;
    this.onproblem(`the decoder keeps ${this.#held} pictures back; decoding in software`);
    this.#software = true;
    this.#dropDecoder();
    this.#makeDecoder();
    for (const frame of this.#group) this.#decode(frame); // those shown already are not shown again
  }

  #decoded(decoder, picture) {
    if (decoder !== this.#decoder) {
      picture.close();
      return;
    }
    this.#held -= 1;
    if (picture.timestamp <= this.#lastPainted) {
      this.#meaning.delete(picture.timestamp); // decoded again for the sake of those after it
      picture.close();
      return;
    }
    this.#pending.push(picture);
    while (this.#pending.length > MAX_PENDING) this.#forget(this.#pending.shift());
  }

  #forget(picture) {
    this.#count.dropped += 1;
    this.#meaning.delete(picture.timestamp);
    picture.close();
  }

  // -- painting

  #paint() {
    this.#request = requestAnimationFrame(() => this.#paint());
    const mediaMs = this.#clock.mediaMs(this.#heardS);
    let due = null;
    while (this.#pending.length > 0 && this.#pending[0].timestamp / 1000 <= mediaMs + EARLY_MS) {
      if (due !== null) this.#forget(due);
      due = this.#pending.shift();
    }
    if (due === null) return;
    this.#paper.drawImage(due, 0, 0, this.#canvas.width, this.#canvas.height);
    const frame = this.#meaning.get(due.timestamp);
    this.#meaning.delete(due.timestamp);
    this.#lastPainted = due.timestamp;
    this.#note(frame, mediaMs);
    due.close();
    this.onpaint(frame);
  }

  #note(frame, mediaMs) {
    const now = performance.now();
    const before = this.#painted.at(-1);
    if (before !== undefined && now - before > GAP_MS) this.#count.gaps += 1;
    this.#painted.push(now);
    if (this.#painted.length > 1000) this.#painted.splice(0, 500);
    this.#count.pictures += 1;
    if (frame.generated && this.sound.running) {
      this.#offsets.push(mediaMs - frame.timestampMs);
      if (this.#offsets.length > 50) this.#offsets.shift();
    }
  }
}

/** RFC 6381 codec string from the sequence parameter set in a key frame; null without one. */
function codecOf(accessUnit) {
  for (let at = 0; at + 6 < accessUnit.length; at += 1) {
    const startCode = accessUnit[at] === 0 && accessUnit[at + 1] === 0 && accessUnit[at + 2] === 1;
    if (startCode && (accessUnit[at + 3] & 31) === 7) {
      const hex = Array.from(accessUnit.subarray(at + 4, at + 7), (byte) => byte.toString(16).padStart(2, "0"));
      return `avc1.${hex.join("").toUpperCase()}`;
    }
  }
  return null;
}
