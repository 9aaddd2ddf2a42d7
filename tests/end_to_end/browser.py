"""Real Chromium on a page of the running service, for tests: what it painted, sounded and complained of."""

import base64
import io
import os
import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

async_api = pytest.importorskip("playwright.async_api")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = "avatar.test"  # this machine under a name that browsers do not trust as they trust localhost
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",  # its microphone beeps once a second
    "--use-fake-ui-for-media-stream",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]
AVATAR = "document.querySelector('talking-avatar')"

# notes the server's messages, and when the first picture is painted
OBSERVER = """
window.seen = [];
addEventListener("DOMContentLoaded", () =>
  document.querySelector("talking-avatar")?.addEventListener("event", ({ detail }) => seen.push(detail)));
const { drawImage } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.drawImage = function (...all) {
  window.firstPictureMs ??= performance.now();
  return drawImage.apply(this, all);
};
"""

# keeps every picture with what is heard at that moment, and all that the page sounds with its place on the audio clock
RECORDER = """
async () => {
  const { player } = document.querySelector("talking-avatar");
  const canvas = document.querySelector("talking-avatar").shadowRoot.querySelector("canvas");
  const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
    on = true;
    constructor() {
      super();
      this.port.onmessage = () => { this.on = false; };
    }
    process([[samples]]) {
      this.port.postMessage([currentFrame, (samples ?? new Float32Array(128)).slice()]); // nothing connected is silence
      return this.on;
    }
  })`;
  const context = player.sound.output.context;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const recording = (window.recording = { pictures: [], blocks: [], pressedMs: null });
  let tap = null;
  recording.begin = () => {
    recording.pictures.length = recording.blocks.length = 0;
    if (tap !== null) return;
    tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data: [frame, samples] }) => recording.blocks.push([frame, ...samples]);
    player.sound.output.connect(tap);
  };
  recording.end = () => {
    recording.pictures.length = recording.blocks.length = 0;
    player.sound.output.disconnect(tap);
    tap.port.onmessage = null;
    tap.port.postMessage("end"); // else it would go on, and messages that nobody wants fill the tab
    tap = null;
  };
  recording.begin();
  const pressed = () => (recording.pressedMs = performance.now());
  for (const kind of ["click", "keydown"]) addEventListener(kind, pressed, true);
  const before = player.onpaint;
  player.onpaint = (frame) => {
    before(frame);
    if (tap === null) return;
    const shown = { generated: frame.generated, heardS: player.sound.heardS, atMs: performance.now() };
    recording.pictures.push(shown);
    canvas.toBlob(async (blob) => { shown.bytes = new Uint8Array(await blob.arrayBuffer()); }, "image/jpeg", 0.9);
  };
}
"""
RECORDING = """
() => {
  const text = (bytes) => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return btoa(s); };
  const { pictures, blocks, pressedMs } = window.recording;
  const flat = new Float32Array(blocks.flatMap((block) => block.slice(1)));
  return {
    pictures: pictures.filter((p) => p.bytes).map((p) => [p.generated, p.heardS, p.atMs, text(p.bytes)]),
    pressedMs,
    firstFrame: blocks.length ? blocks[0][0] : 0,
    samples: text(new Uint8Array(flat.buffer)),
  };
}
"""


@dataclass
class Recording:
    """`heard_s`: place on the audio clock of what was heard when each picture was painted.

    `painted_ms`: when that was, after the last click or key press.
    """

    pictures: list[np.ndarray]  # BGR
    generated: np.ndarray
    heard_s: np.ndarray
    painted_ms: np.ndarray
    sound: np.ndarray  # float32, 16 kHz, without a gap
    sound_starts_s: float

    def heard_ms(self, loud: float = 2e-3) -> tuple[float, float]:
        """When the first and the last sample above `loud` left the loudspeaker, after the last click or key press."""
        since_press_s = self.heard_s - self.painted_ms / 1000
        places_s = self.sound_starts_s + np.flatnonzero(np.abs(self.sound) > loud) / 16000
        times_ms = 1000 * (places_s - np.median(since_press_s))
        after = times_ms[times_ms > 0]
        return (float(after[0]), float(after[-1])) if len(after) else (np.inf, 0.0)


