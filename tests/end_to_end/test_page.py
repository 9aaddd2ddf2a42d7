"""The page at `/` in real Chromium: what it paints, what it sounds, and how it comes back."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR, Recording, Tab, browser, open_tab, speech_file
from tests.end_to_end.lip_measure import Clip, apertures, best_lag_ms
from tests.end_to_end.running_service import RunningService

CLIP = Clip.load("hts_ona_catalan")
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder, to look at them

pytestmark = pytest.mark.browser


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    async with browser() as running:
        yield running


async def screenshot(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        await tab.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


async def speak(tab: Tab, pcm: bytes = CLIP.pcm) -> None:
    await tab.page.set_input_files("#file", speech_file(pcm))


def differs(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


async def test_the_avatar_moves_from_the_first_picture_on_and_nothing_is_complained_of(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.pictures_more(1)
    first = await tab.picture()
    assert first.std() > 20, "a picture, not a blank canvas"
    await tab.pictures_more(40)
    assert differs(first, await tab.picture()) > 0.5
    assert apertures([first])[0] < 0.05, "listening, the mouth is closed"
    await screenshot(tab, "idle")
    assert tab.console_errors == []


async def test_a_sound_file_is_spoken_and_heard_in_step_with_the_lips(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.click("h1")  # browsers let no page sound before a gesture
    await tab.start_recording()
    for number in range(1, 5):  # on a busy machine, until one is heard in one piece: each hitch makes the buffer longer
        await tab.record_anew()
        hitches = (await tab.figures())["rebuffers"]
        await tab.pictures_more(10)
        await speak(tab)
        await tab.event("SPEAK_STARTED", number)
        await tab.pictures_more(30)
        await screenshot(tab, "speaking")
        await tab.event("SPEAK_ENDED", number)
        await tab.pictures_more(25)
        if (await tab.figures())["rebuffers"] == hitches:
            break
    seen = await tab.recording()
    opening = apertures(seen.pictures)
    assert opening[seen.generated].max() > 3 * max(opening[:8].max(), 0.02)
    assert opening[-5:].max() < 0.05, "closed after the last word"
    assert heard_rms(seen, after_s=seen.heard_s[-1] - 0.3) < 1e-3
    lag_ms = lips_after_sound_ms(seen, opening)
    shown_ms = (await tab.figures())["soundToLipsMs"]
    print(f"lips after sound, attempt {number}: {lag_ms:.0f} ms measured, {shown_ms:.0f} ms on the page")
    assert abs(lag_ms) <= 45
    assert abs(shown_ms) <= 45
    assert tab.console_errors == []


def heard_rms(seen: Recording, after_s: float) -> float:
    return float(np.sqrt(np.mean(seen.sound[int((after_s - seen.sound_starts_s) * 16000) :] ** 2)))


def lips_after_sound_ms(seen: Recording, opening: np.ndarray) -> float:
    """Where the clip lies in what the page sounded, by correlation; then the lips against the clip's phonemes."""
    clip = np.frombuffer(CLIP.pcm, "<i2") / 32768
    size = 1 << (len(seen.sound) + len(clip)).bit_length()
    agreement = np.fft.irfft(np.fft.rfft(seen.sound, size) * np.conj(np.fft.rfft(clip, size)))[: len(seen.sound)]
    clip_starts_s = seen.sound_starts_s + int(np.argmax(agreement)) / 16000
    shown_s = seen.heard_s - clip_starts_s  # the picture stays until the next one
    at_frames = np.searchsorted(shown_s, np.arange(CLIP.frames) * 0.04 + 0.02, side="right") - 1
    return best_lag_ms(opening[at_frames], CLIP)


