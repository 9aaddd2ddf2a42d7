/** The page at `/`: its controls, wired to <talking-avatar>. */

import { Microphone } from "./microphone.js";
import { readRecording } from "./recording.js";

const MAX_ERRORS = 5;
const at = (id) => document.getElementById(id);
const avatar = at("avatar");
let microphone = null; // a promise of one while the button is held

// -- what the person does

at("type").addEventListener("submit", async (event) => {
  event.preventDefault();
  await attempt(async () => {
    const text = at("text").value;
    avatar.client.speechSentAt = performance.now();
    await answered(
      await fetch("/speak", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          text,
          session_id: avatar.client.sessionId,
          ...(at("voice").value && { voice: at("voice").value }),
        }),
      }),
    );
    at("text").select();
  });
});
at("voice").addEventListener("focus", listVoices, { once: true });

async function listVoices() {
  await attempt(async () => {
    const { voices } = await answered(await fetch("/voices"));
    at("voice").append(...voices.map(({ name, language, description }) => new Option(description || `${name} ${language}`, name)));
  });
}

/** The JSON of an answer; throws what a problem says. */
async function answered(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail || body.title);
  return body;
}

at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) speakFile(target.files[0]);
  target.value = "";
});
const stage = at("stage");
stage.addEventListener("dragover", (event) => {
  event.preventDefault();
  stage.classList.add("dropping");
});
stage.addEventListener("dragleave", () => stage.classList.remove("dropping"));
stage.addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("dropping");
  if (event.dataTransfer.files[0]) speakFile(event.dataTransfer.files[0]);
});

at("stop").addEventListener("click", () => {
  release();
  avatar.interrupt();
});
at("sound").addEventListener("change", ({ target }) => avatar.toggleAttribute("muted", !target.checked));
at("video").addEventListener("change", ({ target }) => avatar.state(target.value));
at("text-frames").addEventListener("change", ({ target }) => {
  avatar.toggleAttribute("text-frames", target.checked);
  stage.prepend(avatar); // put in anew, it connects anew
});
at("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  avatar.setAttribute("avatar", at("name").value.trim());
});

const talk = at("talk");
talk.addEventListener("pointerdown", (event) => {
  talk.setPointerCapture(event.pointerId);
  hold();
});
for (const kind of ["pointerup", "pointercancel"]) talk.addEventListener(kind, release);
talk.addEventListener("keydown", (event) => {
  if ((event.key === " " || event.key === "Enter") && !event.repeat) hold();
});
talk.addEventListener("keyup", release);
talk.addEventListener("blur", release);
talk.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch

async function speakFile(file) {
  await attempt(async () => {
    const { pcm, sampleRate } = await readRecording(file);
    say(`Speaking ${file.name}`);
    const { positionMs, interrupted } = await avatar.speak(pcm, { sampleRate });
    say(`${interrupted ? "Stopped" : "Finished"} after ${(positionMs / 1000).toFixed(1)} s`);
  });
}

async function hold() {
  if (microphone !== null) return;
  talk.setAttribute("aria-pressed", "true");
  const mine = (microphone = Microphone.open());
  await attempt(async () => {
    const open = await mine;
    if (microphone !== mine) open.stop(); // let go before the browser gave leave
    else await avatar.speak(open, { sampleRate: open.sampleRate });
  });
  if (microphone === mine) release();
}

function release() {
  talk.setAttribute("aria-pressed", "false");
  microphone?.then((open) => open.stop()).catch(() => {}); // why it did not open, `hold` says
  microphone = null;
}

async function attempt(task) {
  try {
    await task();
  } catch (error) {
    complain(error.message);
  }
}

// -- what comes back

avatar.addEventListener("status", ({ detail }) => {
  const words = {
    connecting: detail.attempt > 1 ? `Connecting again, attempt ${detail.attempt}` : "Connecting",
    open: "Connected",
    waiting: `${detail.reason}; trying again in ${detail.waitMs / 1000} s`,
    closed: `Not connected. ${detail.reason}`,
  };
  say(words[detail.state]);
  document.body.dataset.connection = detail.state;
  for (const control of document.querySelectorAll("[data-live]")) control.disabled = detail.state !== "open";
});

avatar.addEventListener("problem", ({ detail }) => complain(detail));

avatar.addEventListener("event", ({ detail: { type, data } }) => {
  if (type === "INIT_SUCCESS") offer(data);
  if (type === "ERROR") complain(`${data.code}: ${data.message}`);
  if (type === "SPEAK_STARTED") at("caption").textContent = data.text ?? "";
  if (type === "SPEAK_ENDED") at("caption").textContent = "";
  if (type === "STATE_CHANGED") at("video").value = data.current_video;
});

function offer(info) {
  at("video").replaceChildren(...info.available_videos.map((name) => new Option(name)));
  at("video").value = info.default_video;
  const count = info.limits?.actions ?? 0;
  at("actions").replaceChildren(
    ...Array.from({ length: count }, (_, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Action ${n + 1}`;
      button.dataset.live = "";
      button.addEventListener("click", () => avatar.action(n + 1));
      return button;
    }),
  );
}

function say(text) {
  at("status").textContent = text.charAt(0).toUpperCase() + text.slice(1);
}

function complain(text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  at("errors").prepend(line);
  while (at("errors").children.length > MAX_ERRORS) at("errors").lastChild.remove();
  at("no-errors").hidden = true;
}

// -- figures

await import("./talking-avatar.js"); // the element comes to life when all that listens to it is there

const ms = (value) => (value == null ? "–" : `${Math.round(value)} ms`);

setInterval(() => {
  const seen = avatar.figures();
  if (seen.fps === undefined) return;
  const rows = {
    fps: seen.fps.toFixed(1),
    gaps: `${seen.gaps}, longest ${ms(seen.longestGapMs)}`,
    start: ms(seen.speakingStartMs),
    bitrate: `${seen.kbitPerSecond.toFixed(0)} kbit/s`,
    lips: seen.soundToLipsMs == null ? "–" : `${ms(seen.soundToLipsMs)}, worst ${ms(seen.worstSoundToLipsMs)}`,
    keyframe: ms(seen.keyframeAgeMs),
    queue: `${seen.queue}, ${seen.dropped} dropped`,
    decoder: seen.softwareDecoding ? "software" : "the browser's choice",
  };
  for (const [name, text] of Object.entries(rows)) at(`figure-${name}`).textContent = text;
  at("sound-state").textContent = seen.soundRunning ? "" : "(after a click on the page)";
}, 500);
