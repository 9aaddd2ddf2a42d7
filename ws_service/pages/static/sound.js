/** The Web Audio side: sounds at exact places of its clock, and what of that clock is heard now. */

const RATE_HZ = 16000; // of the stream; the browser resamples the whole output, never single frames

export class Sound {
  /** Called when sound begins or ceases to be possible. */
  onchange = () => {};
  #context = null;
  #gain = null;
  #playing = new Set();
  #muted = false;

  get running() {
    return this.#context?.state === "running";
  }

  /** To be called in a click or key press: browsers let no page sound before one. */
  async unlock() {
    if (this.#context === null) {
      this.#context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
      this.#gain = this.#context.createGain();
      this.#gain.gain.value = this.#muted ? 0 : 1;
      this.#gain.connect(this.#context.destination);
      this.#context.onstatechange = () => this.onchange();
    }
    if (this.#context.state !== "running") await this.#context.resume(); // waits for a gesture where there was none
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.#gain) this.#gain.gain.value = muted ? 0 : 1;
  }

  /** Where sounds can be placed from, in seconds of the audio clock. */
  get nowS() {
    return this.#context.currentTime;
  }

  /** What leaves the loudspeaker now, in seconds of the audio clock. */
  get heardS() {
    const { contextTime, performanceTime } = this.#context.getOutputTimestamp();
    if (!performanceTime) return this.#context.currentTime - (this.#context.outputLatency || 0);
    return Math.min(this.#context.currentTime, contextTime + (performance.now() - performanceTime) / 1000);
  }

  /** Whatever this page sounds, for a recorder or an analyser; null before `unlock`. */
  get output() {
    return this.#gain;
  }

  /** Place s16le samples at `startS` of the audio clock. */
  play(bytes, startS) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const buffer = this.#context.createBuffer(1, bytes.byteLength >> 1, RATE_HZ);
    const samples = buffer.getChannelData(0);
    for (let at = 0; at < samples.length; at += 1) samples[at] = view.getInt16(2 * at, true) / 32768;
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#gain);
    source.onended = () => this.#playing.delete(source);
    source.start(startS);
    this.#playing.add(source);
  }

  /** Whether sounds are placed that are not over. */
  get busy() {
    return this.#playing.size > 0;
  }

  /** Silence, at once. */
  stop() {
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
  }

  close() {
    this.stop();
    if (this.#context) this.#context.onstatechange = null;
    this.#context?.close();
    this.#context = this.#gain = null;
  }
}
