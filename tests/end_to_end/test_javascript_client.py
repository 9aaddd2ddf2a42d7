"""The JavaScript client in pages of somebody else: the examples as they stand, and its arithmetic."""

from collections.abc import AsyncIterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.end_to_end.browser import AVATAR, Tab, browser, open_tab
from tests.end_to_end.running_service import RunningService

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.browser


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    async with browser() as running:
        yield running


@pytest.fixture
def elsewhere(tmp_path, service):
    """Another origin that serves the examples, the service's address put in."""
    for path in EXAMPLES.glob("*.html"):
        text = path.read_text()
        assert sum(1 for line in text.splitlines() if line.strip()) <= 20, path.name
        (tmp_path / path.name).write_text(text.replace("http://127.0.0.1:8000", service.http.rstrip("/")))
    (tmp_path / "favicon.ico").write_bytes(b"")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_the_element_speaks_in_a_page_of_another_origin(chromium, elsewhere):
    tab = await open_tab(chromium, f"{elsewhere}/talking_avatar.html")
    await tab.connected()
    await tab.page.click("#hum")
    await tab.event("SPEAK_ENDED")
    await tab.page.click("#hum")
    await tab.event("SPEAK_STARTED", 2)
    await tab.page.click("#stop")
    await tab.event("INTERRUPTED")
    ended = [event["data"] for event in await tab.events() if event["type"] == "SPEAK_ENDED"]
    assert (ended[0]["position_ms"], ended[0]["interrupted"]) == (1000, False)
    assert ended[1]["interrupted"] is True
    assert tab.console_errors == []


async def test_the_client_alone_counts_the_frames_of_its_speech(chromium, elsewhere):
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{elsewhere}/avatar_client.html")
    await page.wait_for_function("document.body.textContent.includes('25 frames spoke 1000 ms')", timeout=30_000)


async def test_a_page_whose_origin_is_not_listed_is_told_that_it_cannot_connect(chromium, avatars_dir, elsewhere):
    with RunningService(avatars_dir, CORS_ORIGINS="self") as strict:
        tab = await open_tab(chromium, strict.http)
        await tab.connected()  # the service's own page
        refused = Tab(await tab.page.context.new_page())
        await refused.page.goto(f"{elsewhere}/avatar_client.html")
        states = await refused.page.evaluate(
            f"""async () => {{
              const {{ AvatarClient }} = await import("{elsewhere_module(await refused.page.content())}");
              const client = new AvatarClient("{strict.http}", {{ userId: "x", reconnect: false }});
              return client.connect().then(() => "connected", (error) => error.message);
            }}"""
        )
        assert states == "the server cannot be reached"


def elsewhere_module(page: str) -> str:
    """Where the example imports the client from."""
    return page.split('import { AvatarClient } from "')[1].split('"')[0]


