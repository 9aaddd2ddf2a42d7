/**
 * Packets to pictures by MediaSource, for browsers (or pages: plain http) without WebCodecs. Loaded only then.
 *
 * jmuxer wraps the packets for an unseen <video>, which plays at the edge of what has come; each picture it presents is
 * copied and given out with the frame it was made of, so that the player shows it in step with its sound like any other.
 * In the video's own time pictures lie 40 ms apart without a gap, whatever was dropped or reconnected on the way.
 */

import "./vendor/jmuxer.min.js"; // sets globalThis.JMuxer
import { parametersOf } from "./annexb.js";

const FRAME_S = 0.04;
const LEAD_S = 0.06; // fed and not yet played: what the video wants before it runs smoothly ...
const MORE_LEAD_S = 0.03; // ... which, where it stops for want of packets, is so much more ...
const MOST_LEAD_S = 0.4; // ... up to here
const CATCH_UP = 1.08; // speed, while the lead is larger than that
const TOO_FAR_S = 0.3; // larger: jump
const NEWEST = 0.05; // of the delay: the share of the newest picture's
const FAILURES = 3; // in a row, without a picture between them: another source will not do either
const MAX_FED = 250; // frames that are remembered until they are presented

export class MseDecoder {
  /** Called with each picture (an ImageBitmap, to be closed) and the frame it was made of, in order, each once. */
  onpicture = () => {};
  /** Called with each problem, as text. */
  onproblem = () => {};
  /** Called when this browser cannot do it at all. */
  ongivenup = () => {};
  codec = null; // the key frames say it
  name = "MediaSource";
  software = false; // as far as one can see
  /** How long after its packet a picture comes, as it was on average. */
  delayMs = 1000 * (LEAD_S + FRAME_S);

  #video = document.createElement("video");
  #mux = null;
  #ready = false;
  #needsKey = true;
  #sets = null; // parameter sets of what was fed
  #count = 0; // frames fed to this mux
  #fed = new Map(); // number in the video's time -> {frame, atMs}
  #fedAtMs = 0;
  #stream = 0; // counts restarts
  #failures = 0;
  #leadS = LEAD_S;
  #request = 0;
  #waiting = []; // packets since the last key frame, while the source opens
  #onVisibility = () => (this.#needsKey = true); // a hidden video stands still: it gets nothing, and goes on with a key frame

  constructor() {
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.addEventListener("waiting", () => this.#ranDry());
    this.#video.addEventListener("error", () => this.#broke(this.#video.error?.message));
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#watch();
    this.#open();
  }

  /** Packets given and not yet come back as pictures. */
  get held() {
    return this.#fed.size + this.#waiting.length;
  }

  take(frame) {
    if (document.hidden || (this.#needsKey && !frame.keyframe)) return;
    this.#needsKey = false;
    if (frame.keyframe) {
      const sets = parametersOf(frame.data)?.sets ?? null;
      if (this.#sets !== null && sets !== this.#sets) this.#open(); // another encoder: not every browser takes it in mid-stream
      this.#sets = sets;
      this.#waiting = [];
      if (this.#video.paused) this.#play();
    }
    if (this.#ready) this.#feed(frame);
    else this.#waiting.push(frame);
  }

  /** Another stream begins. */
  restart() {
    this.#stream += 1;
    this.#needsKey = true;
    this.#waiting = [];
    this.#fed.clear();
  }

  close() {
    this.restart();
    this.#video.cancelVideoFrameCallback(this.#request);
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#shut();
  }

  #open() {
    this.#shut();
    this.#ready = false;
    this.#count = 0;
    this.#fed.clear();
    this.#sets = null;
    const mux = new globalThis.JMuxer({
      node: this.#video,
      mode: "video",
      live: true,
      fps: 1 / FRAME_S,
      flushingTime: 0, // each packet at once
      maxDelay: Infinity, // #steer keeps up
      onReady: () => this.#opened(mux),
      onError: ({ name }) => mux === this.#mux && this.#broke(name),
      onUnsupportedCodec: () => this.ongivenup(),
    });
    this.#mux = mux;
    this.#play();
  }

  #opened(mux) {
    if (mux !== this.#mux) return;
    this.#ready = true;
    for (const frame of this.#waiting.splice(0)) this.#feed(frame);
  }

  #shut() {
    if (this.#mux === null) return;
    this.#mux.destroy();
    this.#mux = null;
    this.#video.removeAttribute("src");
    this.#video.replaceChildren(); // where it was given as a <source>
    this.#video.load();
  }

  #play() {
    this.#video.play().catch(() => {}); // asked again at every key frame; until then it jumps from one to the next
  }

  #feed(frame) {
    this.#fedAtMs = performance.now();
    this.#fed.set(this.#count, { frame, atMs: this.#fedAtMs });
    this.#count += 1;
    if (this.#fed.size > MAX_FED) this.#fed.delete(this.#fed.keys().next().value);
    this.#mux.feed({ video: frame.data, duration: FRAME_S * 1000, isLastVideoFrameComplete: true });
    this.#steer();
  }

  #steer() {
    const { buffered, currentTime, seeking } = this.#video;
    if (buffered.length === 0 || seeking) return;
    const leadS = buffered.end(buffered.length - 1) - currentTime;
    if (leadS > this.#leadS + TOO_FAR_S) this.#video.currentTime += leadS - this.#leadS;
    const rate = leadS > this.#leadS + FRAME_S / 2 ? CATCH_UP : 1;
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }

  #ranDry() {
    const flowing = performance.now() - this.#fedAtMs < 2 * FRAME_S * 1000; // else it is the stream that stopped
    if (flowing && this.#count > 1 / FRAME_S) this.#leadS = Math.min(MOST_LEAD_S, this.#leadS + MORE_LEAD_S);
  }

  #broke(reason) {
    this.#failures += 1;
    this.restart();
    this.onproblem(`MediaSource: ${reason ?? "the video failed"}`);
    if (this.#failures < FAILURES) this.#open();
    else this.ongivenup();
  }

  #watch() {
    this.#request = this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#watch();
      this.#presented(Math.round(mediaTime / FRAME_S));
    });
  }

  #presented(number) {
    const fed = this.#fed.get(number);
    this.#failures = 0;
    for (const passed of this.#fed.keys()) if (passed <= number) this.#fed.delete(passed);
    if (fed === undefined) return; // of a stream that is over
    const { frame, atMs } = fed;
    const stream = this.#stream;
    createImageBitmap(this.#video).then(
      (picture) => {
        if (stream !== this.#stream) return picture.close();
        const delayMs = performance.now() - atMs;
        if (!frame.generated) this.delayMs += NEWEST * (delayMs - this.delayMs); // in speech sounds keep their places
        this.onpicture(picture, frame);
      },
      (error) => this.onproblem(`MediaSource: ${error.message}`),
    );
  }
}
