/**
 * Shows the stream on a canvas: each picture is painted when its own sound is heard.
 *
 * Knows no socket: frames come in by `take`, as avatar-client.js gives them. A decoder makes pictures of packets:
 * WebCodecs, or MediaSource where a page has no WebCodecs. While no sound may play (before the first click) the page's
 * own clock takes the audio clock's place.
 */

import { PlayerFigures } from "./player-figures.js";
import { PlayoutClock } from "./playout.js";
import { Sound } from "./sound.js";
import { canPlay, NOTHING_PLAYS } from "./support.js";
import { WebCodecsDecoder } from "./webcodecs-decoder.js";

const MAX_PENDING = 16; // decoded pictures kept at a time: hardware decoders have few
const EARLY_MS = 8; // half a refresh of the screen: a picture is painted at the refresh nearest to its time
const HURRY_MS = 400; // after a stop pictures are painted as they come, for there is no sound to be in step with

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
  #group = []; // packets since the last key frame, while there is no decoder yet
  #pending = []; // {picture, frame} in order
  #muteUntilAnswer = false;
  #hurryUntilMs = 0;
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
    this.#request = requestAnimationFrame(() => this.#paint());
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
    this.#muteUntilAnswer = false;
    this.#hurryUntilMs = 0;
    this.#group = [];
    this.#decoder?.restart();
    for (const { picture } of this.#pending.splice(0)) picture.close();
    this.#figures.restart();
  }

  /** Silent at once, and the mouth as soon as can be; sounds that are still on their way are dropped until `answered`. */
  silence() {
    this.sound.stop();
    this.#muteUntilAnswer = true;
    this.#hurryUntilMs = performance.now() + HURRY_MS;
  }

  /** The server has answered the interruption: sound that comes now is new. */
  answered() {
    this.#muteUntilAnswer = false;
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
    const decoder = this.#decoder?.name ?? "";
    return {
      ...this.#figures.at(performance.now()),
      rebuffers: this.#clock.rebuffers,
      queue: this.#pending.length + (this.#decoder?.held ?? 0),
      decoder,
      softwareDecoding: decoder.endsWith("software"),
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
    for (const frame of this.#group.splice(0)) decoder.take(frame);
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
    if (!this.sound.running || this.#muteUntilAnswer) return;
    this.#hurryUntilMs = 0;
    this.#arrived(frame);
    this.sound.play(frame.data, this.#clock.dueS(frame.timestampMs));
  }

  #takePicture(frame) {
    this.#figures.received(frame, performance.now());
    if (!this.#decoder?.slow) this.#ready(frame);
    if (this.#decoder !== null) {
      this.#decoder.take(frame);
      return;
    }
    if (frame.keyframe) this.#group = [];
    if (frame.keyframe || this.#group.length > 0) this.#group.push(frame);
  }

  #decoded(picture, frame) {
    if (this.#decoder.slow) this.#ready(frame);
    this.#pending.push({ picture, frame });
    while (this.#pending.length > MAX_PENDING) this.#drop(this.#pending.shift());
  }

  #ready(frame) {
    if (!(frame.generated && this.sound.busy)) this.#arrived(frame); // else its sound, placed already, gives it its time
  }

  #arrived(frame) {
    const jumped = this.#clock.arrived(frame.timestampMs, this.#nowS, this.sound.busy);
    if (jumped) this.sound.stop();
  }

  #drop({ picture }) {
    if (!document.hidden) this.#figures.dropped += 1;
    picture.close();
  }

  // -- painting

  #paint() {
    this.#request = requestAnimationFrame(() => this.#paint());
    const now = performance.now();
    const mediaMs = this.#clock.mediaMs(this.#heardS);
    const untilMs = now < this.#hurryUntilMs ? Infinity : mediaMs + EARLY_MS;
    let due = null;
    while (this.#pending.length > 0 && this.#pending[0].frame.timestampMs <= untilMs) {
      if (due !== null) this.#drop(due);
      due = this.#pending.shift();
    }
    if (due === null) return;
    const { picture, frame } = due;
    this.#paper.drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
    picture.close();
    const inStep = frame.generated && this.sound.running && now >= this.#hurryUntilMs;
    this.#figures.painted(now, inStep ? mediaMs - frame.timestampMs : null);
    this.onpaint(frame);
  }
}
