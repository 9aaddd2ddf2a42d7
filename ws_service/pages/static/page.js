/** The page at `/`: joins its parts to <talking-avatar> and says how the connection is. */

import { Captions } from "./captions.js";
import { startInspector } from "./page-inspector.js";
import { startShow } from "./page-show.js";
import { startSpeech } from "./page-speech.js";

const WORKED = ["SPEAK_STARTED", "STATE_CHANGED", "ACTION_TRIGGERED"];
const at = (id) => document.getElementById(id);
const avatar = at("avatar");

const captions = new Captions((text) => (at("caption").textContent = text));
const inspector = startInspector(avatar);
const page = {
  /** What goes on, in a few words. */
  note(text) {
    at("note").textContent = text;
  },
  /** Something did not work: said where the person looks until something works, and kept on the list. */
  complain(text) {
    inspector.list(text);
    at("note").textContent = "";
    at("alert").textContent = text;
  },
  /** Run what a person asked for; what it throws is shown. */
  async attempt(task) {
    try {
      await task();
    } catch (error) {
      page.complain(error.message);
    }
  },
};
const speech = startSpeech(avatar, page);
const show = startShow(avatar, page);

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const WORDS = {
  connecting: ({ attempt }) => (attempt > 1 ? `Connecting again, attempt ${attempt}` : "Connecting"),
  open: () => "Connected",
  waiting: ({ reason, waitMs }) => `${sentence(reason)}; trying again in ${waitMs / 1000} s`,
  closed: ({ reason }) => `Not connected: ${reason}`,
};

avatar.addEventListener("status", ({ detail }) => {
  at("status").textContent = WORDS[detail.state](detail);
  if (detail.state === "waiting" && document.body.dataset.connection === "open") inspector.list(sentence(detail.reason));
  document.body.dataset.connection = detail.state;
  const open = detail.state === "open";
  for (const control of document.querySelectorAll("[data-live]")) control.disabled = !open;
  at("connection").textContent = detail.state === "closed" ? "Connect" : "Disconnect";
  at("connection").disabled = avatar.client === null; // this browser cannot play it
  at("session").textContent = (open && avatar.client.sessionId) || "–";
  if (open) show.list();
  else captions.end(0, true);
  if (open) speech.listVoices();
});

avatar.addEventListener("problem", ({ detail }) => page.complain(detail));

avatar.addEventListener("event", ({ detail: { type, data } }) => {
  if (type === "INIT_SUCCESS") show.offer(data);
  if (type === "STATE_CHANGED") show.changed(data);
  if (type === "ERROR") page.complain(`${data.code}: ${data.message}`);
  if (WORKED.includes(type)) at("alert").textContent = "";
  if (type === "SPEAK_STARTED") captions.start(data.text ?? "");
  if (type === "SPEAK_ENDED") captions.end(data.position_ms, data.interrupted);
});

at("connection").addEventListener("click", () => {
  if (document.body.dataset.connection === "closed") page.attempt(() => avatar.client.connect());
  else avatar.client.close();
});
at("text-frames").addEventListener("change", ({ target }) => {
  avatar.toggleAttribute("text-frames", target.checked);
  at("stage").prepend(avatar); // put in anew, it connects anew
});

await import("./talking-avatar.js"); // the element comes to life when all that listens to it is there
