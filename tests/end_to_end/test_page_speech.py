"""The page speaks: how soon, how well lips and captured sound agree, and how fast it falls silent.

Limits are those of a machine with nothing else to do. On a busy one a try may miss them for reasons of its own, so the
best of three counts, and all are printed.
"""

from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR, Recording, Tab
from tests.end_to_end.lip_measure import apertures
from tests.end_to_end.page_lips import lips_after_sound_ms
from tests.end_to_end.test_page import CLIP, screenshot, speak

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LONG_TEXT = "The house stood at the end of a long road, and nobody had lived in it for years. It came."
OPEN = 0.06  # of the face's size; a closed mouth has up to 0.04


async def best_of_three(name: str, attempt: Callable[[int], Awaitable[dict[str, float]]], limit_ms: float) -> None:
    """Each attempt gives figures in ms; in the best one all are within the limit."""
    tries = []
    for number in range(1, 4):
        tries.append(await attempt(number))
        print(f"{name}, try {number}:", {key: f"{ms:.0f}" for key, ms in tries[-1].items()}, "ms")
        if all(abs(ms) <= limit_ms for ms in tries[-1].values()):
            return
    raise AssertionError(f"{name}: none of {tries} is within {limit_ms} ms")


async def ready_to_record(tab: Tab) -> None:
    await tab.connected()
    await tab.page.click("h1")  # browsers let no page sound before a gesture
    await tab.start_recording()


async def test_a_typed_text_moves_the_lips_and_sounds_within_half_a_second(open_page, service):
    tab = await open_page(service.http)
    await ready_to_record(tab)
    await tab.page.fill("#text", "All is well. I am here.")
    await tab.page.focus("#text")

    async def attempt(number: int) -> dict[str, float]:
        await tab.record_anew()
        await tab.pictures_more(10)
        await tab.page.keyboard.press("Enter")
        await tab.event("SPEAK_STARTED", number)
        await tab.says("#caption", "All is well. I am here.")
        await tab.pictures_more(15)
        await screenshot(tab, "typed")
        seen = await tab.recording()
        await tab.event("SPEAK_ENDED", number)
        shown_ms = (await tab.figures())["speakingStartMs"]
        moved_ms = seen.painted_ms[(apertures(seen.pictures) > OPEN) & (seen.painted_ms > 0)]
        return {"lips": min(moved_ms, default=np.inf), "sound": seen.heard_ms()[0], "on the page": shown_ms}

    await best_of_three("typed text", attempt, 500)


