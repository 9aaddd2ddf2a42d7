"""The player in real Chromium: decoders that break, lag or cannot do it, what a stop takes, and its clock."""

import numpy as np
import pytest

from tests.end_to_end.browser import AVATAR
from tests.end_to_end.lip_measure import apertures
from tests.end_to_end.test_page import speak
from tests.end_to_end.test_page_speech import best_of_three, ready_to_record

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WITHOUT_WEBCODECS = "delete window.VideoDecoder;"
CLOSED = 0.05  # of the face's size, between the lips

# a decoder that keeps six pictures back unless it is asked to decode in software, as some hardware does
LAGGING = """
const Real = VideoDecoder;
window.VideoDecoder = class {
  constructor({ output, error }) {
    this.kept = [];
    this.depth = 6;
    this.real = new Real({ error, output: (picture) => {
      this.kept.push(picture);
      if (this.kept.length > this.depth) output(this.kept.shift());
    } });
  }
  get state() { return this.real.state; }
  configure(options) {
    if (options.hardwareAcceleration === "prefer-software") this.depth = 0;
    this.real.configure(options);
  }
  decode(chunk) { this.real.decode(chunk); }
  close() { this.real.close(); }
};
"""

# one that fails at its 40th packet, once
BREAKING = """
const Real = VideoDecoder;
let packets = 0;
window.VideoDecoder = class extends Real {
  constructor(callbacks) { super(callbacks); this.fail = callbacks.error; }
  decode(chunk) {
    packets += 1;
    if (packets === 40) this.fail(new DOMException("broken", "EncodingError"));
    else super.decode(chunk);
  }
};
"""

# one that takes no codec at all
REFUSING = """
window.VideoDecoder = class extends VideoDecoder {
  constructor(callbacks) { super(callbacks); this.fail = callbacks.error; }
  configure() { queueMicrotask(() => this.fail(new DOMException("no such codec", "NotSupportedError"))); }
  decode() {}
};
"""

# one that is slow, whatever it is asked
SLUGGISH = """
window.VideoDecoder = class extends VideoDecoder {
  constructor({ output, error }) { super({ error, output: (picture) => setTimeout(output, 500, picture) }); }
};
"""

# one that the browser takes away after 20 packets, as it does with pages that nobody looks at
TAKEN_AWAY = """
const Real = VideoDecoder;
window.decoders = 0;
window.VideoDecoder = class extends Real {
  constructor(callbacks) { super(callbacks); this.fail = callbacks.error; this.packets = 0; decoders += 1; }
  decode(chunk) {
    this.packets += 1;
    if (this.packets === 20 && decoders <= 3) this.fail(new DOMException("reclaimed", "QuotaExceededError"));
    else super.decode(chunk);
  }
};
"""

CONFIGURED = """
window.configured = [];
const { configure } = VideoDecoder.prototype;
VideoDecoder.prototype.configure = function (options) {
  window.configured.push(options);
  return configure.call(this, options);
};
"""


async def test_a_decoder_that_breaks_is_replaced_at_the_next_key_frame(open_page, service):
    tab = await open_page(service.http, before=BREAKING)
    await tab.says("#errors", "decoder: broken")
    await tab.pictures_more(30)
    assert (await tab.figures())["softwareDecoding"] is True


async def test_decoders_that_the_browser_takes_away_are_made_anew_and_no_fault(open_page, service):
    tab = await open_page(service.http, before=TAKEN_AWAY)
    await tab.page.wait_for_function("decoders === 4", timeout=30_000)
    await tab.pictures_more(10)
    assert (await tab.figures())["decoder"] == "WebCodecs"
    assert (await tab.figures())["softwareDecoding"] is False
    assert await tab.page.inner_text("#alert") == ""


