"""Plays with the page for a while in real Chromium, on a real service, and looks each minute whether it is as it began.

    python -m tests.soak [--minutes 30]

Each minute: a text, a text that is stopped, an action, other base videos, the microphone and a sound file, every fifth
minute another connection; the page does it itself, by `play.js`. Lips and captured sound are measured in the first
minute and after the last: recording leaves memory of its own in the tab. In between the page's own figure is looked at.
Prints a table; exit code 1 when memory grew, lips and sound parted, pictures were too few or something failed.
"""

import argparse
import asyncio
import base64
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.end_to_end.browser import Tab, browser, open_tab, speech_file
from tests.end_to_end.lip_measure import Clip, apertures
from tests.end_to_end.page_lips import lips_after_sound_ms
from tests.end_to_end.running_service import RunningService
from tests.soak.tab_memory import heap_mb, process_mb
from tests.soak.verdict import LIPS_MS, Sample, complaints

CLIP = Clip.load("hts_ona_catalan")
MEASURING_TRIES = 3  # another program's burst of work is not the page's
REMARK = "decoding in software"  # not a fault: a machine too busy for a while looks like a slow decoder
PLAY = Path(__file__).with_name("play.js").read_text()
HEADINGS = ("minute", "heap MB", "renderer MB", "browser MB", "lips ms", "shown ms", "fps", "gaps", "hitches", "errors")


async def lips_ms(tab: Tab) -> float:
    """On one utterance; the best of some, where they are out of the limit."""
    found: list[float] = []
    while not found or (abs(found[-1]) > LIPS_MS and len(found) < MEASURING_TRIES):
        await tab.page.evaluate("seen.length = 0")
        await tab.record_anew()
        await tab.pictures_more(10)
        await tab.page.set_input_files("#file", speech_file(CLIP.pcm))
        await tab.event("SPEAK_ENDED")
        await tab.pictures_more(15)
        seen = await tab.recording()
        await tab.stop_recording()
        found.append(lips_after_sound_ms(seen, await asyncio.to_thread(apertures, seen.pictures), CLIP))
    return min(found, key=abs)


async def soak(url: str, minutes: float, console: Console) -> list[Sample]:
    """A sample a minute, printed as it comes."""
    samples: list[Sample] = []
    async with browser() as running:
        tab = await open_tab(running, url, PLAY)
        await tab.connected()
        await tab.page.click("h1")  # browsers let no page sound before a gesture
        await tab.start_recording()
        await tab.stop_recording()
        await tab.page.evaluate("wav => begin(wav)", base64.b64encode(speech_file(CLIP.pcm)["buffer"]).decode())
        of_page = await tab.page.context.new_cdp_session(tab.page)
        of_browser = await running.new_browser_cdp_session()
        started_s = looked_s = monotonic()
        before: dict[str, Any] = await tab.figures()
        problems: list[str] = []
        errors_before = 0
        while (minute := len(samples) + 1) <= minutes:
            await tab.page.evaluate(f"play({minute})")
            heap = await heap_mb(of_page)
            renderer, whole = await process_mb(of_browser)
            measured_ms = await lips_ms(tab) if minute in {1, int(minutes)} else None
            await asyncio.sleep(max(0.0, started_s + 60 * minute - monotonic()))
            figures, since_s, looked_s = await tab.figures(), looked_s, monotonic()
            problems = tab.console_errors + await tab.page.evaluate("problems")
            errors = sum(REMARK not in text for text in problems)
            samples.append(
                Sample(
                    minute=(monotonic() - started_s) / 60,
                    heap_mb=heap,
                    renderer_mb=renderer,
                    browser_mb=whole,
                    lips_ms=measured_ms,
                    shown_lips_ms=figures["soundToLipsMs"],
                    fps=(figures["pictures"] - before["pictures"]) / (looked_s - since_s),
                    gaps=figures["gaps"] - before["gaps"],
                    rebuffers=figures["rebuffers"] - before["rebuffers"],
                    errors=errors - errors_before,
                )
            )
            before, errors_before = figures, errors
            console.print(samples[-1])
        for text in problems:
            console.print(f"The page said: {text}")
    return samples


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Plays with the page for a while.")
    parser.add_argument("--minutes", type=int, default=30)
    minutes = parser.parse_args().minutes
    console = Console()
    with tempfile.TemporaryDirectory() as folder, RunningService(Path(folder)) as service:
        samples = asyncio.run(soak(service.http, minutes, console))
    table = Table(*HEADINGS, padding=0, title=f"{minutes} minutes of play")
    for sample in samples:
        table.add_row(*(_cell(value) for value in vars(sample).values()))
    console.print(table)
    found = complaints(samples)
    for line in found:
        console.print(line, style="red")
    console.print("Not steady." if found else "Steady.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
