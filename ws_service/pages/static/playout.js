/**
 * When each frame is due: media time (the stream's frame_timestamp) against a local clock. Pure arithmetic.
 *
 * One offset maps both pictures and sounds, so they cannot part. The offset keeps a small buffer: it grows at once when
 * a frame comes too late for its place, and is set right, while nobody speaks, when the buffer has long been larger or
 * smaller than it should be (two clocks never run quite alike, and in half an hour part by a tenth of a second).
 */

const BUFFER_S = 0.06;
const LEAST_SLACK_S = 0.005; // a sound has to be handed over a little before it is due
const LONG = 125; // frames over which the least slack is taken
const OFF_S = 0.03; // so far from it, the buffer is set right
const JUMP_S = 2; // further off: another stream
const GRID_HZ = 16000; // places stand on whole samples, so that sounds join without a seam

export class PlayoutClock {
  /** How often frames came so late that all later ones were put off. */
  rebuffers = 0;
  #offsetS = null;
  #leastSlackS = Infinity;
  #frames = 0;

  /** Another local clock from here on; the next frame finds the offset anew. */
  reset() {
    this.#offsetS = null;
    this.#startWindow();
  }

  /**
   * A frame is ready at local time `nowS`. `speaking`: its neighbours' sounds are placed already. Returns whether another
   * stream begins here, whose frames have nothing to do with what was placed before.
   */
  arrived(timestampMs, nowS, speaking) {
    const mediaS = timestampMs / 1000;
    const slackS = this.#offsetS === null ? 0 : this.#offsetS + mediaS - nowS;
    if (this.#offsetS === null || Math.abs(slackS) > JUMP_S) {
      const jumped = this.#offsetS !== null;
      this.#place(nowS + BUFFER_S - mediaS);
      return jumped;
    }
    if (slackS < LEAST_SLACK_S) {
      this.rebuffers += 1;
      this.#place(this.#offsetS + BUFFER_S - slackS);
      return false;
    }
    this.#leastSlackS = Math.min(this.#leastSlackS, slackS);
    this.#frames += 1;
    if (this.#frames >= LONG && !speaking) {
      const excessS = this.#leastSlackS - BUFFER_S;
      if (Math.abs(excessS) > OFF_S) this.#place(this.#offsetS - excessS);
      this.#startWindow();
    }
    return false;
  }

  /** Local time at which the frame is due, or null before the first one. */
  dueS(timestampMs) {
    return this.#offsetS === null ? null : this.#offsetS + timestampMs / 1000;
  }

  /** Media time that is due at local time `nowS`. */
  mediaMs(nowS) {
    return this.#offsetS === null ? -Infinity : (nowS - this.#offsetS) * 1000;
  }

  #place(offsetS) {
    this.#offsetS = Math.round(offsetS * GRID_HZ) / GRID_HZ;
    this.#startWindow();
  }

  #startWindow() {
    this.#leastSlackS = Infinity;
    this.#frames = 0;
  }
}