async def test_a_decoder_that_gives_no_pictures_is_not_fed_for_ever(open_page, service):
    tab = await open_page(service.http)
    most = await tab.page.evaluate(
        """async () => {
          window.VideoDecoder = class { state = "configured"; configure() {} decode() {} close() {} };
          const { WebCodecsDecoder } = await import("/static/webcodecs-decoder.js");
          const decoder = new WebCodecsDecoder();
          let most = 0;
          for (let n = 0; n < 1000; n += 1) {
            decoder.take({ keyframe: n % 25 === 0, timestampMs: n * 40, data: new Uint8Array(100) });
            most = Math.max(most, decoder.held);
          }
          return most;
        }"""
    )
    assert most == 100, "another one goes on from a key frame"


async def test_a_second_stop_before_the_first_is_answered_drops_what_was_said_between_them(open_page, service):
    tab = await open_page(service.http)
    await tab.page.click("h1")
    await tab.page.wait_for_function(f"{AVATAR}.figures().soundRunning")
    busy = await tab.page.evaluate(
        f"""() => {{
          const {{ player, client }} = {AVATAR};
          client.onframe = () => {{}};
          const {{ sound }} = player;
          const heard = (timestampMs) => {{
            player.take({{ kind: "audio", generated: true, timestampMs, data: new Uint8Array(1280) }});
            return sound.busy;
          }};
          player.restart();
          const seen = [heard(0)];
          player.silence();
          seen.push(heard(40));
          player.silence();
          player.answered();
          seen.push(heard(80));
          player.answered();
          seen.push(heard(120));
          player.answered(); // nobody asked here: somebody else interrupted
          return [...seen, heard(160)];
        }}"""
    )
    assert busy == [True, False, False, True, True]


async def test_a_decoder_that_lags_is_changed_for_software(open_page, service):
    tab = await open_page(service.http, before=LAGGING)
    await tab.page.wait_for_function(f"{AVATAR}.figures().softwareDecoding")
    await tab.pictures_more(20)
    await tab.page.wait_for_function(f"{AVATAR}.figures().queue <= 6")
    await tab.says("#figure-decoder", "WebCodecs, in software")
    assert await tab.page.inner_text("#errors") == "", "no fault of the page"
    await tab.page.evaluate(f"{AVATAR}.player.restart()")  # as a reconnection does
    assert (await tab.figures())["softwareDecoding"] is False, "it may just have been busy"


async def test_a_decoder_that_never_works_is_changed_for_mediasource(open_page, service):
    tab = await open_page(service.http, before=REFUSING)
    await tab.says("#errors", "decoder: no such codec")
    await tab.pictures_more(20)
    assert (await tab.figures())["decoder"] == "MediaSource"


async def test_it_decodes_what_init_success_names_and_for_latency(open_page, service):
    tab = await open_page(service.http, before=CONFIGURED)
    await tab.connected()
    await tab.pictures_more(5)
    named = (await tab.events())[0]["data"]["codec"]
    seen = await tab.page.evaluate("configured")
    # what the key frame says before INIT_SUCCESS is the same; on a busy machine a decoder may be replaced meanwhile
    assert {options["codec"] for options in seen} == {named}
    assert seen[0]["optimizeForLatency"] is True
    assert seen[0]["hardwareAcceleration"] == "no-preference"
    await tab.page.evaluate(f"{AVATAR}.player.codec = 'avc1.42E01F'")  # another avatar's
    await tab.page.wait_for_function("configured.at(-1).codec === 'avc1.42E01F'")
    await tab.pictures_more(10)


