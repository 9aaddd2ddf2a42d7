/**
 * Packets to pictures by WebCodecs. A decoder that fails is replaced at the next key frame, one that lags at once, both
 * by decoding in software: the one for good, the other, which may just have been busy, until the stream restarts.
 * Knows no clock and paints nothing.
 */

import { parametersOf } from "./annexb.js";

const LAG_FRAMES = 4; // a decoder that holds back so many pictures ...
const LAG_MS = 300; // ... for so long is too slow for a conversation; a page that was busy catches up sooner
const MOST_HELD = 75; // packets; it will not catch up, and goes on from the newest key frame
const FAILURES = 2; // in a row, without a picture between them: another one will not do either
const BASELINE = "avc1.42C01E"; // until INIT_SUCCESS or a key frame says it better

export class WebCodecsDecoder {
  /** Called with each picture (a VideoFrame, to be closed) and the frame it was decoded from, in order, each once. */
  onpicture = () => {};
  /** Called with each problem, as text. */
  onproblem = () => {};
  /** Called when this browser's decoders cannot do it at all. */
  ongivenup = () => {};
  /** As INIT_SUCCESS names it; holds from the next key frame on. */
  codec = null;
  name = "WebCodecs";

  #decoder = null;
  #configured = null; // with which codec
  #broken = false;
  #lagging = false;
  #group = []; // packets since the last key frame, to feed a fresh decoder
  #given = new Map(); // timestamp in us -> the packet's frame, until its picture comes
  #lastOut = -1; // timestamp in us
  #laggingSinceMs = null;
  #failures = 0;

  /** How long after its packet a picture comes: no time that counts. */
  delayMs = 0;

  static get supported() {
    return "VideoDecoder" in globalThis;
  }

  get software() {
    return this.#broken || this.#lagging;
  }

  /** Packets given and not yet come back as pictures. */
  get held() {
    return this.#given.size;
  }

  take(frame) {
    if (frame.keyframe) this.#group = [];
    else if (this.#group.length === 0) return; // nothing to build on: the next key frame is at most a second away
    this.#group.push(frame);
    if (frame.keyframe && this.held > MOST_HELD) this.#drop();
    if (this.#decoder === null) this.#make();
    if (frame.keyframe) this.#configure(frame);
    this.#decode(frame);
    this.#watchLag();
  }

  /** Another stream begins. */
  restart() {
    this.#group = [];
    this.#drop();
    this.#lagging = false;
    this.#lastOut = -1;
  }

  close() {
    this.restart();
  }

  #make() {
    const decoder = new VideoDecoder({
      output: (picture) => this.#decoded(decoder, picture),
      error: (error) => this.#broke(decoder, error),
    });
    this.#decoder = decoder;
    this.#configured = null;
  }

  #configure(frame) {
    const codec = this.codec ?? parametersOf(frame.data)?.codec ?? BASELINE;
    if (codec === this.#configured) return;
    this.#configured = codec;
    this.#decoder.configure({
      codec,
      optimizeForLatency: true,
      hardwareAcceleration: this.software ? "prefer-software" : "no-preference",
    });
  }

  #decode(frame) {
    const timestamp = frame.timestampMs * 1000;
    const type = frame.keyframe ? "key" : "delta";
    this.#given.set(timestamp, frame);
    this.#decoder.decode(new EncodedVideoChunk({ type, timestamp, duration: 40_000, data: frame.data }));
  }

  #drop() {
    if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#given.clear();
    this.#laggingSinceMs = null;
  }

  #broke(decoder, error) {
    if (decoder !== this.#decoder) return;
    this.#group = [];
    this.#drop();
    if (error.name === "QuotaExceededError") return; // browsers take decoders from pages that nobody looks at
    this.#broken = true;
    this.#failures += 1;
    this.onproblem(`decoder: ${error.message}`);
    if (this.#failures >= FAILURES) this.ongivenup();
  }

  /** Some hardware decoders keep pictures back whatever they are asked: software ones do not. */
  #watchLag() {
    const now = performance.now();
    this.#laggingSinceMs = this.held > LAG_FRAMES ? (this.#laggingSinceMs ?? now) : null;
    if (this.software || this.#laggingSinceMs === null || now - this.#laggingSinceMs < LAG_MS) return;
    this.#lagging = true;
    this.#drop();
    this.#make();
    this.#configure(this.#group[0]);
    for (const frame of this.#group) this.#decode(frame); // pictures that came already do not come again
  }

  #decoded(decoder, picture) {
    const frame = this.#given.get(picture.timestamp);
    if (decoder !== this.#decoder || frame === undefined || picture.timestamp <= this.#lastOut) {
      if (decoder === this.#decoder) this.#given.delete(picture.timestamp);
      picture.close();
      return;
    }
    for (const timestamp of this.#given.keys()) if (timestamp <= picture.timestamp) this.#given.delete(timestamp);
    this.#lastOut = picture.timestamp;
    this.#failures = 0;
    this.onpicture(picture, frame);
  }
}
