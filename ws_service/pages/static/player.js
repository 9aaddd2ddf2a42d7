/**
 * Shows the stream on a canvas: each picture is painted when its own sound is heard.
 *
 * Knows no socket: frames come in by `take`, as avatar-client.js gives them. A decoder makes pictures of packets, from
 * shortly before they are due: WebCodecs, or MediaSource where a page has no WebCodecs. While no sound may play (before the first click) the page's
 * own clock takes the audio clock's place.
 */

import { PlayerFigures } from "./player-figures.js";
import { PlayoutClock } from "./playout.js";
import { Sound } from "./sound.js";
import { canPlay, NOTHING_PLAYS } from "./support.js";
import { WebCodecsDecoder } from "./webcodecs-decoder.js";

const AHEAD_MS = 200; // packets are decoded so long before they are due: hardware decoders have few pictures
const EARLY_MS = 8; // half a refresh of the screen: a picture is painted at the refresh nearest to its time
const STOP_MS = 400; // after a stop, pictures are shown as they come for so long at least ...
const MOST_STOP_MS = 2000; // ... and at most, where the decoder is slow to give one with a resting mouth
const OLD_MS = 10_000; // a resting mouth's picture, for that
const CLOSING_FRAMES = 3; // after speech, before the mouth rests
const MANY = 8; // frames not yet shown: a stop would be seen late

export class Player {
  /** Called once with each problem that the decoder has, as text. */
  onproblem = () => {};
  /** Called when a picture is painted: `{timestampMs, generated, audioMs}`. */
  onpaint = () => {};
  sound = new Sound();

  #canvas;
  #paper;
  #clock = new PlayoutClock();
  #figures = new PlayerFigures();
  #codec = null;
  #decoder = null;
  #waiting = []; // packets that are not to be decoded yet; from a key frame on while there is no decoder
  #pending = []; // {picture, frame} in order
  #unanswered = 0; // stops that the server has yet to confirm
  #stoppedAtMs = -Infinity;
  #stopsAtMs = Infinity; // media time after which there is nothing of what was stopped
  #newestMs = 0; // media time of the newest packet
  #rests = false; // the stop is seen
  #quiet = 0; // pictures since the last that speaks
  #rest = null; // {picture, frame}: the last with a resting mouth, for a stop that would be seen late
  #request = 0;
  #closed = false;
  #onVisibility = () => this.#figures.pause(); // a hidden page paints nothing

  /** Whether this browser can play on this page. */
  static get supported() {
    return canPlay();
  }

  constructor(canvas) {
    this.#canvas = canvas;
    this.#paper = canvas.getContext("2d", { alpha: false, desynchronized: true });
    this.sound.onchange = () => this.#changeClocks();
    this.#animate();
    document.addEventListener("visibilitychange", this.#onVisibility);
    if (WebCodecsDecoder.supported) this.#use(new WebCodecsDecoder());
    else this.#useMediaSource();
  }

  /** As INIT_SUCCESS names it. */
  set codec(codec) {
    this.#codec = codec;
    if (this.#decoder) this.#decoder.codec = codec;
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
    this.#unanswered = 0;
    this.#stoppedAtMs = -Infinity;
    this.#quiet = 0;
    this.#keepRest(null);
    this.#waiting = [];
    this.#decoder?.restart();
    for (const { picture } of this.#pending.splice(0)) picture.close();
    this.#figures.restart();
  }

  /**
   * Silent at once; sounds that are still on their way are dropped until it is `answered`. There is no sound to be in step
   * with, so pictures are shown as they come; where they come late, the last resting mouth is shown until then.
   */
  silence() {
    this.sound.stop();
    this.#unanswered += 1;
    this.#stoppedAtMs = performance.now();
    this.#stopsAtMs = Infinity;
    this.#rests = false;
    this.#clock.settle();
    const prompt = this.#decoder?.delayMs === 0 && this.#queue <= MANY;
    if (prompt) this.#keepRest(null);
    if (this.#rest !== null && this.#quiet <= CLOSING_FRAMES) this.#show(this.#rest, null);
    this.#feed();
  }

  /** The server has answered an interruption: sound that comes now is new, unless another one is under way. */
  answered() {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    if (this.#unanswered === 0) this.#stopsAtMs = this.#newestMs;
  }

  close() {
    this.#closed = true;
    cancelAnimationFrame(this.#request);
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.restart();
    this.#decoder?.close();
    this.sound.close();
  }

  /** What an onlooker wants to know, over the last two seconds. */
  figures() {
    return {
      ...this.#figures.at(performance.now()),
      rebuffers: this.#clock.rebuffers,
      queue: this.#queue,
      decoder: this.#decoder?.name ?? "",
      softwareDecoding: this.#decoder?.software ?? false,
      soundRunning: this.sound.running,
    };
  }

  /** Frames that have come and are not shown yet. */
  get #queue() {
    return this.#waiting.length + (this.#decoder?.held ?? 0) + this.#pending.length;
  }

  // -- clocks: the audio clock where sound may play, else the page's

  get #nowS() {
    return this.sound.running ? this.sound.nowS : performance.now() / 1000;
  }

  get #heardS() {
    return this.sound.running ? this.sound.heardS : performance.now() / 1000;
  }

  #changeClocks() {
    this.sound.stop(); // what is placed lies on a clock that stood still
    this.#clock.reset();
  }

  // -- decoders

  #use(decoder) {
    if (this.#closed) {
      decoder.close();
      return;
    }
    decoder.codec = this.#codec;
    decoder.onpicture = (picture, frame) => this.#decoded(picture, frame);
    decoder.onproblem = (text) => this.onproblem(text);
    decoder.ongivenup = () => this.#giveUp(decoder);
    this.#decoder = decoder;
    this.#feed();
  }

  async #useMediaSource() {
    try {
      const { MseDecoder } = await import("./mse-decoder.js");
      this.#use(new MseDecoder());
    } catch (error) {
      this.onproblem(`the player's part for browsers without WebCodecs: ${error.message}`);
    }
  }