async def test_utterances_are_spoken_in_order_and_an_interruption_settles_all(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    outcome = await tab.page.evaluate(
        f"""async () => {{
          const avatar = {AVATAR};
          const sound = (ms) => new Int16Array(16 * ms).fill(1000);
          const order = [];
          const note = (name) => ({{ positionMs, interrupted }}) => order.push([name, positionMs, interrupted]);
          await Promise.all([avatar.speak(sound(100)).then(note("one")), avatar.speak(sound(200)).then(note("two"))]);
          const long = avatar.speak(sound(40_000)).then(note("long"));
          const waiting = avatar.speak(sound(1000)).then(note("waiting"));
          await new Promise((resolve) => setTimeout(resolve, 300));
          avatar.interrupt();
          await Promise.all([long, waiting]);
          await avatar.speak(sound(80)).then(note("after"));
          return order;
        }}"""
    )
    names = [name for name, _, _ in outcome]
    assert names[:2] == ["one", "two"]
    assert set(names[2:4]) == {"long", "waiting"}
    assert outcome[4] == ["after", 80, False]
    assert [interrupted for _, _, interrupted in outcome] == [False, False, True, True, False]


async def test_a_source_that_hangs_holds_nothing_up_after_an_interruption(chromium, service):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    outcome = await tab.page.evaluate(
        f"""async () => {{
          const avatar = {AVATAR};
          async function* hanging() {{
            yield new Int16Array(3200).fill(1000);
            await new Promise(() => {{}});
          }}
          const stuck = avatar.speak(hanging());
          await new Promise((resolve) => setTimeout(resolve, 300));
          avatar.interrupt();
          const after = await avatar.speak(new Int16Array(640).fill(1000));
          avatar.speak(new Int16Array(16000 * 5).fill(1000)).then((spoken) => (window.cutByInit = spoken));
          avatar.setAttribute("avatar", "default"); // starts over, and nobody waits for ever
          return [(await stuck).interrupted, after];
        }}"""
    )
    assert outcome == [True, {"positionMs": 40, "interrupted": False}]
    await tab.page.wait_for_function("window.cutByInit?.interrupted")


@pytest.mark.parametrize("options", ["{sampleRate: 96000}", "{channels: 3}"])
async def test_sound_that_the_service_does_not_take_is_refused_at_once(chromium, service, options):
    tab = await open_tab(chromium, service.http)
    await tab.connected()
    call = f"{AVATAR}.speak(new Int16Array(640), {options}).catch((error) => error.name)"
    assert await tab.page.evaluate(call) == "RangeError"


async def test_the_playout_clock_keeps_a_small_buffer_and_joins_speech_without_a_cut(chromium, service):
    tab = await open_tab(chromium, service.http)
    seen = await tab.page.evaluate(
        """async () => {
          const { PlayoutClock } = await import("/static/playout.js");
          const clock = new PlayoutClock();
          const dueAfter = (frame, lateS = 0, speaking = false) => {
            const nowS = 100 + frame * 0.04 + lateS;
            clock.arrived(frame * 40, nowS, speaking);
            return clock.dueS(frame * 40) - nowS;
          };
          const first = dueAfter(0);
          const jittered = dueAfter(1, 0.03);
          const late = dueAfter(2, 0.2, true);           // all later ones are put off
          const relaxed = dueAfter(3, 0, true);
          for (let frame = 4; frame < 200; frame += 1) dueAfter(frame, 0, true);
          const speaking = dueAfter(200, 0, true);       // not while sounds are placed
          const settled = dueAfter(201);
          for (let frame = 202; frame < 340; frame += 1) dueAfter(frame, -0.05);
          const little = dueAfter(340, -0.05);           // a small difference takes a while
          for (let n = 0; n < 25; n += 1) dueAfter(341 + n, (25 - n) * 0.04); // nobody speaks: a second's stall, ...
          const stalled = dueAfter(366);                 // ... after which it is live
          for (let frame = 367; frame < 380; frame += 1) dueAfter(frame, 0.5); // half a second later for good
          const slower = dueAfter(380, 0.5);
          const burst = new PlayoutClock();              // and where it speaks, live at the next pause
          for (let n = 0; n < 50; n += 1) burst.arrived(n * 40, 1 + n * 0.04, true);
          for (let n = 50; n < 75; n += 1) burst.arrived(n * 40, 1 + 75 * 0.04, true);
          for (let n = 75; n < 90; n += 1) burst.arrived(n * 40, 1 + n * 0.04, true);
          const kept = burst.dueS(90 * 40) - (1 + 90 * 0.04);
          burst.settle();
          const paused = burst.dueS(90 * 40) - (1 + 90 * 0.04);
          const other = dueAfter(100_000 / 40, -90);     // another stream
          const drifting = new PlayoutClock();           // half an hour by a clock that runs 50 ppm fast
          let closest = 1;
          for (let frame = 0; frame < 45_000; frame += 1) {
            const nowS = frame * 0.04 * 1.00005;
            drifting.arrived(frame * 40, nowS, frame % 250 < 50);
            closest = Math.min(closest, drifting.dueS(frame * 40) - nowS);
          }
          const rebuffers = clock.rebuffers + drifting.rebuffers;
          return { first, jittered, late, relaxed, speaking, settled, little, stalled, slower, kept, paused,
                   other, closest, rebuffers };
        }"""
    )
    near = pytest.approx
    assert seen["first"] == near(0.06, abs=1e-3)
    assert seen["jittered"] == near(0.03, abs=1e-3)
    assert seen["late"] == near(0.06, abs=1e-3)
    assert seen["relaxed"] == near(0.26, abs=1e-3)
    assert seen["speaking"] == near(0.26, abs=1e-3)
    assert seen["settled"] == near(0.06, abs=1e-3)
    assert seen["little"] == near(0.06, abs=1e-3)
    assert seen["stalled"] == near(0.01, abs=1e-3)
    assert seen["slower"] == near(0.06, abs=1e-3)
    assert seen["kept"] == near(1.06, abs=1e-3)
    assert seen["paused"] == near(0.06, abs=1e-3)
    assert seen["other"] == near(0.06, abs=1e-3)
    assert seen["closest"] > 0.025, "set right before it runs out"
    assert seen["rebuffers"] == 2
