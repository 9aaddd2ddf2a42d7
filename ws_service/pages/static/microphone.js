/** The microphone as an async iterable of Int16Array, 40 ms each, from `open` until `stop`. */

import { NO_MICROPHONE } from "./support.js";

const MAX_RATE_HZ = 48000; // the service takes 8000 to 48000
const MAX_CHUNKS = 500; // 20 s, while nobody takes them; then the oldest are dropped
const END_MS = 1000; // the worklet's, at most
const UNPLUGGED = "The microphone was unplugged, or is no longer allowed";

export class Microphone {
  sampleRate = 0;
  #context = null;
  #stream;
  #source = null;
  #node = null;
  #chunks = [];
  #wake = () => {};
  #stopped = false;
  #end = () => {}; // the worklet has
  #ended = false; // nothing more comes
  #failure = null; // why it stopped, where nobody asked it to

  /** Asks the person for leave. Throws with a sentence when there is no microphone to be had. */
  static async open() {
    if (!navigator.mediaDevices || !("AudioWorkletNode" in globalThis)) throw new Error(NO_MICROPHONE);
    const microphone = new Microphone();
    try {
      microphone.#stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? "The microphone was refused" : `No microphone: ${error.message}`);
    }
    try {
      await microphone.#listen();
      if (microphone.#isGone) throw new Error(UNPLUGGED);
    } catch (error) {
      const why = microphone.#isGone ? UNPLUGGED : `The microphone cannot be listened to: ${error.message}`;
      microphone.stop(); // its light goes out
      throw new Error(why);
    }
    return microphone;
  }

  async #listen() {
    this.#context = new AudioContext({ latencyHint: "interactive" });
    if (this.#context.sampleRate > MAX_RATE_HZ) {
      await this.#context.close();
      this.#context = new AudioContext({ latencyHint: "interactive", sampleRate: MAX_RATE_HZ });
    }
    this.sampleRate = this.#context.sampleRate;
    await this.#context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    this.#node = new AudioWorkletNode(this.#context, "chunks", options);
    this.#node.port.onmessage = ({ data }) => (data === "ended" ? this.#end() : this.#take(data));
    this.#source = this.#context.createMediaStreamSource(this.#stream);
    this.#source.connect(this.#node);
    for (const track of this.#stream.getTracks()) track.onended = () => this.#unplugged();
  }

  get #isGone() {
    return this.#stream.getTracks().some(({ readyState }) => readyState === "ended");
  }

  #unplugged() {
    this.#failure = new Error(UNPLUGGED);
    this.stop();
  }

  /** No more sound; what was heard so far is still given out. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.#release();
  }

  /** The worklet ends first: browsers keep a context for good that was closed with one at work. */
  async #release() {
    if (this.#node !== null) {
      const ended = new Promise((resolve) => (this.#end = resolve));
      const late = new Promise((resolve) => setTimeout(resolve, END_MS));
      this.#source?.disconnect();
      this.#node.port.postMessage("end");
      this.#context.resume().catch(() => {}); // a suspended one would not hear of it
      await Promise.race([ended, late]);
    }
    this.#ended = true;
    this.#wake();
    await this.#context?.close().catch(() => {}); // somebody else has closed it
  }

  /** Throws where it was unplugged, after what was heard before. */
  async *[Symbol.asyncIterator]() {
    try {
      while (true) {
        while (this.#chunks.length > 0) yield this.#chunks.shift();
        if (this.#ended) break;
        await new Promise((resolve) => (this.#wake = resolve));
      }
      if (this.#failure) throw this.#failure;
    } finally {
      this.stop();
    }
  }

  #take(chunk) {
    this.#chunks.push(chunk);
    if (this.#chunks.length > MAX_CHUNKS) this.#chunks.shift();
    this.#wake();
  }
}
