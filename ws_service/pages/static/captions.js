/**
 * Captions of a text while it is said: a piece of a line or two at a time.
 *
 * The stream says when a text begins and ends, not where in it the voice is: pieces follow one another at the pace of the
 * latest text, counted in characters, and a little faster: the last piece is there before the voice ends. A text of one
 * piece is always right; the more pieces, the more they may run ahead.
 */

const MOST_CHARACTERS = 90; // of one piece
const LEAST_CHARACTERS = 25; // shorter sentences share one
const FIRST_PACE = 21 / 1000; // characters a millisecond, until a text has been heard; fast voices keep to it
const LEAD = 1.1; // rather too early, when one reads ahead, than behind the voice
const LAST_MS = 1500; // for a last piece that the voice was too fast for

export class Captions {
  #show;
  #pace = FIRST_PACE;
  #characters = 0;
  #timer = null;
  #waiting = []; // pieces that have not been shown

  /** `show(text)`: put it where it is read; "" for nothing. */
  constructor(show) {
    this.#show = show;
  }

  start(text) {
    clearTimeout(this.#timer);
    this.#characters = text.length;
    this.#next(pieces(text));
  }

  /** `positionMs`: how much was heard. An interrupted text tells nothing of the pace. */
  end(positionMs, interrupted) {
    clearTimeout(this.#timer);
    if (!interrupted && positionMs > 0 && this.#characters > 0) this.#pace = (LEAD * this.#characters) / positionMs;
    this.#characters = 0;
    const last = this.#waiting.at(-1);
    this.#waiting = [];
    this.#show(interrupted || last === undefined ? "" : last.trim());
    if (!interrupted && last !== undefined) this.#timer = setTimeout(() => this.#show(""), LAST_MS);
  }

  #next([piece = "", ...rest]) {
    this.#show(piece.trim());
    this.#waiting = rest;
    if (rest.length > 0) this.#timer = setTimeout(() => this.#next(rest), piece.length / this.#pace);
  }
}

/** The text in order, cut behind sentences where it can be, else between words. */
export function pieces(text) {
  const found = [""];
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) {
    const last = found.at(-1);
    const full = last.length + segment.length > MOST_CHARACTERS;
    const ended = /[.!?…。！？]\s*$/.test(last) && last.length >= LEAST_CHARACTERS && segment.trim() !== "";
    if ((full || ended) && last !== "") found.push(segment);
    else found[found.length - 1] += segment;
  }
  return found;
}
