/** The page at `/`: joins its parts to <talking-avatar>, and says how the connection is and what does not work. */

import { Captions } from "./captions.js";
import { startInspector } from "./page-inspector.js";
import { startShow } from "./page-show.js";
import { startSpeech } from "./page-speech.js";
import { limits } from "./support.js";

const SHOW_WORKS = ["STATE_CHANGED", "ACTION_TRIGGERED", "INIT_SUCCESS"];
const at = (id) => document.getElementById(id);
const avatar = at("avatar");

const captions = new Captions((text) => (at("caption").textContent = text));
const inspector = startInspector(avatar);
const alerts = new Map(); // topic -> what does not work
const page = {
  /** What goes on, in a few words. */
  note(text) {
    at("note").textContent = text;
  },
  /** Something did not work: said where the person looks until `settle` of its topic, and kept on the list. */
  complain(text, topic = "speech") {
    inspector.list(text);
    at("note").textContent = "";
    alerts.set(topic, text);
    showAlerts();
  },
  settle(...topics) {
    for (const topic of topics) alerts.delete(topic);
    showAlerts();
  },
  /** Run what a person asked for; what it throws is shown. */
  async attempt(task, topic) {
    try {
      await task();
    } catch (error) {
      page.note("");
      if (error.name === "AbortError") return; // the person's own wish
      if (!isOpen()) inspector.list(sentence(error.message)); // the status says it, and it is over with the connection
      else page.complain(error.message, topic);
    }
  },
};
const speech = startSpeech(avatar, page);
const show = startShow(avatar, page);

function showAlerts() {
  const lines = [...new Set(alerts.values())].map((text) => Object.assign(document.createElement("p"), { textContent: text }));
  at("alert").replaceChildren(...lines);
}

const isOpen = () => document.body.dataset.connection === "open";
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const WORDS = {
  connecting: ({ attempt }) => (attempt > 1 ? `Connecting again, attempt ${attempt}` : "Connecting"),
  open: () => "Connected",
  waiting: ({ reason, waitMs }) => `${sentence(reason)}; trying again in ${waitMs / 1000} s`,
  closed: ({ reason }) => `Not connected: ${reason}`,
};

let told = ""; // the latest ERROR
let refusal = ""; // the service lets nobody in yet, and why
let refused = false; // in this attempt

avatar.addEventListener("status", ({ detail }) => {
  const open = detail.state === "open";
  if (detail.state === "closed" || (detail.state !== "connecting" && !refused)) refusal = "";
  refused = false;
  at("status").textContent = refusal || WORDS[detail.state](detail);
  if (detail.state === "waiting" && isOpen()) inspector.list(`Connection lost: ${detail.reason}`);
  document.body.dataset.connection = refusal ? "getting-ready" : detail.state;
  for (const control of document.querySelectorAll("[data-live]")) control.disabled = !open;
  at("connection").textContent = detail.state === "closed" ? "Connect" : "Disconnect";
  at("connection").disabled = avatar.client === null; // this browser cannot play it
  if (detail.state === "closed" && avatar.client) at("connection").closest("details").open = true; // only it helps
  at("session").textContent = (open && avatar.client.sessionId) || "–";
  if (!open) {
    captions.end(0, true);
    return;
  }
  page.settle("player", "show", "speech");
  document.querySelector("#loaded:has(.waiting)")?.remove(); // no longer so
  show.list();
  speech.listVoices();
});

avatar.addEventListener("problem", ({ detail }) => {
  if (detail !== told) page.complain(detail, detail === limits() ? "browser" : "player"); // of an ERROR, `failed` tells
});

avatar.addEventListener("event", ({ detail: { type, data } }) => {
  if (type === "INIT_SUCCESS") show.offer(data);
  if (type === "STATE_CHANGED") show.changed(data);
  if (type === "ERROR") failed(data);
  if (SHOW_WORKS.includes(type)) page.settle("show");
  if (type === "SPEAK_STARTED") captions.start(data.text ?? "");
  if (type === "SPEAK_ENDED") captions.end(data.position_ms, data.interrupted);
});

function failed({ code, message, details }) {
  told = message;
  if (details?.avatar !== undefined) {
    const chosen = code !== "MODEL_NOT_FOUND" || isOpen() || avatar.hasAttribute("avatar");
    if (chosen) page.complain(message, "avatar"); // said until another one is chosen
    show.refused(details.avatar);
  } else if (code === "SERVICE_NOT_READY" && !isOpen()) {
    refusal = message; // no fault of anybody: it comes by itself
    refused = true;
  } else page.complain(message, code === "INVALID_MESSAGE" ? "show" : "speech");
}

at("connection").addEventListener("click", () => {
  page.settle("player", "show", "speech"); // another connection, or none, knows nothing of them
  if (document.body.dataset.connection === "closed") page.attempt(() => avatar.client.connect());
  else avatar.client.close();
});
at("text-frames").addEventListener("change", ({ target }) => {
  avatar.toggleAttribute("text-frames", target.checked);
  at("stage").prepend(avatar); // put in anew, it connects anew
});

await import("./talking-avatar.js"); // the element comes to life when all that listens to it is there
