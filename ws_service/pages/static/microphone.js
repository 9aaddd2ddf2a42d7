/** The microphone as an async iterable of Int16Array, 40 ms each, from `open` until `stop`. */

const MAX_RATE_HZ = 48000; // the service takes 8000 to 48000

export class Microphone {
  sampleRate = 0;
  #context;
  #stream;
  #node;
  #chunks = [];
  #wake = () => {};
  #stopped = false;

  /** Asks the person for leave. Throws with a sentence when there is no microphone to be had. */
  static async open() {
    if (!navigator.mediaDevices) throw new Error("Browsers give microphones to https pages and localhost only");
    const microphone = new Microphone();
    try {
      microphone.#stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? "The microphone was refused" : `No microphone: ${error.message}`);
    }
    let context = new AudioContext({ latencyHint: "interactive" });
    if (context.sampleRate > MAX_RATE_HZ) {
      await context.close();
      context = new AudioContext({ latencyHint: "interactive", sampleRate: MAX_RATE_HZ });
    }
    microphone.#context = context;
    microphone.sampleRate = context.sampleRate;
    await context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "chunks", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => microphone.#take(data);
    context.createMediaStreamSource(microphone.#stream).connect(node);
    microphone.#node = node;
    return microphone;
  }

  /** No more sound; what was heard so far is still given out. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#node.port.onmessage = null;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#context.close();
    this.#wake();
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
    this.#wake();
  }
}
