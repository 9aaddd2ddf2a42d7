// What a person does with the page in a minute, done by the page itself: a tool that clicks from outside, some hundred
// times, leaves memory of its own in the tab. `window.seen` holds the server's messages.

{
  const PATIENCE_MS = 30_000;
  const LOOK_EVERY_MS = 50;
  const LONG_TEXT = "This goes on and on, and nobody minds. ".repeat(20);

  const at = (selector) => document.querySelector(selector);
  const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));

  async function until(what, holds) {
    const startedMs = performance.now();
    while (!holds()) {
      if (performance.now() - startedMs > PATIENCE_MS) throw new Error(`no ${what} within ${PATIENCE_MS} ms`);
      await pause();
    }
  }

  const event = (type, count = 1) => until(`${type} number ${count}`, () => count <= seen.filter((e) => e.type === type).length);
  const pictures = () => at("talking-avatar").figures().pictures;
  const picturesMore = (count, from = pictures()) => until(`${count} pictures`, () => pictures() >= from + count);

  function say(text) {
    at("#text").value = text;
    at("#say").click();
  }

  function choose(file) {
    const files = new DataTransfer();
    files.items.add(file);
    at("#file").files = files.files;
    at("#file").dispatchEvent(new Event("change", { bubbles: true }));
  }

  const press = (kind) => at("#talk").dispatchEvent(new KeyboardEvent(kind, { key: " ", code: "Space", bubbles: true }));

  let speech = null; // a sound file

  /** `wav`: the sound file's content, base64. From now on `problems` holds what goes wrong. */
  window.begin = (wav) => {
    const content = Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0));
    speech = new File([content], "speech.wav", { type: "audio/wav" });
    window.problems = [];
    const avatar = at("talking-avatar");
    avatar.addEventListener("problem", ({ detail }) => problems.push(detail));
    avatar.addEventListener("event", ({ detail: { type, data } }) => type === "ERROR" && problems.push(data.message));
  };

  window.play = async (minute) => {
    seen.length = 0;
    say(`This is minute ${minute}. All is well.`);
    await event("SPEAK_ENDED");

    say(LONG_TEXT);
    await event("SPEAK_STARTED", 2);
    at("[aria-label='Action 1']").click();
    await event("ACTION_TRIGGERED");
    await picturesMore(75);
    at("#stop").click();
    await event("INTERRUPTED");

    for (const [number, state] of ["speaking", "idle"].entries()) {
      at(`[data-state=${state}]`).click();
      await event("STATE_CHANGED", number + 1);
      await picturesMore(25);
    }

    press("keydown");
    await event("SPEAK_STARTED", 3);
    await picturesMore(50);
    press("keyup");
    await event("SPEAK_ENDED", 3);

    choose(speech);
    await event("SPEAK_ENDED", 4);

    if (minute % 5 !== 0) return;
    at("details").open = true;
    at("#connection").click();
    await until("disconnection", () => at("#connection").textContent === "Connect");
    at("#connection").click();
    await event("INIT_SUCCESS");
  };
}
