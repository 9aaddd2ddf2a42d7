"""The page's controls in real Chromium: each does what its label says, seen at the other end of it."""

import base64

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR, Tab, speech_file

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# notes what the page sends as JSON and by which sockets, and the microphones it opens
SPY = """
window.sent = []; window.sockets = new Set(); window.tracks = [];
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (message) {
  sockets.add(this);
  if (typeof message === "string") sent.push(JSON.parse(message));
  return send.call(this, message);
};
const { getUserMedia } = MediaDevices.prototype;
MediaDevices.prototype.getUserMedia = async function (wanted) {
  await window.leave; // the person's, where a test has made them hesitate
  const stream = await getUserMedia.call(this, wanted);
  tracks.push(...stream.getTracks());
  return stream;
};
"""
# what leaves the loudspeaker, as the largest sample of the last 128 ms
LISTEN = """() => {
  const { output } = document.querySelector("talking-avatar").player.sound;
  const ear = new AnalyserNode(output.context, { fftSize: 2048 });
  output.connect(ear);
  window.loudness = () => {
    const samples = new Float32Array(ear.fftSize);
    ear.getFloatTimeDomainData(samples);
    return Math.max(...samples.map(Math.abs));
  };
}"""
DRAG = """([kind, selector, content, isFile]) => {
  const dataTransfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  if (isFile) dataTransfer.items.add(new File([bytes], "dropped.wav"));
  else dataTransfer.setData("text/plain", "a text");
  const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""
TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 16_000)).astype("<i2").tobytes()  # 6 s, never silent


async def open_spied(open_page, service) -> Tab:
    tab = await open_page(service.http, before=SPY)
    await tab.connected()
    return tab


async def last(tab: Tab, kind: str) -> dict:
    """`data` of the latest message of this type."""
    return [event["data"] for event in await tab.events() if event["type"] == kind][-1]


async def drag(tab: Tab, kind: str, selector: str, content: bytes, is_file: bool = True) -> bool:
    """Whether the page took it for itself."""
    return await tab.page.evaluate(DRAG, [kind, selector, base64.b64encode(content).decode(), is_file])


async def test_each_choice_of_appearance_asks_for_just_what_it_names(open_page, service):
    tab = await open_spied(open_page, service)
    await tab.page.select_option("#video", "idle_0")
    await tab.event("STATE_CHANGED")
    assert (await last(tab, "STATE_CHANGED"))["current_video"] == "idle_0"
    await tab.page.get_by_role("button", name="Action 2").click()
    await tab.event("ACTION_TRIGGERED")
    assert (await last(tab, "ACTION_TRIGGERED"))["action_index"] == 2
    await tab.page.wait_for_function("document.querySelector('#name').value === 'default'")
    await tab.page.select_option("#name", "default")
    await tab.event("INIT_SUCCESS", 2)
    inits = "sent.filter(({ type }) => type === 'INIT').map(({ data }) => data.avatar_id)"
    assert await tab.page.evaluate(inits) == [None, "default"]


async def test_frames_come_as_text_while_the_switch_is_on(open_page, service):
    tab = await open_spied(open_page, service)
    await tab.page.click("summary")
    switch = tab.page.get_by_label("Frames as text")
    await switch.check()
    await tab.event("INIT_SUCCESS", 2)
    await tab.pictures_more(10)
    await tab.page.set_input_files("#file", speech_file(TONE[:32000]))
    await tab.says("#note", "Finished after 1.0 s")
    await switch.uncheck()
    await tab.event("INIT_SUCCESS", 3)
    assert await tab.page.evaluate("[...sockets].map(({ protocol }) => protocol)") == [
        "musetalk.v1.binary",
        "",
        "musetalk.v1.binary",
    ]


async def test_a_file_is_dropped_anywhere_and_a_text_where_it_belongs_and_the_sound_is_switched(open_page, service):
    tab = await open_spied(open_page, service)
    for kind in ("dragover", "drop"):
        assert not await drag(tab, kind, "#text", b"", is_file=False), "the text box takes it"
    assert not await tab.page.evaluate("document.querySelector('.dropping') !== null")
    assert await drag(tab, "drop", "footer", b"no sound")
    await tab.says("#alert", "dropped.wav is no sound that this browser can read")

    await tab.page.click("h1")  # browsers let no page sound before a gesture
    await tab.page.wait_for_function(f"{AVATAR}.figures().soundRunning")
    await tab.page.evaluate(LISTEN)
    assert await drag(tab, "dragover", "footer", b"")
    assert await drag(tab, "drop", "footer", speech_file(TONE)["buffer"])
    await tab.event("SPEAK_STARTED")
    assert await tab.page.inner_text("#alert") == ""
    for on in (True, False, True):
        await tab.page.get_by_label("Sound", exact=True).set_checked(on)
        await tab.page.wait_for_function("loudness() > 0.1" if on else "loudness() === 0", timeout=4000)
    assert all(event["type"] != "SPEAK_ENDED" for event in await tab.events()), "it sounded all the while"
    await tab.page.click("#stop")
    await tab.event("SPEAK_ENDED")


async def test_the_microphone_is_open_while_its_button_is_held_and_stop_lets_it_go(open_page, service):
    tab = await open_spied(open_page, service)
    live = "tracks.filter(({ readyState }) => readyState === 'live').length"

    await tab.page.hover("#talk")
    await tab.page.mouse.down()
    await tab.event("SPEAK_STARTED")
    assert await tab.page.get_attribute("#talk", "aria-pressed") == "true"
    assert await tab.page.evaluate(live) == 1
    await tab.pictures_more(15)
    await tab.page.mouse.up()
    await tab.event("SPEAK_ENDED")
    assert (await last(tab, "SPEAK_ENDED"))["position_ms"] >= 400
    assert await tab.page.evaluate(live) == 0

    await tab.page.mouse.down(button="right")
    assert await tab.page.get_attribute("#talk", "aria-pressed") == "false"
    await tab.page.mouse.up(button="right")

    await tab.page.focus("#talk")
    await tab.page.keyboard.down("Space")
    await tab.event("SPEAK_STARTED", 2)
    await tab.page.keyboard.press("Control")
    assert await tab.page.get_attribute("#talk", "aria-pressed") == "true"
    assert await tab.page.evaluate(live) == 1
    await tab.page.evaluate("document.querySelector('#stop').click()")  # by a screen reader: the focus stays
    await tab.event("INTERRUPTED")
    assert (await last(tab, "SPEAK_ENDED"))["interrupted"]
    assert await tab.page.get_attribute("#talk", "aria-pressed") == "false"
    assert await tab.page.evaluate(live) == 0
    await tab.page.keyboard.up("Space")

    await tab.page.evaluate("void (window.leave = new Promise((resolve) => (window.giveLeave = resolve)))")
    await tab.page.keyboard.down("Space")
    await tab.page.evaluate("document.querySelector('#stop').click()")
    await tab.event("INTERRUPTED", 2)
    await tab.page.evaluate("giveLeave()")
    await tab.page.wait_for_function(f"tracks.length === 3 && {live} === 0")
    await tab.page.keyboard.up("Space")
    await tab.pictures_more(5)
    assert sum(event["type"] == "SPEAK_STARTED" for event in await tab.events()) == 2, "leave that came late"


async def test_a_page_that_was_held_up_counts_the_gap_and_the_pictures_it_left_out(open_page, service):
    tab = await open_spied(open_page, service)
    await tab.pictures_more(25)
    before = await tab.figures()
    await tab.page.evaluate("{ const until = performance.now() + 350; while (performance.now() < until); }")
    counted = "([id, before]) => Number(document.querySelector(id).textContent) > before"
    await tab.page.wait_for_function(counted, arg=["#figure-gaps", before["gaps"]])
    await tab.page.wait_for_function(counted, arg=["#figure-dropped", before["dropped"]])
