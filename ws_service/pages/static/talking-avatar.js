/**
 * <talking-avatar>: the avatar as an element of any page.
 *
 *     <script type="module" src="http://127.0.0.1:8000/static/talking-avatar.js"></script>
 *     <talking-avatar user-id="anna"></talking-avatar>
 *
 * Attributes: `user-id`, `avatar`, `server` (default: whoever served this file), `text-frames`, `muted`; each may change.
 * Methods: speak, interrupt, state, action, figures. Events: `status`, `event` (the server's), `problem`, with `detail`.
 */

import { AvatarClient } from "./avatar-client.js";
import { Player } from "./player.js";
import { limits, NOTHING_PLAYS } from "./support.js";

const SIZE = 512;
const GESTURES = ["pointerdown", "pointerup", "keydown"];
const GOES_ON_MS = 200; // between two pictures of one speech, at most
const OF_INIT = ["MODEL_NOT_FOUND", "PROCESSING_ERROR", "INVALID_MESSAGE"]; // that refuse it
const OF_CONNECTION = ["user-id", "server", "text-frames"];

const SHAPE = `<style>
  :host { display: block; position: relative; aspect-ratio: 1; background: #8883; overflow: hidden; }
  canvas { display: block; width: 100%; height: 100%; }
  p { position: absolute; inset: auto 0 0; margin: 0; padding: .5em .75em; font: inherit; color: #fff; background: #000b; }
  p:empty { display: none; }
</style><canvas width="${SIZE}" height="${SIZE}" role="img" aria-label="Talking avatar"></canvas><p role="status"></p>`;

export class TalkingAvatar extends HTMLElement {
  static observedAttributes = ["avatar", "muted", ...OF_CONNECTION];
  /** The connection and the player, while the element is in a page. */
  client = null;
  player = null;
  /** ms from the first audio sent to the first picture that speaks it, of the latest utterance; null after other speech. */
  speakingStartMs = null;

  #open = false; // what ends now had begun
  #failure = ""; // why there is no client
  #measuredFor = null;
  #spokeAtMs = -Infinity; // when the last picture that speaks was painted
  #stale = false; // attributes changed that a connection is made with
  #onGesture = () => this.unlock();

  connectedCallback() {
    if (!this.isConnected || this.player) return;
    if (this.shadowRoot === null) this.attachShadow({ mode: "open" }).innerHTML = SHAPE;
    this.#stale = false;
    if (!Player.supported) {
      this.#fail(NOTHING_PLAYS);
      return;
    }
    if (limits()) this.#emit("problem", limits());
    this.#play();
    for (const kind of GESTURES) document.addEventListener(kind, this.#onGesture);
    if (navigator.userActivation?.hasBeenActive) this.unlock();
  }

  disconnectedCallback() {
    for (const kind of GESTURES) document.removeEventListener(kind, this.#onGesture);
    const { client, player } = this;
    this.client = this.player = this.speakingStartMs = null;
    client?.close();
    player?.close();
  }

  attributeChangedCallback(name, before, now) {
    if (name === "muted" && this.player) this.player.sound.muted = now !== null;
    if (name === "avatar" && (now ?? "") !== this.client?.avatarId) this.client?.init({ avatarId: now ?? "" });
    if (!OF_CONNECTION.includes(name) || before === now || !this.isConnected || this.#stale) return;
    this.#stale = true;
    queueMicrotask(() => {
      if (!this.#stale || !this.isConnected) return; // several changes, or put in anew since
      this.disconnectedCallback();
      this.connectedCallback();
    });
  }

  /** Let sound play. Browsers want a click or a key press first, and the element listens for one. */
  async unlock() {
    const player = this.player;
    try {
      await player?.sound.unlock();
    } catch (error) {
      if (player === this.player) this.#emit("problem", `no sound: ${error.message}`);
    }
  }

  /** As AvatarClient.speak. */
  speak(pcm, options) {
    if (!this.client) return Promise.reject(new Error(this.isConnected ? this.#failure : "the element is in no page"));
    return this.client.speak(pcm, options);
  }

  interrupt() {
    if (this.client?.connected) this.player.silence();
    this.client?.interrupt();
  }

  state(baseVideo) {
    this.client?.state(baseVideo);
  }

  action(index) {
    this.client?.action(index);
  }

  /** Rates, gaps, bitrate, sound against lips: see Player.figures. */
  figures() {
    return { ...this.player?.figures(), speakingStartMs: this.speakingStartMs };
  }

  #play() {
    const client = this.#makeClient();
    if (client === null) return;
    const player = new Player(this.shadowRoot.querySelector("canvas"));
    player.onproblem = (text) => this.#emit("problem", text);
    player.onpaint = (frame) => this.#painted(frame);
    player.sound.muted = this.hasAttribute("muted");
    client.onframe = (frame) => player.take(frame);
    client.onevent = (event) => this.#heard(event);
    client.onstatus = (status) => this.#connection(status);
    this.player = player;
    this.client = client;
    client.connect().catch((error) => {
      if (client === this.client && error.name === "NetworkError") this.#emit("problem", error.message);
    });
  }

  /** Null, and said, where an attribute is none to connect with. */
  #makeClient() {
    try {
      return new AvatarClient(this.getAttribute("server") ?? new URL("/", import.meta.url).href, {
        userId: this.getAttribute("user-id") ?? `page-${Math.random().toString(36).slice(2, 10)}`,
        avatarId: this.getAttribute("avatar") ?? "",
        binary: !this.hasAttribute("text-frames"),
        audioOut: true,
      });
    } catch ({ message }) {
      this.#fail(message);
      return null;
    }
  }

  #fail(reason) {
    this.#failure = reason;
    this.#connection({ state: "closed", attempt: 0, waitMs: 0, reason });
    this.#emit("problem", reason);
  }

  #heard(event) {
    if (event.type === "INIT_SUCCESS") this.player.codec = event.data.codec ?? null;
    if (event.type === "INTERRUPTED") this.player.answered();
    this.#emit("event", event);
    if (event.type !== "ERROR" || this.client?.info !== null || !OF_INIT.includes(event.data.code)) return;
    this.#tell(event.data.message); // the connection is there, and shows nothing that was asked for
    this.#emit("problem", event.data.message);
  }

  #connection(status) {
    if (status.state === "connecting") this.player?.restart();
    const anew = status.state === "connecting" && status.attempt === 1;
    if (status.state === "open" || anew) this.#tell("");
    else if (status.state === "waiting") this.#tell(`${this.#open ? "Connection lost: " : ""}${status.reason}. Trying again.`);
    else if (status.state === "closed") this.#tell(`Not connected: ${status.reason}`);
    if (status.state !== "connecting") this.#open = status.state === "open";
    this.#emit("status", status);
  }

  #painted(frame) {
    if (!frame.generated) return;
    const now = performance.now();
    const goesOn = now - this.#spokeAtMs < GOES_ON_MS;
    this.#spokeAtMs = now;
    const sentAt = this.client?.speechSentAt ?? null;
    if (sentAt === null || sentAt === this.#measuredFor) return;
    this.#measuredFor = sentAt;
    this.speakingStartMs = goesOn ? null : now - sentAt; // behind other speech it waits for that
  }

  #tell(text) {
    this.shadowRoot.querySelector("p").textContent = text;
  }

  #emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

if (!customElements.get("talking-avatar")) customElements.define("talking-avatar", TalkingAvatar);