@pytest.mark.parametrize("before", ["", SLUGGISH, WITHOUT_WEBCODECS], ids=["WebCodecs", "sluggish", "MediaSource"])
async def test_after_interrupt_it_is_silent_and_the_mouth_is_closed_within_150_ms(open_page, service, before):
    tab = await open_page(service.http, before=before)
    await ready_to_record(tab)
    decoder = (await tab.figures())["decoder"]
    assert decoder == ("MediaSource" if before == WITHOUT_WEBCODECS else "WebCodecs")
    await tab.pictures_more(20)  # of a resting mouth

    async def attempt(number: int) -> dict[str, float]:
        await tab.record_anew()
        await speak(tab)
        await tab.event("SPEAK_STARTED", number)
        await tab.page.wait_for_function("recording.pictures.filter((p) => p.generated).length > 22")
        await tab.page.evaluate(f"recording.pressedMs = performance.now(); {AVATAR}.interrupt()")
        assert await tab.page.evaluate(f"{AVATAR}.player.sound.busy") is False
        await tab.event("INTERRUPTED", number)
        await tab.pictures_more(10)
        await tab.page.wait_for_function("recording.pictures.slice(-4).every((picture) => !picture.generated)")
        seen = await tab.recording()
        opening = apertures(seen.pictures)
        assert opening.max() > 1.5 * CLOSED, "it spoke"
        assert await tab.page.evaluate(f"{AVATAR}.player.sound.busy") is False
        last_open = np.flatnonzero(opening > CLOSED)[-1]
        return {"closed": seen.painted_ms[last_open + 1], "silent": seen.heard_ms()[1]}

    await best_of_three(f"interrupt, {decoder}", attempt, 150)


async def test_sounds_of_a_stream_that_jumped_are_not_heard_over_one_another(open_page, service):
    tab = await open_page(service.http)
    await tab.page.click("h1")
    await tab.page.wait_for_function(f"{AVATAR}.figures().soundRunning")
    busy = await tab.page.evaluate(
        f"""() => {{
          const {{ player }} = {AVATAR};
          {AVATAR}.client.onframe = () => {{}};
          let placed = 0;
          const {{ start, stop }} = AudioBufferSourceNode.prototype;
          AudioBufferSourceNode.prototype.start = function (at) {{ placed += 1; return start.call(this, at); }};
          AudioBufferSourceNode.prototype.stop = function () {{ placed -= 1; return stop.call(this); }};
          player.restart();
          const sound = (timestampMs) =>
            player.take({{ kind: "audio", generated: true, timestampMs, data: new Uint8Array(1280) }});
          for (let n = 0; n < 250; n += 1) sound(n * 40); // ten seconds that a page which was frozen gets at once
          return placed;
        }}"""
    )
    assert busy <= 77, "never more than three seconds ahead"


async def test_a_figure_of_a_frame_is_what_it_is(open_page, service):
    tab = await open_page(service.http)
    seen = await tab.page.evaluate(
        """async () => {
          const { PlayerFigures } = await import("/static/player-figures.js");
          const { parametersOf } = await import("/static/annexb.js");
          const figures = new PlayerFigures();
          for (let n = 0; n < 3000; n += 1) {
            figures.received({ keyframe: n % 25 === 0, data: new Uint8Array(1000) }, n * 40);
            if (n !== 2990) figures.painted(n * 40, n % 3 ? null : n % 7);
          }
          const unit = (...bytes) => [0, 0, 1, ...bytes];
          const slice = unit(0x65, 7, 0, 0, 1, 0x67, 1, 2, 3); // what follows the slice is its own
          const sets = [...unit(0x67, 0x42, 0xc0, 0x1e, 9), 0, ...unit(0x68, 5, 0), ...slice];
          const other = [...unit(0x67, 0x42, 0xc0, 0x1e, 9), ...unit(0x68, 6), ...unit(0x65, 7)];
          return [figures.at(3000 * 40), parametersOf(new Uint8Array(sets)), parametersOf(new Uint8Array(other)),
                  parametersOf(new Uint8Array(unit(0x41, 1, 2)))];
        }"""
    )
    figures, sets, other, none = seen
    assert figures["fps"] == pytest.approx(24.5, abs=0.6)
    assert figures["kbitPerSecond"] == pytest.approx(200, abs=5)
    assert (figures["gaps"], figures["longestGapMs"]) == (1, 80)
    assert (figures["soundToLipsMs"], figures["worstSoundToLipsMs"]) == (3, 6)
    assert figures["keyframeAgeMs"] == 25 * 40
    assert sets == {"codec": "avc1.42C01E", "sets": "6742c01e09 6805 "}
    assert other["sets"] != sets["sets"]
    assert none is None
