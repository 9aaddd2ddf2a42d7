"""<talking-avatar> in a page that moves, changes and removes it, and what it takes sound from."""

import io
import wave

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# every socket, audio context and picture that the page makes
COUNTED = """
window.sockets = [];
window.contexts = [];
const made = (Kind, list) => class extends Kind { constructor(...all) { super(...all); list.push(this); } };
window.WebSocket = made(WebSocket, sockets);
window.AudioContext = made(AudioContext, contexts);
"""


async def test_it_is_taken_out_and_put_in_again_and_leaves_nothing_open(open_page, service):
    tab = await open_page(service.http, before=COUNTED)
    await tab.connected()
    await tab.page.click("h1")
    await tab.page.wait_for_function(f"{AVATAR}.figures().soundRunning")
    await tab.page.evaluate(
        f"""async () => {{
          window.avatar = {AVATAR};
          window.place = avatar.parentNode;
          for (let n = 0; n < 5; n += 1) {{ avatar.remove(); place.prepend(avatar); }} // while it connects
          avatar.remove();
        }}"""
    )
    await tab.page.wait_for_function("sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)")
    assert await tab.page.evaluate("contexts.every(({ state }) => state === 'closed')")
    assert "in no page" in await tab.page.evaluate("avatar.speak(new Int16Array(640)).catch(({ message }) => message)")
    await tab.page.evaluate("place.prepend(avatar)")
    await tab.connected()
    await tab.pictures_more(10)
    assert await tab.page.evaluate("sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length") == 1


async def test_attributes_may_change_and_several_at_once_make_one_connection(open_page, service):
    tab = await open_page(service.http, before=COUNTED)
    await tab.connected()
    before = await tab.page.evaluate("sockets.length")
    await tab.page.evaluate(f"{AVATAR}.setAttribute('user-id', 'anna'); {AVATAR}.setAttribute('text-frames', '')")
    await tab.page.wait_for_function(f"sockets.length > {before}")
    await tab.connected()
    await tab.pictures_more(5)
    assert await tab.page.evaluate("[sockets.length, sockets.at(-1).url.split('/').pop()]") == [before + 1, "anna"]
    await tab.page.evaluate(f"{AVATAR}.setAttribute('muted', '')")
    assert await tab.page.evaluate("sockets.length") == before + 1


async def test_two_on_one_page_speak_each_for_itself(open_page, service):
    tab = await open_page(service.http)
    await tab.connected()
    spoken = await tab.page.evaluate(
        f"""async () => {{
          const other = document.createElement("talking-avatar");
          document.body.append(other);
          const opened = (open) => ({{ detail }}) => detail.state === "open" && open();
          await new Promise((open) => other.addEventListener("status", opened(open)));
          const heard = [];
          other.addEventListener("event", ({{ detail }}) => heard.push(detail.type));
          const {{ positionMs }} = await {AVATAR}.speak(new Int16Array(3200).fill(1000));
          other.remove();
          return [positionMs, heard];
        }}"""
    )
    assert spoken == [200, []]


async def test_a_microphone_that_cannot_be_listened_to_is_let_go(open_page, service):
    tab = await open_page(service.http)
    seen = await tab.page.evaluate(
        """async () => {
          const { mediaDevices } = navigator;
          const get = mediaDevices.getUserMedia.bind(mediaDevices);
          let stream;
          mediaDevices.getUserMedia = async (wanted) => (stream = await get(wanted));
          window.AudioWorkletNode = class { constructor() { throw new Error("none"); } };
          const { Microphone } = await import("/static/microphone.js");
          const { message } = await Microphone.open().catch((error) => error);
          return [message, stream.getTracks().map(({ readyState }) => readyState)];
        }"""
    )
    assert seen[0] == "The microphone cannot be listened to: none"
    assert seen[1] == ["ended"]


async def test_a_recording_at_full_scale_in_two_channels_does_not_overflow(open_page, service):
    tab = await open_page(service.http)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(np.full(2000, 32767, "<i2").tobytes())
    low, high, count, rate_hz = await tab.page.evaluate(
        """async (bytes) => {
          const { readRecording } = await import("/static/recording.js");
          const { pcm, sampleRate } = await readRecording(new File([new Uint8Array(bytes)], "loud.wav"));
          return [Math.min(...pcm), Math.max(...pcm), pcm.length, sampleRate];
        }""",
        list(buffer.getvalue()),
    )
    assert (count, rate_hz) == (1000, 16000)
    assert 32700 < low <= high <= 32767
