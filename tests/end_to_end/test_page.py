"""The page at `/` in real Chromium: what one sees first, its controls, and how it reads to everybody."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR, Tab, speech_file
from tests.end_to_end.lip_measure import Clip, apertures

CLIP = Clip.load("hts_ona_catalan")
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder, to look at them

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def screenshot(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        await tab.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


async def speak(tab: Tab, pcm: bytes = CLIP.pcm[:96000]) -> None:
    await tab.page.set_input_files("#file", speech_file(pcm))


def differs(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


async def test_the_avatar_is_there_within_a_second_and_moves_with_its_mouth_closed(open_page, service):
    taken_ms = []
    while not taken_ms or (min(taken_ms) > 1000 and len(taken_ms) < 3):  # other work on the machine is not the page's
        tab = await open_page(service.http)
        taken_ms.append(await tab.first_picture_ms())
    print("open to first picture:", [round(ms) for ms in taken_ms], "ms")
    assert min(taken_ms) <= 1000
    await tab.pictures_more(1)
    first = await tab.picture()
    assert first.std() > 20, "a picture, not a blank canvas"
    await tab.pictures_more(40)
    assert differs(first, await tab.picture()) > 0.5
    assert apertures([first])[0] < 0.05, "listening, the mouth is closed"
    await screenshot(tab, "idle")


async def test_all_modules_are_asked_for_at_once(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    loaded = (
        "performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => name.endsWith('.js'))"
    )
    ahead = "[...document.querySelectorAll('link[rel=modulepreload]')].map((link) => link.href)"
    modules = {name for name in await tab.page.evaluate(loaded) if not name.endswith("/page.js")}
    assert modules == set(await tab.page.evaluate(ahead)), "each one, and none in vain"


async def test_a_base_video_a_state_and_an_action_are_chosen(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    state = tab.page.get_by_role("group", name="State")
    await state.get_by_role("button", name="Speaking").click()
    await tab.event("STATE_CHANGED")
    assert await state.get_by_role("button", name="Speaking").get_attribute("aria-pressed") == "true"
    assert await tab.page.input_value("#video") == "speaking_0"
    await tab.page.select_option("#video", "speaking_0")
    await tab.event("STATE_CHANGED", 2)
    await state.get_by_role("button", name="Idle").click()
    await tab.event("STATE_CHANGED", 3)
    changes = [event["data"] for event in await tab.events() if event["type"] == "STATE_CHANGED"]
    assert [tuple(change.values()) for change in changes] == [
        ("speaking", "speaking_0"),
        ("speaking", "speaking_0"),
        ("idle", "idle_0"),
    ]
    await tab.page.get_by_role("button", name="Action 1").click()
    await tab.event("ACTION_TRIGGERED")
    await tab.page.get_by_role("button", name="Action 2").click()
    await tab.says("#errors", "Action already in progress")
    assert "Action already in progress" in await tab.page.inner_text("#alert")
    await screenshot(tab, "error")


async def test_the_avatars_of_the_service_are_listed_and_chosen(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    await tab.page.wait_for_function("document.querySelector('#name').value === 'default'")
    listed = await tab.page.eval_on_selector_all("#name option", "(options) => options.map((o) => o.value)")
    assert listed == ["default"]
    await tab.page.select_option("#name", "default")
    await tab.event("INIT_SUCCESS", 2)
    await tab.pictures_more(30)
    videos = await tab.page.eval_on_selector_all("#video option", "(options) => options.map((o) => o.value)")
    assert videos == ["idle_0"], "those of the state that is shown"


async def test_one_can_leave_and_come_back(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    await speak(tab)
    await tab.says("#note", "Speaking speech.wav")
    for name in ("Action 1", "Action 2"):
        await tab.page.get_by_role("button", name=name).click()
    await tab.says("#alert", "Action already in progress")
    await tab.page.click("summary")
    await tab.page.get_by_role("button", name="Disconnect").click()
    await tab.says("#status", "Not connected")
    assert await tab.page.inner_text("#note") == "", "nothing is being spoken"
    assert await tab.page.inner_text("#alert") == ""
    assert await tab.page.locator("#errors li").count() == 1, "to leave is no fault"
    assert await tab.page.is_disabled("#say")
    await tab.page.get_by_role("button", name="Connect").click()
    await tab.event("INIT_SUCCESS", 2)
    assert await tab.page.is_enabled("#say")


async def test_two_tabs_do_not_disturb_each_other(open_page, service):
    said = {await open_page(service.http): text for text in ("One and only one, a mouth that moves.", "Another one.")}
    for tab, text in said.items():
        await tab.connected()
        await tab.page.fill("#text", text)
    speaking, still = said
    await speaking.page.click("#say")
    await speaking.event("SPEAK_STARTED")
    seen: dict[Tab, list[np.ndarray]] = {tab: [] for tab in said}
    for _ in range(8):
        await speaking.pictures_more(3)
        for tab in said:
            seen[tab].append(await tab.picture())
    assert np.ptp(apertures(seen[speaking])) > 0.06, "the mouth moves in the one"
    assert apertures(seen[still]).max() < 0.05, "and is still in the other"
    await still.page.click("#say")
    for tab, text in said.items():
        await tab.event("SPEAK_ENDED")
        started = [event["data"] for event in await tab.events() if event["type"] == "SPEAK_STARTED"]
        assert [data["text"] for data in started] == [text]
        assert len(await tab.events()) == 3, "INIT_SUCCESS, SPEAK_STARTED, SPEAK_ENDED"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_by_day_and_by_night(open_page, service, scheme):
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme, "device_scale_factor": 2}
    tab = await open_page(service.http, **options)
    await tab.pictures_more(5)
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    await tab.page.fill("#text", "On a phone I say it too.")
    await tab.page.click("#say")
    await tab.says("#caption", "On a phone")
    await screenshot(tab, f"phone_{scheme}")
    cut_px = """(caption) => {
      caption.textContent = "long".repeat(20);
      return caption.scrollWidth - caption.clientWidth;
    }"""
    assert await tab.page.eval_on_selector("#caption", cut_px) == 0, "a word that is longer than a line"


async def test_every_control_is_reached_by_the_keyboard_and_has_a_name_for_those_who_do_not_see_it(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    controls = (
        "[...document.querySelectorAll('button, select, input, textarea, summary')].filter((c) => c.checkVisibility())"
    )
    count = await tab.page.evaluate(f"{controls}.length")
    assert count >= 12
    reached = set()
    for _ in range(count):
        await tab.page.keyboard.press("Tab")
        reached.add(await tab.page.evaluate(f"{controls}.indexOf(document.activeElement)"))
    assert reached == set(range(count))
    await screenshot(tab, "focus")

    devtools = await tab.page.context.new_cdp_session(tab.page)
    tree = (await devtools.send("Accessibility.getFullAXTree"))["nodes"]
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and "role" in node
    ]
    named = {"button", "textbox", "combobox", "checkbox", "link", "image", "region", "navigation", "heading"}
    assert [role for role, name in nodes if role in named and not name] == []
    assert {"banner", "main", "contentinfo", "status", "alert"} <= {role for role, _ in nodes}
    for expected in [
        ("button", "Say it"),
        ("button", "Hold to talk"),
        ("button", "Action 1"),
        ("combobox", "Avatar"),
        ("combobox", "Base video"),
        ("combobox", "Voice"),
        ("group", "State"),
        ("image", "Talking avatar"),
    ]:
        assert expected in nodes


async def test_the_links_of_the_page_lead_somewhere(open_page, service):
    tab = await open_page(service.http)
    links = await tab.page.eval_on_selector_all("a", "(all) => all.map((a) => a.href)")
    for link in links:
        answer = await tab.page.context.request.get(link)
        assert answer.ok, link


async def test_the_inspector_shows_what_the_player_measures(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    await tab.page.click("h1")
    await speak(tab, CLIP.pcm[:32000])
    await tab.event("SPEAK_ENDED")
    await tab.page.wait_for_function("document.querySelector('#figure-lips').textContent.includes('ms')")
    shown = await tab.page.eval_on_selector_all("dd[id^=figure]", "(all) => all.map((d) => d.textContent)")
    assert all(text and "undefined" not in text and "NaN" not in text and text != "–" for text in shown), shown
    assert await tab.page.inner_text("#sound-state") == ""
    assert await tab.page.evaluate(f"{AVATAR}.figures().fps") > 5
