"""The page when something is missing: the service, a voice, the browser's trust; it says what, and goes on."""

import asyncio

import pytest

from tests.end_to_end.browser import AVATAR, ELSEWHERE, speech_file
from tests.end_to_end.running_service import COMMAND, RunningService
from tests.end_to_end.test_page import screenshot
from tests.end_to_end.test_talking_avatar import COUNTED
from tests.fakes.speech_server import Answer, SpeechServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW_START = (
    "import time, ws_service.service as service; real = service.choose_engine; "
    "service.choose_engine = lambda *a, **k: (time.sleep(3), real(*a, **k))[1]; " + COMMAND
)
LINES = "[...document.querySelectorAll('#alert p, #errors li')].map((line) => line.textContent)"
WITHOUT_ESPEAK = "import sys; sys.modules['espeakng_loader'] = None; " + COMMAND


async def test_the_page_comes_back_by_itself_after_a_restart(open_page, avatars_dir):
    with RunningService(avatars_dir) as before:
        port = before.http.rsplit(":", 1)[1].rstrip("/")
        tab = await open_page(before.http)
        tab.forgiven = "WebSocket connection to"  # Chromium's own report of each attempt that found nobody
        await tab.connected()
        await tab.page.set_input_files("#file", speech_file(bytes(320_000)))
        await tab.event("SPEAK_STARTED")
        await asyncio.to_thread(before.stop)
        await tab.says("#status", "trying again in")
        (loss,) = await tab.page.evaluate(LINES)
        assert "Connection lost: " in loss, "once, though what was being said tells of it too"
        assert await tab.page.is_disabled("#stop")
        await tab.says("#status", "trying again in 2 s")
        await screenshot(tab, "reconnecting")
    with RunningService(avatars_dir, PORT=port):
        await tab.connected()
        await tab.pictures_more(10)
        assert await tab.page.inner_text("#status") == "Connected"
        assert await tab.page.is_enabled("#stop")


async def test_a_service_without_a_voice_says_how_to_get_one(open_page, avatars_dir):
    with RunningService(avatars_dir, program=WITHOUT_ESPEAK) as service:
        tab = await open_page(service.http)
        await tab.connected()
        await tab.says("#alert", "pip install 'musetalk-stream[voice]'")
        await tab.page.get_by_role("button", name="Speaking").click()
        await tab.event("STATE_CHANGED")
        await tab.page.get_by_role("button", name="Action 1").click()
        await tab.event("ACTION_TRIGGERED")
        await tab.page.get_by_role("button", name="Action 2").click()
        await tab.says("#alert", "Action already in progress")
        await screenshot(tab, "no_voice")
        await tab.page.set_input_files("#file", speech_file(bytes(25_600)))
        await tab.event("SPEAK_ENDED")
        await tab.page.click("#say")
        await tab.page.get_by_role("button", name="Idle").click()
        await tab.event("STATE_CHANGED", 2)
        await tab.page.wait_for_function("!document.querySelector('#alert').textContent.includes('Action')")
        alert, *errors = await tab.page.evaluate(LINES)
        assert "pip install" in alert, "it stays, whatever else works"
        assert len(errors) == 2, "each sentence once"
        await tab.page.close()  # before the service ends, which it would complain of


async def test_a_service_that_gets_ready_is_waited_for_calmly_and_a_stop_before_the_first_sound_is_no_error(
    open_page, avatars_dir
):
    async with SpeechServer([Answer([bytes(9_600)], silence_s=2.0)]) as voice:
        service = RunningService(avatars_dir, program=SLOW_START, SPEECH_API_URL=voice.url)
        try:
            tab = await open_page(await asyncio.to_thread(service.address))
            warming = "The service is getting ready: the engine is being loaded"
            await tab.says("#status", warming)
            assert await tab.page.evaluate("document.body.dataset.connection") == "getting-ready"
            overlay = await tab.page.evaluate(f"{AVATAR}.shadowRoot.querySelector('p').textContent")
            assert overlay == f"{warming}. Trying again."
            assert "not ready" in await tab.page.inner_text("footer")
            assert await tab.page.evaluate(LINES) == []
            await screenshot(tab, "starting")
            await tab.page.click("summary")
            await tab.page.click("#connection")
            assert await tab.page.inner_text("#status") == "Not connected: closed by this page"
            assert await tab.page.evaluate(LINES) == [], "one who leaves is told nothing"
            await tab.page.click("#connection")

            await tab.connected()
            assert await tab.page.inner_text("#status") == "Connected"
            assert "ready:" not in await tab.page.inner_text("body")
            assert await tab.page.evaluate(LINES) == []

            async with tab.page.expect_response("**/speak") as answer:
                await tab.page.click("#say")
                while not voice.requests:
                    await tab.pictures_more(1)
                await tab.page.click("#stop")
            assert (await (await answer.value).json())["interrupted"] is True
            await tab.event("INTERRUPTED")
            await tab.pictures_more(5)
            assert await tab.page.evaluate(LINES) == []
            await tab.page.close()
        finally:
            await asyncio.to_thread(service.stop)


