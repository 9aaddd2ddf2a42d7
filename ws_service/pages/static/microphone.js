/** The microphone as an async iterable of Int16Array, 40 ms each, from `open` until `stop`. */

import { NO_MICROPHONE } from "./support.js";

const MAX_RATE_HZ = 48000; // the service takes 8000 to 48000
const MAX_CHUNKS = 500; // 20 s, while nobody takes them; then the oldest are dropped

export class Microphone {
  sampleRate = 0;
  #context = null;
  #stream;
  #source = null;
  #node = null;
  #chunks = [];
  #wake = () => {};
  #stopped = false;

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
    } catch (error) {
      microphone.stop(); // its light goes out
      throw new Error(`The microphone cannot be listened to: ${error.message}`);
    }
    return microphone;
  }

  async #listen() {
    for (const track of this.#stream.getTracks()) track.onended = () => this.stop(); // unplugged, or no longer allowed
    this.#context = new AudioContext({ latencyHint: "interactive" });
    if (this.#context.sampleRate > MAX_RATE_HZ) {
      await this.#context.close();
      this.#context = new AudioContext({ latencyHint: "interactive", sampleRate: MAX_RATE_HZ });
    }
    this.sampleRate = this.#context.sampleRate;
    await this.#context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    this.#node = new AudioWorkletNode(this.#context, "chunks", options);
    this.#node.port.onmessage = ({ data }) => this.#take(data);
    this.#source = this.#context.createMediaStreamSource(this.#stream);
    this.#source.connect(this.#node);
  }

  /** No more sound; what was heard so far is still given out. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.#source?.disconnect();
    this.#release();
    this.#wake();
  }

  /** The worklet ends first: browsers keep a context for good that was closed with one at work. */
  #release() {
    const context = this.#context;
    if (this.#node === null || context.state !== "running") {
      context?.close();
      return;
    }
    this.#node.port.onmessage = ({ data }) => data === "ended" && context.close();
    this.#node.port.postMessage("end");
  }

  async *[Symbol.asyncIterator]() {
    try {
      while (true) {
        while (this.#chunks.length > 0) yield this.#chunks.shift();
        if (this.#stopped) return;
        await new Promise((resolve) => (this.#wake = resolve));
      }
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
