/**
 * When each frame is due: media time (the stream's frame_timestamp) against a local clock. Pure arithmetic.
 *
 * One offset maps both pictures and sounds, so they cannot part. The offset keeps a small buffer. Speech is never cut:
 * one of its frames that comes too late for its place puts all later ones off. While nobody speaks nothing has to join:
 * late pictures are shown as they come, and the stream is live again as soon as the frames that come are on time.
 * Small differences are set right after a while: two clocks never run quite alike, and in half an hour part by 0.1 s.
 */

const BUFFER_S = 0.06;
const LEAST_SLACK_S = 0.005; // a sound has to be handed over a little before it is due
const LONG = 125; // frames over which the least slack is taken
const OFF_S = 0.03; // so far from it, the buffer is set right
const RECENT_S = 0.25; // frames of so long ...
const SPAN_S = 0.15; // ... that came so far apart, not in one burst, tell how late the stream is now
const FAR_OFF_S = 0.1; // a difference that is set right at once
const JUMP_S = 3; // further off: another stream
const GRID_HZ = 16000; // places stand on whole samples, so that sounds join without a seam

export class PlayoutClock {
  /** How often frames came so late that all later ones were put off. */
  rebuffers = 0;
  #offsetS = null;
  #leastSlackS = Infinity;
  #frames = 0;
  #recent = []; // {nowS, slackS}

  /** Another local clock from here on; the next frame finds the offset anew. */
  reset() {
    this.#offsetS = null;
    this.#startWindow();
  }

  /**
   * A frame is ready at local time `nowS`. `speaking`: it, or what was placed before and is not over, is to be heard.
   * Returns whether another stream begins here, whose frames have nothing to do with what was placed before.
   */
  arrived(timestampMs, nowS, speaking) {
    const mediaS = timestampMs / 1000;
    const slackS = this.#offsetS === null ? 0 : this.#offsetS + mediaS - nowS;
    if (this.#offsetS === null || Math.abs(slackS) > JUMP_S) {
      const jumped = this.#offsetS !== null;
      this.#place(nowS + BUFFER_S - mediaS);
      return jumped;
    }
    if (speaking && slackS < LEAST_SLACK_S) {
      this.#putOff(slackS);
      return false;
    }
    this.#recent = this.#recent.filter((frame) => frame.nowS > nowS - RECENT_S);
    this.#recent.push({ nowS, slackS });
    if (slackS > -FAR_OFF_S) this.#leastSlackS = Math.min(this.#leastSlackS, slackS); // a single hitch is no habit
    this.#frames += 1;
    if (!speaking) this.settle();
    if (this.#frames >= LONG && !speaking) {
      const excessS = this.#leastSlackS - BUFFER_S;
      if (Number.isFinite(excessS) && Math.abs(excessS) > OFF_S) this.#place(this.#offsetS - excessS);
      this.#startLongWindow();
    }
    return false;
  }

  /** Nobody speaks: be live again, if by the latest frames the buffer is far too large, or there is none. */
  settle() {
    if (this.#recent.length === 0 || this.#recent.at(-1).nowS - this.#recent[0].nowS < SPAN_S) return;
    const slacksS = this.#recent.map(({ slackS }) => slackS);
    const excessS = Math.min(...slacksS) - BUFFER_S;
    if (excessS > FAR_OFF_S) this.#place(this.#offsetS - excessS);
    else if (Math.max(...slacksS) < LEAST_SLACK_S) this.#putOff(Math.max(...slacksS));
  }

  /** Local time at which the frame is due, or null before the first one. */
  dueS(timestampMs) {
    return this.#offsetS === null ? null : this.#offsetS + timestampMs / 1000;
  }

  /** Media time that is due at local time `nowS`. */
  mediaMs(nowS) {
    return this.#offsetS === null ? -Infinity : (nowS - this.#offsetS) * 1000;
  }

  #putOff(slackS) {
    this.rebuffers += 1;
    this.#place(this.#offsetS + BUFFER_S - slackS);
  }

  #place(offsetS) {
    this.#offsetS = Math.round(offsetS * GRID_HZ) / GRID_HZ;
    this.#startWindow();
  }

  #startWindow() {
    this.#recent = [];
    this.#startLongWindow();
  }

  #startLongWindow() {
    this.#leastSlackS = Infinity;
    this.#frames = 0;
  }
}
