/** The page's figures, twice a second, and its list of the last errors. */

const EVERY_MS = 500;
const MAX_ERRORS = 5;
const at = (id) => document.getElementById(id);
const ms = (value) => (value == null ? "–" : `${Math.round(value)} ms`);
const seconds = (valueMs) => (valueMs == null ? "–" : `${(valueMs / 1000).toFixed(1)} s ago`);

/** Returns `{list}`: put one more error on the list. */
export function startInspector(avatar) {
  setInterval(() => show(avatar.figures?.() ?? {}), EVERY_MS); // no figures before the element has come to life
  return { list };
}

function show(seen) {
  if (seen.fps === undefined) return;
  const rows = {
    fps: seen.fps.toFixed(1),
    gaps: seen.gaps,
    longest: ms(seen.longestGapMs),
    start: ms(seen.speakingStartMs),
    lips: seen.soundToLipsMs == null ? "–" : `${ms(seen.soundToLipsMs)}, worst ${ms(seen.worstSoundToLipsMs)}`,
    bitrate: `${seen.kbitPerSecond.toFixed(0)} kbit/s`,
    keyframe: seconds(seen.keyframeAgeMs),
    queue: seen.queue,
    dropped: seen.dropped,
    decoder: seen.softwareDecoding ? `${seen.decoder}, in software` : seen.decoder,
  };
  for (const [name, text] of Object.entries(rows)) at(`figure-${name}`).textContent = text;
  at("sound-state").textContent = seen.soundRunning ? "" : "starts with your first click";
}

/** A sentence that is listed already moves to the top. */
function list(text) {
  for (const before of [...at("errors").children]) if (before.textContent.endsWith(` ${text}`)) before.remove();
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.append(time, ` ${text}`);
  at("errors").prepend(line);
  while (at("errors").children.length > MAX_ERRORS) at("errors").lastChild.remove();
  at("no-errors").hidden = true;
}