async def test_a_typed_text_is_said_with_its_caption_in_the_chosen_voice(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.focus("#voice")
    await tab.page.wait_for_function("document.querySelectorAll('#voice option').length > 1")
    name = await tab.page.evaluate("document.querySelectorAll('#voice option')[1].value")
    await tab.page.select_option("#voice", name)
    await tab.page.fill("#text", "Good morning! How are you?")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_function("document.querySelector('#caption').textContent.startsWith('Good morning')")
    await tab.page.wait_for_function(f"{AVATAR}.player.sound.busy")
    await tab.pictures_more(15)
    await screenshot(tab, "typed")
    await tab.event("SPEAK_ENDED")
    figures = await tab.figures()
    print(f"typed text to lips: {figures['speakingStartMs']:.0f} ms")
    assert tab.console_errors == []


async def test_a_text_that_cannot_be_said_is_answered_with_the_reason(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    unknown = "document.querySelector('#voice').append(new Option('None such', 'none-such'))"
    await tab.page.evaluate(unknown)
    await tab.page.select_option("#voice", "none-such")
    await tab.page.fill("#text", "Hello")
    await tab.page.get_by_role("button", name="Say it").click()
    await tab.page.wait_for_function("document.querySelector('#errors').textContent.includes('none-such')")


async def test_stop_silences_the_page_and_closes_the_mouth(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.click("h1")
    await tab.start_recording()
    await speak(tab)
    await tab.event("SPEAK_STARTED")
    await tab.pictures_more(20)
    await tab.page.click("#stop")
    assert await tab.page.evaluate(f"{AVATAR}.player.sound.busy") is False
    await tab.event("INTERRUPTED")
    await tab.pictures_more(10)
    assert await tab.page.evaluate(f"{AVATAR}.player.sound.busy") is False
    seen = await tab.recording()
    assert seen.generated.any()
    assert not seen.generated[-4:].any()
    assert apertures(seen.pictures[-1:])[0] < 0.05
    await speak(tab, CLIP.pcm[:32000])  # and what comes next is heard again
    await tab.event("SPEAK_STARTED", 2)
    await tab.page.wait_for_function(f"{AVATAR}.player.sound.busy")
    await tab.event("SPEAK_ENDED", 2)
    assert tab.console_errors == []


async def test_the_microphone_is_spoken_while_its_button_is_held_by_the_keyboard(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.focus("#talk")
    await tab.page.keyboard.down("Space")
    await tab.event("SPEAK_STARTED")
    assert await tab.page.get_attribute("#talk", "aria-pressed") == "true"
    await tab.pictures_more(20)
    await tab.page.keyboard.up("Space")
    await tab.event("SPEAK_ENDED")
    ended = [event for event in await tab.events() if event["type"] == "SPEAK_ENDED"]
    assert ended[0]["data"]["position_ms"] >= 400
    assert tab.console_errors == []


async def test_base_videos_actions_and_avatars_are_chosen(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.select_option("#video", "speaking_0")
    await tab.event("STATE_CHANGED")
    await tab.page.get_by_role("button", name="Action 1").click()
    await tab.event("ACTION_TRIGGERED")
    await tab.page.get_by_role("button", name="Action 2").click()
    await tab.event("ERROR")
    assert "Action already in progress" in await tab.page.inner_text("#errors")
    await screenshot(tab, "error")
    await tab.page.get_by_label("Avatar", exact=True).fill("default")
    await tab.page.get_by_role("button", name="Change").click()
    await tab.event("INIT_SUCCESS", 2)
    await tab.pictures_more(30)
    assert tab.console_errors == []


async def test_frames_come_as_text_too(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    await tab.page.get_by_label("Frames as text").check()
    await tab.event("INIT_SUCCESS", 2)
    await tab.pictures_more(10)
    await speak(tab, CLIP.pcm[:32000])
    await tab.event("SPEAK_ENDED")
    await tab.page.wait_for_function("document.querySelector('#status').textContent.startsWith('Finished')")
    assert tab.console_errors == []


async def test_the_page_comes_back_by_itself_after_a_restart(chromium, avatars_dir):
    with RunningService(avatars_dir) as before:
        port = before.http.rsplit(":", 1)[1].rstrip("/")
        tab = await open_tab(chromium, before.http)
        await tab.connected()
        await tab.pictures_more(5)
        await asyncio.to_thread(before.stop)
        await tab.page.wait_for_function("document.querySelector('#status').textContent.includes('trying again')")
        assert await tab.page.is_disabled("#stop")
        await screenshot(tab, "reconnecting")
    with RunningService(avatars_dir, PORT=port):
        await tab.connected()
        await tab.pictures_more(10)
        assert await tab.page.inner_text("#status") == "Connected"
        assert await tab.page.is_enabled("#stop")
    # Chromium itself reports each attempt that found nobody; nothing else may be there
    assert [text for text in tab.console_errors if "ERR_CONNECTION_REFUSED" not in text] == []


async def test_two_tabs_do_not_disturb_each_other(chromium, service):
    one = await open_tab(chromium, service.http)
    other = await open_tab(chromium, service.http)
    await one.connected()
    await other.connected()
    await speak(one, CLIP.pcm[:32000])
    await one.event("SPEAK_ENDED")
    assert {event["type"] for event in await other.events()} == {"INIT_SUCCESS"}
    assert one.console_errors == other.console_errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_by_day_and_by_night(chromium, service, scheme):
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme, "device_scale_factor": 2}
    tab = await open_tab(chromium, service.http, **options)
    await tab.pictures_more(5)
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    await screenshot(tab, f"phone_{scheme}")


async def test_every_control_has_a_name_and_is_reached_by_the_keyboard(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    controls = "[...document.querySelectorAll('button, select, input')]"
    unnamed = await tab.page.evaluate(f"{controls}.filter((c) => !c.textContent && !c.labels.length).length")
    assert unnamed == 0
    count = await tab.page.evaluate(f"{controls}.length")
    reached = set()
    for _ in range(count):
        await tab.page.keyboard.press("Tab")
        reached.add(await tab.page.evaluate(f"{controls}.indexOf(document.activeElement)"))
    assert reached == set(range(count))