async def test_a_text_is_said_in_the_chosen_voice(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    await tab.page.wait_for_function("document.querySelectorAll('#voice option').length > 1")
    await tab.page.select_option("#voice", label="German")
    async with tab.page.expect_response("**/speak") as answer:
        await tab.page.click("#say")
    assert (await (await answer.value).json())["voice"] == "de"
    await tab.page.select_option("#voice", label="Another one …")
    await tab.page.get_by_label("Voice name").fill("en-us+f3")
    async with tab.page.expect_response("**/speak") as answer:
        await tab.page.click("#say")
    assert (await (await answer.value).json())["voice"] == "en-us+f3"


async def test_captions_of_a_long_text_follow_the_voice_a_line_or_two_at_a_time(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    text = "It has begun. " + "This sentence is one of many that are all alike. " * 20
    cut, shown, expected = await tab.page.evaluate(
        """async (text) => {
          const { Captions, pieces } = await import("/static/captions.js");
          const shown = [];
          const captions = new Captions((piece) => shown.push(piece));
          captions.start(text);
          captions.end(10, false); // heard at a hundred characters a millisecond: the pace of what comes next
          captions.start(text.slice(0, 200));
          await new Promise((resolve) => setTimeout(resolve, 100));
          captions.end(0, true);
          captions.start(text.slice(0, 200));
          captions.end(1e9, false); // a faster voice: the last piece is read all the same
          captions.end(0, true);
          return [pieces(text), shown, pieces(text.slice(0, 200))];
        }""",
        text,
    )
    assert "".join(cut) == text
    assert all(25 <= len(piece) <= 90 and piece.strip().endswith(".") for piece in cut)
    first, last = expected[0].strip(), expected[-1].strip()
    assert shown == [first, cut[-1].strip(), *(piece.strip() for piece in expected), "", first, last, ""]


async def test_the_last_words_of_a_first_long_text_are_to_be_read_before_the_voice_ends(open_page, service):
    pytest.importorskip("espeakng_loader")
    tab = await open_page(service.http)
    await tab.connected()
    await tab.page.fill("#text", LONG_TEXT)
    await tab.page.evaluate(
        """() => {
          window.captions = [];
          new MutationObserver(() => captions.push(document.querySelector("#caption").textContent))
            .observe(document.querySelector("#caption"), { childList: true });
          document.querySelector("talking-avatar").addEventListener("event", ({ detail: { type } }) => {
            if (type === "SPEAK_ENDED") window.atEnd = [...captions];
          });
        }"""
    )
    await tab.page.click("#say")
    await tab.page.wait_for_function("window.atEnd", timeout=60_000)
    shown = await tab.page.evaluate("atEnd")
    assert " ".join(filter(None, shown)) == LONG_TEXT, "all of it, in order, and then nothing more"


async def test_a_sound_file_is_heard_in_step_with_the_lips(open_page, service):
    tab = await open_page(service.http)
    await ready_to_record(tab)
    clean = []

    async def attempt(number: int) -> dict[str, float]:
        await tab.record_anew()
        await tab.pictures_more(10)
        await speak(tab, CLIP.pcm)  # of shorter ones the lag is known less well
        await tab.event("SPEAK_STARTED", number)
        await tab.pictures_more(30)
        await screenshot(tab, "speaking")
        await tab.event("SPEAK_ENDED", number)
        await tab.pictures_more(25)
        seen = await tab.recording()
        opening = apertures(seen.pictures)
        assert opening[seen.generated].max() > 3 * max(opening[:8].max(), 0.02)
        assert opening[-5:].max() < 0.05, "closed after the last word"
        clean.append(rms(seen, after_s=seen.heard_s[-1] - 0.3) < 1e-3)
        return {
            "measured": lips_after_sound_ms(seen, opening, CLIP),
            "on the page": (await tab.figures())["soundToLipsMs"],
        }

    await best_of_three("lips after sound", attempt, 45)
    assert all(clean), "silent after the last word"


def rms(seen: Recording, after_s: float) -> float:
    return float(np.sqrt(np.mean(seen.sound[int((after_s - seen.sound_starts_s) * 16000) :] ** 2)))


async def test_stop_silences_the_page_and_closes_the_mouth_within_150_ms(open_page, service):
    tab = await open_page(service.http)
    await ready_to_record(tab)

    async def attempt(number: int) -> dict[str, float]:
        await tab.record_anew()
        await speak(tab)
        await tab.event("SPEAK_STARTED", number)
        await tab.pictures_more(20)
        await tab.page.click("#stop")
        assert await tab.page.evaluate(f"{AVATAR}.player.sound.busy") is False
        await tab.event("INTERRUPTED", number)
        await tab.pictures_more(15)
        seen = await tab.recording()
        assert seen.generated.any()
        assert not seen.generated[-5:].any()
        opening = apertures(seen.pictures[-25:])
        last_open = int(np.flatnonzero(opening > OPEN)[-1])
        return {"silent": seen.heard_ms()[1], "closed": seen.painted_ms[-25:][last_open + 1]}

    await best_of_three("stop", attempt, 150)
    stops = sum(event["type"] == "INTERRUPTED" for event in await tab.events())
    await speak(tab, CLIP.pcm[:32000])  # and what comes next is heard again
    await tab.event("SPEAK_STARTED", stops + 1)
    await tab.page.wait_for_function(f"{AVATAR}.player.sound.busy")
    await tab.event("SPEAK_ENDED", stops + 1)
