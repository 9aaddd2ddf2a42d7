"""The player where browsers have no WebCodecs, or give none: by MediaSource, and in step with the sound as ever."""

import pytest

from tests.end_to_end.browser import AVATAR, ELSEWHERE, Tab
from tests.end_to_end.lip_measure import apertures
from tests.end_to_end.page_lips import lips_after_sound_ms
from tests.end_to_end.test_page import CLIP, differs, screenshot, speak
from tests.end_to_end.test_page_speech import best_of_three, ready_to_record, rms

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WITHOUT = "delete window.VideoDecoder;"
NOTICE = f"{AVATAR}.shadowRoot.querySelector('p').textContent"

# counts the sources that were made, and lets one fail
SOURCES = (
    WITHOUT
    + """
window.sources = 0;
window.MediaSource = class extends MediaSource { constructor() { super(); window.sources += 1; } };
window.sockets = [];
window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); window.sockets.push(this); } };
const { appendBuffer } = SourceBuffer.prototype;
SourceBuffer.prototype.appendBuffer = function (bytes) {
  if (window.fail) {
    window.fail -= 1;
    throw new DOMException("no more", "InvalidStateError");
  }
  return appendBuffer.call(this, bytes);
};
"""
)


async def test_it_moves_in_idle_and_speaks_with_its_lips_in_step_with_the_sound(open_page, service):
    tab = await open_page(service.http, before=WITHOUT)
    await tab.pictures_more(1)
    first = await tab.picture()
    await ready_to_record(tab)
    assert (await tab.figures())["decoder"] == "MediaSource"

    async def attempt(number: int) -> dict[str, float]:
        await tab.record_anew()
        await tab.pictures_more(10)
        assert differs(first, await tab.picture()) > 0.3
        await speak(tab, CLIP.pcm)
        await tab.event("SPEAK_STARTED", number)
        await tab.pictures_more(30)
        await screenshot(tab, "media_source")
        await tab.event("SPEAK_ENDED", number)
        await tab.pictures_more(30)
        seen = await tab.recording()
        opening = apertures(seen.pictures)
        assert opening[seen.generated].max() > 3 * max(opening[:8].max(), 0.02)
        assert opening[-5:].max() < 0.05, "closed after the last word"
        assert rms(seen, after_s=seen.heard_s[-1] - 0.3) < 1e-3, "and silent"
        read_out_ms = (await tab.figures())["soundToLipsMs"]
        return {"measured": lips_after_sound_ms(seen, opening, CLIP), "on the page": read_out_ms}

    await best_of_three("lips after sound, MediaSource", attempt, 45)


async def test_a_page_of_plain_http_plays_and_says_what_it_cannot(open_page, service):
    tab = await open_page(service.http.replace("127.0.0.1", ELSEWHERE))
    assert await tab.page.evaluate("isSecureContext") is False
    await tab.connected()
    await tab.pictures_more(20)
    assert (await tab.figures())["decoder"] == "MediaSource"
    await tab.says("#errors", "SSL_CERTFILE")
    await tab.page.click("h1")
    await tab.page.wait_for_function(f"{AVATAR}.figures().soundRunning")
    await speak(tab, CLIP.pcm[:32000])
    await tab.page.wait_for_function(f"{AVATAR}.player.sound.busy")
    await tab.event("SPEAK_ENDED")
    refused = await tab.page.evaluate(
        "import('/static/microphone.js').then(({ Microphone }) => Microphone.open()).catch(({ message }) => message)"
    )
    assert "getUserMedia" in refused
    assert "SSL_CERTFILE" in refused


async def test_without_either_the_element_says_so(open_page, service):
    tab = await open_page(service.http, before=WITHOUT + "delete window.MediaSource; delete window.ManagedMediaSource;")
    await tab.says("#errors", "neither by WebCodecs (VideoDecoder) nor by MediaSource")
    assert "MediaSource" in await tab.page.evaluate(NOTICE)
    assert await tab.page.evaluate(f"{AVATAR}.speak(new Int16Array(640)).catch((error) => error.message)")
    await screenshot(tab, "nothing_plays")


async def test_a_reconnection_and_a_dropped_stretch_go_on_in_the_same_buffer(open_page, service):
    tab = await open_page(service.http, before=SOURCES)
    await tab.connected()
    await tab.pictures_more(10)
    await tab.page.evaluate("sockets.at(-1).close(4000)")
    await tab.event("INIT_SUCCESS", 2)
    await tab.pictures_more(15)
    await tab.page.evaluate(
        f"""() => {{
          const {{ client, player }} = {AVATAR};
          let dropped = 0;
          client.onframe = (frame) => {{ // as a server does whose reader is slow: whole, up to a key frame
            if (dropped < 30 || (dropped < 100 && !frame.keyframe)) dropped += 1;
            else player.take(frame);
            if (dropped >= 30 && frame.keyframe) dropped = 100;
          }};
        }}"""
    )
    await tab.pictures_more(60)
    assert await tab.page.evaluate("sources") == 1
    assert await lead_s(tab) < 1


async def lead_s(tab: Tab) -> float:
    """Of the buffer before the picture that is shown, by the frames in between."""
    return (await tab.figures())["queue"] * 0.04


async def test_a_source_that_fails_is_replaced_at_the_next_key_frame(open_page, service):
    tab = await open_page(service.http, before=SOURCES)
    await tab.pictures_more(10)
    await tab.page.evaluate("window.fail = 1")
    await tab.says("#errors", "MediaSource: InvalidStateError")
    await tab.pictures_more(30)
    assert await lead_s(tab) < 1
    await tab.page.evaluate("window.fail = 3")
    await tab.says("#errors", "This browser can play the avatar neither")


async def test_other_parameter_sets_get_a_source_of_their_own(open_page, service):
    tab = await open_page(service.http, before=SOURCES)
    await tab.pictures_more(10)
    await tab.page.evaluate(
        f"""() => {{
          const {{ client, player }} = {AVATAR};
          client.onframe = (frame) => {{
            const level = frame.data.findIndex((_, at) => frame.data[at] === 0x67 && frame.data[at - 1] === 1) + 3;
            if (frame.keyframe) frame.data[level] += 1; // 3.1 instead of 3.0, with which the stream agrees as well
            player.take(frame);
          }};
        }}"""
    )
    await tab.page.wait_for_function("sources === 2")
    await tab.pictures_more(60)
    assert await tab.page.evaluate("sources") == 2


async def test_a_hidden_page_feeds_nothing_and_goes_on_when_it_is_seen_again(open_page, service):
    tab = await open_page(service.http, before=WITHOUT)
    await tab.pictures_more(10)
    hide = "Object.defineProperty(document, 'hidden', {{ configurable: true, value: {} }});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    await tab.page.evaluate(hide.format("true") + tell)
    before = (await tab.figures())["pictures"]
    await tab.page.wait_for_timeout(1500)
    figures = await tab.figures()
    assert figures["queue"] < 10
    assert figures["pictures"] - before < 10
    await tab.page.evaluate(hide.format("false") + tell)
    await tab.pictures_more(30)
    assert await lead_s(tab) < 1