  #giveUp(decoder) {
    decoder.close();
    if (decoder !== this.#decoder) return;
    this.#decoder = null;
    if (decoder instanceof WebCodecsDecoder && canPlay({ withoutWebCodecs: true })) this.#useMediaSource();
    else this.onproblem(NOTHING_PLAYS);
  }

  // -- what comes

  #takeSound(frame) {
    if (!this.sound.running || this.#unanswered > 0) return;
    this.#stoppedAtMs = -Infinity;
    this.#arrived(frame);
    this.sound.play(frame.data, this.#clock.dueS(frame.timestampMs));
  }

  #takePicture(frame) {
    this.#figures.received(frame, performance.now());
    this.#newestMs = frame.timestampMs;
    this.#arrived(frame);
    if (this.#decoder === null && frame.keyframe) this.#waiting = [];
    if (this.#decoder !== null || frame.keyframe || this.#waiting.length > 0) this.#waiting.push(frame);
    this.#feed();
  }

  /** Packets that are due soon go to the decoder: all of them, each builds on those before it. */
  #feed() {
    const untilMs = this.#dueMs + AHEAD_MS + (this.#decoder?.delayMs ?? 0);
    while (this.#decoder !== null && this.#waiting[0]?.timestampMs <= untilMs) {
      this.#decoder.take(this.#waiting.shift());
    }
  }

  #decoded(picture, frame) {
    this.#pending.push({ picture, frame });
    const dueMs = this.#dueMs;
    while (this.#pending[1]?.frame.timestampMs <= dueMs) this.#drop(this.#pending.shift()); // a newer one is due
    if (this.#stopping) this.#paint();
  }

  /** It is ready when its picture can be decoded, and its sound too, so that both have one place. */
  #arrived(frame) {
    const heard = frame.generated && this.sound.running && this.#unanswered === 0;
    const readyS = this.#nowS + (this.#decoder?.delayMs ?? 0) / 1000;
    const jumped = this.#clock.arrived(frame.timestampMs, readyS, heard || this.sound.busy);
    if (jumped) this.sound.stop();
  }

  #drop({ picture }) {
    if (!document.hidden) this.#figures.dropped += 1;
    picture.close();
  }

  // -- painting

  #animate() {
    this.#request = requestAnimationFrame(() => {
      this.#animate();
      this.#feed();
      this.#paint();
    });
  }

  get #stopping() {
    return performance.now() - this.#stoppedAtMs < (this.#rests ? STOP_MS : MOST_STOP_MS);
  }

  /** Media time up to which pictures are due. */
  get #dueMs() {
    return this.#stopping ? Infinity : this.#clock.mediaMs(this.#heardS) + EARLY_MS;
  }

  #paint() {
    const stopping = this.#stopping;
    const mediaMs = this.#clock.mediaMs(this.#heardS);
    const dueMs = this.#dueMs;
    let due = null;
    while (this.#pending[0]?.frame.timestampMs <= dueMs) {
      if (due !== null) this.#drop(due);
      due = this.#pending.shift();
      this.#quiet = due.frame.generated ? 0 : this.#quiet + 1;
    }
    if (due === null) return;
    const resting = this.#quiet > CLOSING_FRAMES;
    if (resting && due.frame.timestampMs > this.#stopsAtMs) this.#rests = true;
    if (!stopping || this.#rest === null || resting) {
      const inStep = due.frame.generated && this.sound.running && !stopping;
      this.#show(due, inStep ? mediaMs - due.frame.timestampMs : null);
    }
    const ageMs = this.#rest === null ? 0 : due.frame.timestampMs - this.#rest.frame.timestampMs;
    if (due.frame.action || ageMs > OLD_MS) this.#keepRest(null); // to another pose it would be a jump
    if (resting && !due.frame.action) this.#keepRest(due);
    else due.picture.close();
  }

  #show({ picture, frame }, offsetMs) {
    this.#paper.drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
    this.#figures.painted(performance.now(), offsetMs);
    this.onpaint(frame);
  }

  #keepRest(kept) {
    this.#rest?.picture.close();
    this.#rest = kept;
  }
}
