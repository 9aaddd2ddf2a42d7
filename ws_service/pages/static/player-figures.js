/** What an onlooker wants to know of a player, over the last two seconds: rates, gaps, sound against lips. Pure. */

const WINDOW_MS = 2000;
const GAP_MS = 60; // between two pictures, from which on an eye may see it
const MOST = 1000; // entries kept; nobody may ever ask
const OFFSETS = 50;

export class PlayerFigures {
  pictures = 0;
  gaps = 0;
  dropped = 0;
  #firstAtMs = null; // the first packet of this stream
  #keyAtMs = null;
  #received = []; // {atMs, size} of packets, size in bytes
  #paintedAtMs = [];
  #offsetsMs = []; // by which shown lips lagged behind the sound that was heard

  /** Another stream begins. */
  restart() {
    this.#firstAtMs = null;
    this.#received = [];
    this.pause();
  }

  /** Nothing is painted for a while, which is no gap in the stream. */
  pause() {
    this.#paintedAtMs = [];
  }

  received(frame, atMs) {
    this.#firstAtMs ??= atMs;
    if (frame.keyframe) this.#keyAtMs = atMs;
    push(this.#received, { atMs, size: frame.data.byteLength }, MOST);
  }

  /** `offsetMs`: lips after sound, null where no sound is heard. */
  painted(atMs, offsetMs) {
    const before = this.#paintedAtMs.at(-1);
    if (before !== undefined && atMs - before > GAP_MS) this.gaps += 1;
    push(this.#paintedAtMs, atMs, MOST);
    this.pictures += 1;
    if (offsetMs !== null) push(this.#offsetsMs, offsetMs, OFFSETS);
  }

  at(nowMs) {
    const since = nowMs - WINDOW_MS;
    const received = this.#received.filter(({ atMs }) => atMs > since);
    const painted = this.#paintedAtMs.filter((atMs) => atMs > since);
    const bytes = received.reduce((sum, { size }) => sum + size, 0);
    const spanMs = Math.min(WINDOW_MS, nowMs - (this.#firstAtMs ?? nowMs));
    const gapsMs = painted.slice(1).map((atMs, n) => atMs - painted[n]);
    const offsets = [...this.#offsetsMs].sort((a, b) => a - b);
    return {
      fps: spanMs > 0 ? (painted.length * 1000) / spanMs : 0,
      kbitPerSecond: spanMs > 0 ? (bytes * 8) / spanMs : 0,
      pictures: this.pictures,
      gaps: this.gaps,
      longestGapMs: Math.max(0, ...gapsMs),
      dropped: this.dropped,
      keyframeAgeMs: this.#keyAtMs === null ? null : nowMs - this.#keyAtMs,
      soundToLipsMs: offsets.length ? offsets[offsets.length >> 1] : null,
      worstSoundToLipsMs: offsets.length ? Math.max(...offsets.map(Math.abs)) : null,
    };
  }
}

function push(list, entry, most) {
  list.push(entry);
  if (list.length > most) list.splice(0, list.length - most / 2);
}