async def test_a_page_that_said_nothing_for_too_long_says_so_and_offers_to_connect(open_page, avatars_dir):
    with RunningService(avatars_dir, IDLE_TIMEOUT_S="0.5") as service:
        tab = await open_page(service.http)
        await tab.says("#status", "Not connected: nothing was said here for as long as the service waits")
        await tab.page.get_by_role("button", name="Connect", exact=True).click(timeout=5000)
        await tab.event("INIT_SUCCESS", 2)
        await tab.page.close()


async def test_a_text_that_breaks_off_is_told_until_the_person_does_the_next_thing(open_page, avatars_dir):
    async with SpeechServer([Answer([bytes(9_600)], whole=False)]) as voice:
        service = await asyncio.to_thread(RunningService(avatars_dir, SPEECH_API_URL=voice.url).__enter__)
        try:
            tab = await open_page(service.http)
            await tab.connected()
            await tab.page.fill("#text", "It breaks off.")
            await tab.page.click("#say")
            await tab.event("SPEAK_ENDED")
            order = [event["type"] for event in await tab.events()]
            assert "ERROR" in order
            assert await tab.page.inner_text("#alert") != ""
            await tab.page.click("#stop")
            assert await tab.page.inner_text("#alert") == ""
            await tab.page.close()
        finally:
            await asyncio.to_thread(service.stop)


async def test_a_text_that_cannot_be_said_is_answered_with_the_reason(open_page, service):
    tab = await open_page(service.http)
    tab.forgiven = "status of 404"
    await tab.connected()
    await tab.page.wait_for_function("document.querySelectorAll('#voice option').length > 1")
    await tab.page.select_option("#voice", label="Another one …")
    await tab.page.get_by_label("Voice name").fill("none-such")
    await tab.page.click("#say")
    await tab.says("#alert", "none-such")
    await tab.says("#errors", "none-such")


async def test_where_avatars_are_required_the_page_takes_the_default_one(open_page, avatars_dir):
    with RunningService(avatars_dir, REQUIRE_AVATAR="true") as service:
        tab = await open_page(service.http)
        await tab.connected()
        await tab.pictures_more(5)
        assert await tab.page.evaluate(LINES) == [], "the person has chosen nothing that is not there"
        assert await tab.page.input_value("#name") == "default"
        await tab.page.close()


async def test_an_avatar_refused_while_another_is_shown_is_not_shown_as_chosen(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    await tab.page.wait_for_function("document.querySelector('#name').value === 'default'")
    await tab.page.evaluate("document.querySelector('#name').add(new Option('removed'))")
    await tab.page.select_option("#name", "removed")
    await tab.says("#alert", "There is no avatar named 'removed'")
    await tab.page.wait_for_function("document.querySelector('#name').value === 'default'")
    assert await tab.page.get_attribute("#avatar", "avatar") is None
    await tab.pictures_more(5)
    assert [event["type"] for event in await tab.events()] == ["INIT_SUCCESS", "ERROR"], "nothing starts over"


async def test_a_chosen_avatar_that_is_gone_after_a_reconnection_is_told_and_another_can_be_chosen(open_page, service):
    tab = await open_page(service.http, before=COUNTED)
    await tab.connected()
    await tab.page.evaluate(f"{AVATAR}.setAttribute('avatar', 'nobody')")
    await tab.says("#alert", "nobody")
    await tab.page.evaluate("sockets.at(-1).close(4000)")
    await tab.event("INIT_SUCCESS", 2)
    assert await tab.page.inner_text("#status") == "Connected"
    assert "nobody" in await tab.page.inner_text("#alert")
    await tab.page.select_option("#name", "default")
    await tab.event("INIT_SUCCESS", 3)
    assert await tab.page.inner_text("#alert") == ""


async def test_away_from_localhost_the_page_says_what_is_missing_and_what_to_do(open_page, service):
    tab = await open_page(service.http.replace("127.0.0.1", ELSEWHERE))
    assert await tab.page.evaluate("isSecureContext") is False
    await tab.page.focus("#talk")
    await tab.says("body", "https")
    await screenshot(tab, "insecure")
    assert await tab.page.evaluate(f"{AVATAR} !== null")
