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
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",  # its microphone beeps once a second
    "--use-fake-ui-for-media-stream",
]
AVATAR = "document.querySelector('talking-avatar')"

# keeps every picture with what is heard at that moment, and all that the page sounds with its place on the audio clock
RECORDER = """
async () => {
  const { player } = document.querySelector("talking-avatar");
  const canvas = document.querySelector("talking-avatar").shadowRoot.querySelector("canvas");
  const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([[samples]]) {
      this.port.postMessage([currentFrame, (samples ?? new Float32Array(128)).slice()]); // nothing connected is silence
      return true;
    }
  })`;
  const context = player.sound.output.context;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  player.sound.output.connect(tap);
  const recording = (window.recording = { pictures: [], blocks: [] });
  tap.port.onmessage = ({ data: [frame, samples] }) => recording.blocks.push([frame, ...samples]);
  const before = player.onpaint;
  player.onpaint = (frame) => {
    before(frame);
    const shown = { generated: frame.generated, heardS: player.sound.heardS };
    recording.pictures.push(shown);
    canvas.toBlob(async (blob) => { shown.bytes = new Uint8Array(await blob.arrayBuffer()); }, "image/jpeg", 0.9);
  };
}
"""
RECORDING = """
() => {
  const text = (bytes) => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return btoa(s); };
  const { pictures, blocks } = window.recording;
  const flat = new Float32Array(blocks.flatMap((block) => block.slice(1)));
  return {
    pictures: pictures.filter((p) => p.bytes).map((p) => [p.generated, p.heardS, text(p.bytes)]),
    firstFrame: blocks.length ? blocks[0][0] : 0,
    samples: text(new Uint8Array(flat.buffer)),
  };
}
"""


@dataclass
class Recording:
    """`heard_s`: place on the audio clock of what was heard when each picture was painted."""

    pictures: list[np.ndarray]  # BGR
    generated: np.ndarray
    heard_s: np.ndarray
    sound: np.ndarray  # float32, 16 kHz, without a gap
    sound_starts_s: float


@dataclass
class Tab:
    """One open page."""

    page: Any
    console_errors: list[str] = field(default_factory=list)

    async def figures(self) -> dict[str, Any]:
        """As the page's own inspector has them."""
        return await self.page.evaluate(f"{AVATAR}.figures()")

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
        await self.page.evaluate("recording.pictures.length = recording.blocks.length = 0")

    async def recording(self) -> Recording:
        """All since `start_recording`."""
        raw = await self.page.evaluate(RECORDING)
        return Recording(
            [_picture(text) for _, _, text in raw["pictures"]],
            np.array([generated for generated, _, _ in raw["pictures"]]),
            np.array([heard_s for _, heard_s, _ in raw["pictures"]]),
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
    listen = "addEventListener('DOMContentLoaded', () => document.querySelector('talking-avatar')?.addEventListener("
    await page.add_init_script(f"window.seen = []; {listen}'event', ({{ detail }}) => seen.push(detail))); {before}")
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
