/** The page at `/`: joins its parts to <talking-avatar> and says how the connection is. */

import { startInspector } from "./page-inspector.js";
import { startShow } from "./page-show.js";
import { startSpeech } from "./page-speech.js";

const ALERT_MS = 15_000; // how long the latest error stands where the person looks; the list keeps it
const at = (id) => document.getElementById(id);
const avatar = at("avatar");
let alertTimer = null;

const inspector = startInspector(avatar);
const page = {
  /** What goes on, in a few words. */
  note(text) {
    at("note").textContent = text;
  },
  /** Something did not work. */
  complain(text) {
    inspector.list(text);
    at("note").textContent = "";
    at("alert").textContent = text;
    clearTimeout(alertTimer);
    alertTimer = setTimeout(() => (at("alert").textContent = ""), ALERT_MS);
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
  document.body.dataset.connection = detail.state;
  const open = detail.state === "open";
  for (const control of document.querySelectorAll("[data-live]")) control.disabled = !open;
  at("connection").textContent = detail.state === "closed" ? "Connect" : "Disconnect";
  at("connection").disabled = avatar.client === null; // this browser cannot play it
  at("session").textContent = (open && avatar.client.sessionId) || "–";
  if (open) show.list();
  else at("caption").textContent = "";
  if (open) speech.listVoices();
});

avatar.addEventListener("problem", ({ detail }) => page.complain(detail));

avatar.addEventListener("event", ({ detail: { type, data } }) => {
  if (type === "INIT_SUCCESS") show.offer(data);
  if (type === "STATE_CHANGED") show.changed(data);
  if (type === "ERROR") page.complain(`${data.code}: ${data.message}`);
  if (type === "SPEAK_STARTED") at("caption").textContent = data.text ?? "";
  if (type === "SPEAK_ENDED") at("caption").textContent = "";
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
