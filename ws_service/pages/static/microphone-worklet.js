/** On the audio thread: samples to s16 chunks of 40 ms, posted to microphone.js; after its "end" the rest, and "ended". */

class Chunks extends AudioWorkletProcessor {
  #chunk = new Int16Array(Math.round(sampleRate / 25));
  #filled = 0;
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => (this.#ended = true);
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      this.#chunk[this.#filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      this.#filled += 1;
      if (this.#filled === this.#chunk.length) {
        this.port.postMessage(this.#chunk.slice());
        this.#filled = 0;
      }
    }
    if (!this.#ended) return true;
    if (this.#filled > 0) this.port.postMessage(this.#chunk.slice(0, this.#filled));
    this.port.postMessage("ended");
    return false;
  }
}

registerProcessor("chunks", Chunks);
