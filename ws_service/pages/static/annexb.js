/** What the parameter sets in front of a key frame (H.264, Annex B) say. Pure. */

const SEQUENCE = 7; // NAL unit types
const PICTURE = 8;
const FIRST_SLICE = 5; // a picture's own units are 1 to 5, and come last

/** `{codec, sets}`: the RFC 6381 string, and the sets themselves as text, to see whether they change; null without any. */
export function parametersOf(accessUnit) {
  const starts = [];
  let type = 0;
  for (let at = 0; at + 3 < accessUnit.length && !(type >= 1 && type <= FIRST_SLICE); at += 1) {
    if (accessUnit[at] !== 0 || accessUnit[at + 1] !== 0 || accessUnit[at + 2] !== 1) continue;
    type = accessUnit[at + 3] & 31;
    starts.push({ type, at });
  }
  let codec = null;
  let sets = "";
  for (const [n, { type, at }] of starts.entries()) {
    if (type !== SEQUENCE && type !== PICTURE) continue;
    const unit = hex(accessUnit.subarray(at + 3, starts[n + 1]?.at)).replace(/(00)+$/, ""); // zeros may follow a unit
    if (type === SEQUENCE) codec = `avc1.${unit.slice(2, 8).toUpperCase()}`;
    sets += `${unit} `;
  }
  return codec === null ? null : { codec, sets };
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
