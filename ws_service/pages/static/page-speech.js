/** The page's ways to speak: a typed text, a sound file, the microphone; the voice, the sound, and Stop. */

import { Microphone } from "./microphone.js";
import { readRecording } from "./recording.js";

const OTHER = "\n"; // the value of the choice that asks for a name; no voice is called so
let noVoice = ""; // why no text can be said
const at = (id) => document.getElementById(id);

/**
 * `page`: note, complain, settle, attempt, as in page.js. What could not be said is told until the person does the next
 * thing here: the very speech that failed may go on. Returns `{listVoices}`.
 */
export function startSpeech(avatar, page) {
  startTyping(avatar, page);
  startFiles(avatar, page);
  const release = startMicrophone(avatar, page);
  at("stop").addEventListener("click", () => {
    release();
    page.settle("speech");
    avatar.interrupt();
    page.note("");
  });
  at("sound").addEventListener("change", ({ target }) => avatar.toggleAttribute("muted", !target.checked));
  return { listVoices: () => page.attempt(() => listVoices(page), "voice") };
}

// -- a text

function startTyping(avatar, page) {
  const text = at("text");
  at("type").addEventListener("submit", (event) => {
    event.preventDefault();
    page.settle("speech");
    if (document.activeElement === text) text.select(); // what is typed next replaces it
    const voice = at("voice").value === OTHER ? at("voice-name").value.trim() : at("voice").value;
    if (noVoice) {
      page.complain(noVoice, "voice"); // the answer would be the same sentence
      return;
    }
    page.attempt(async () => {
      avatar.client.speechSentAt = performance.now();
      const body = JSON.stringify({ text: text.value, session_id: avatar.client.sessionId, ...(voice && { voice }) });
      await answered(await fetch("/speak", { method: "POST", headers: { "Content-Type": "application/json" }, body }));
    });
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at("say").click();
  });
  at("voice").addEventListener("change", ({ target }) => {
    at("other-voice").hidden = at("voice-hint").hidden = target.value !== OTHER;
  });
}

async function listVoices(page) {
  const voice = at("voice");
  const { voices, complete, remark, reason } = await answered(await fetch("/voices"));
  noVoice = reason;
  voice.options[0].text = noVoice ? "None" : "Default";
  if (noVoice) page.complain(noVoice, "voice");
  else page.settle("voice");
  if (voice.options.length > 1 || voices.length === 0) return; // listed before, or there is none
  const option = ({ name, language, description }) => new Option(description || `${name} ${language}`, name);
  voice.append(...voices.map(option));
  if (!complete) voice.append(new Option("Another one …", OTHER));
  at("voice-hint").textContent = remark;
}

/** The JSON of an answer; throws what a problem says. */
async function answered(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail || body.title);
  return body;
}

// -- a sound file, chosen or dropped anywhere on the page

function startFiles(avatar, page) {
  const speak = (file) => {
    page.settle("speech");
    return page.attempt(async () => {
      const { pcm, sampleRate } = await readRecording(file);
      page.note(`Speaking ${file.name}`);
      const { positionMs, interrupted } = await avatar.speak(pcm, { sampleRate });
      page.note(`${interrupted ? "Stopped" : "Finished"} after ${(positionMs / 1000).toFixed(1)} s`);
    });
  };
  at("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) speak(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  const highlight = (on) => at("stage").classList.toggle("dropping", on);
  const isFile = (event) => event.dataTransfer.types.includes("Files"); // a text goes where it is dropped
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault(); // else the browser leaves the page for the file
    highlight(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? highlight(false));
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    highlight(false);
    if (event.dataTransfer.files[0]) speak(event.dataTransfer.files[0]);
  });
}

// -- the microphone, while its button is held

/** Returns what lets the button go. */
function startMicrophone(avatar, page) {
  const talk = at("talk");
  let microphone = null; // a promise of one while the button is held
  let key = ""; // that holds it

  async function hold() {
    if (microphone !== null) return;
    talk.setAttribute("aria-pressed", "true");
    page.settle("speech");
    const mine = (microphone = Microphone.open());
    await page.attempt(async () => {
      const open = await mine;
      if (microphone !== mine) {
        open.stop(); // let go before the browser gave leave
        return;
      }
      page.note("Listening");
      await avatar.speak(open, { sampleRate: open.sampleRate });
    });
    if (microphone === mine) release();
  }

  function release() {
    if (microphone === null) return;
    talk.setAttribute("aria-pressed", "false");
    microphone.then((open) => open.stop()).catch(() => {}); // why it did not open, `hold` says
    microphone = null;
    page.note("");
  }

  talk.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    talk.setPointerCapture(event.pointerId);
    hold();
  });
  talk.addEventListener("keydown", (event) => {
    if ((event.key !== " " && event.key !== "Enter") || event.repeat) return;
    key = event.key;
    hold();
  });
  talk.addEventListener("keyup", (event) => event.key === key && release());
  for (const kind of ["pointerup", "pointercancel", "blur"]) talk.addEventListener(kind, release);
  talk.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
  return release;
}
