"""The page when something is missing: the service, a voice, the browser's trust; it says what, and goes on."""

import asyncio

import pytest

from tests.end_to_end.browser import AVATAR, ELSEWHERE
from tests.end_to_end.running_service import COMMAND, RunningService
from tests.end_to_end.test_page import screenshot

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WITHOUT_ESPEAK = "import sys; sys.modules['espeakng_loader'] = None; " + COMMAND


async def test_the_page_comes_back_by_itself_after_a_restart(open_page, avatars_dir):
    with RunningService(avatars_dir) as before:
        port = before.http.rsplit(":", 1)[1].rstrip("/")
        tab = await open_page(before.http)
        tab.forgiven = "WebSocket connection to"  # Chromium's own report of each attempt that found nobody
        await tab.connected()
        await tab.pictures_more(5)
        await asyncio.to_thread(before.stop)
        await tab.says("#status", "trying again in")
        assert await tab.page.inner_text("#errors") != "", "the loss is among the last errors"
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
        await tab.page.click("#say")
        await tab.page.wait_for_function("document.querySelectorAll('#errors li').length === 2")
        await screenshot(tab, "no_voice")
        await tab.page.close()  # before the service ends, which it would complain of


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


async def test_away_from_localhost_the_page_says_what_is_missing_and_what_to_do(open_page, service):
    tab = await open_page(service.http.replace("127.0.0.1", ELSEWHERE))
    assert await tab.page.evaluate("isSecureContext") is False
    await tab.page.focus("#talk")
    await tab.says("body", "https")
    await screenshot(tab, "insecure")
    assert await tab.page.evaluate(f"{AVATAR} !== null")