@dataclass(eq=False)
class Tab:
    """One open page."""

    page: Any
    console_errors: list[str] = field(default_factory=list)
    forgiven: str | None = None  # what console errors of a test that provokes them contain

    @property
    def complaints(self) -> list[str]:
        """Console errors that the test did not provoke."""
        return [text for text in self.console_errors if self.forgiven is None or self.forgiven not in text]

    async def figures(self) -> dict[str, Any]:
        """As the page's own inspector has them."""
        return await self.page.evaluate(f"{AVATAR}.figures()")

    async def first_picture_ms(self) -> float:
        """When the first picture was painted, after the page was asked for."""
        return await (await self.page.wait_for_function("window.firstPictureMs", timeout=30_000)).json_value()

    async def says(self, selector: str, text: str) -> None:
        """Wait until that element's text contains this."""
        wanted = "([selector, text]) => document.querySelector(selector).textContent.includes(text)"
        await self.page.wait_for_function(wanted, arg=[selector, text], timeout=30_000)

    async def connected(self) -> None:
        """Wait until INIT_SUCCESS has come."""
        await self.page.wait_for_function(f"{AVATAR}.client?.connected", timeout=30_000)

    async def pictures_more(self, count: int) -> None:
        """Wait for so many further painted pictures."""
        target = (await self.figures())["pictures"] + count
        await self.page.wait_for_function(f"{AVATAR}.figures().pictures >= {target}", timeout=30_000)

    async def picture(self) -> np.ndarray:
        """What the canvas shows, BGR."""
        url = await self.page.evaluate(f"{AVATAR}.shadowRoot.querySelector('canvas').toDataURL('image/png')")
        return _picture(url.split(",")[1])

    async def events(self) -> list[dict[str, Any]]:
        """The server's control messages since `open_tab`, in order."""
        return await self.page.evaluate("window.seen")

    async def event(self, kind: str, count: int = 1) -> None:
        """Wait for the `count`-th message of this type."""
        seen = f"window.seen.filter((event) => event.type === '{kind}').length >= {count}"
        await self.page.wait_for_function(seen, timeout=30_000)

    async def start_recording(self) -> None:
        """Pictures and sound from now on; sound must be running."""
        await self.page.wait_for_function(f"{AVATAR}.figures().soundRunning", timeout=30_000)
        await self.page.evaluate(RECORDER)

    async def record_anew(self) -> None:
        """Forget what was recorded so far."""
        await self.page.evaluate("recording.begin()")

    async def stop_recording(self) -> None:
        """Keep nothing more, and forget what was kept."""
        await self.page.evaluate("recording.end()")

    async def recording(self) -> Recording:
        """All since `start_recording`."""
        raw = await self.page.evaluate(RECORDING)
        generated, heard_s, painted_ms, jpegs = zip(*raw["pictures"], strict=True)
        return Recording(
            [_picture(text) for text in jpegs],
            np.array(generated),
            np.array(heard_s),
            np.array(painted_ms) - (raw["pressedMs"] or 0),
            np.frombuffer(base64.b64decode(raw["samples"]), np.float32),
            raw["firstFrame"] / 16000,
        )


def _picture(text: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


def chromium() -> str:
    """Where it lies. Skips the test without one; `make test` has seen to it."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed; CHROMIUM names one that lies elsewhere")
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Any]:
    """Chromium without a window."""
    async with async_api.async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield running
        finally:
            await running.close()


async def open_tab(running: Any, url: str, before: str = "", **options: Any) -> Tab:
    """A page in a context of its own, `before` run in it first. `options` are Playwright's for a context."""
    context = await running.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
    page = await context.new_page()
    tab = Tab(page)
    page.on("console", lambda message: tab.console_errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: tab.console_errors.append(str(error)))
    await page.add_init_script(f"{OBSERVER} {before}")
    await page.goto(url)
    await page.evaluate("customElements.whenDefined('talking-avatar').then(() => null)")
    return tab


def speech_file(pcm: bytes, name: str = "speech.wav") -> dict[str, Any]:
    """16 kHz mono PCM as a file that a person chooses."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(pcm)
    return {"name": name, "mimeType": "audio/wav", "buffer": buffer.getvalue()}
