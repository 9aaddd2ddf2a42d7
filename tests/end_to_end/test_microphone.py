"""microphone.js: all that was heard is given out, what goes wrong is said, and nothing stays open or in memory."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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


async def test_a_microphone_that_was_let_go_leaves_nothing_in_memory(open_page, service):
    tab = await open_page(service.http)
    await tab.page.evaluate(
        """async () => {
          window.kept = [];
          const noted = (Kind) =>
            class extends Kind { constructor(...all) { super(...all); kept.push(new WeakRef(this)); } };
          window.AudioContext = noted(AudioContext);
          window.AudioWorkletNode = noted(AudioWorkletNode);
          const { Microphone } = await import("/static/microphone.js");
          for (let n = 0; n < 6; n += 1) {
            const microphone = await Microphone.open();
            for await (const chunk of microphone) {
              if (n % 2 === 1) await kept.at(-2).deref().suspend(); // as a telephone does that rings
              if (chunk.length > 0) break;
            }
          }
        }"""
    )
    devtools = await tab.page.context.new_cdp_session(tab.page)
    left = 12
    for _ in range(20):
        await tab.page.wait_for_timeout(100)
        await devtools.send("HeapProfiler.collectGarbage")
        left = await tab.page.evaluate("kept.filter((one) => one.deref()).length")
        if left == 0:
            break
    assert left == 0, "contexts and worklets"
    assert await tab.page.evaluate("kept.length") == 12


async def test_all_that_was_heard_before_the_microphone_was_let_go_is_given_out(open_page, service):
    tab = await open_page(service.http)
    heard, posted, ends = await tab.page.evaluate(
        """async () => {
          let posted = 0;
          const Real = AudioWorkletNode;
          window.AudioWorkletNode = class extends Real {
            constructor(...all) {
              super(...all);
              this.port.addEventListener("message", ({ data }) => (posted += data === "ended" ? 0 : data.length));
            }
          };
          const { Microphone } = await import("/static/microphone.js");
          let heard = 0;
          const microphone = await Microphone.open();
          for await (const chunk of microphone) {
            if (heard === 0) setTimeout(() => microphone.stop(), 150);
            heard += chunk.length;
          }
          // and the worklet by itself: a hundred samples, and the end
          const posts = [];
          let Chunks;
          window.AudioWorkletProcessor = class { port = { postMessage: (post) => posts.push(post) }; };
          window.registerProcessor = (_, Processor) => (Chunks = Processor);
          window.sampleRate = 16000;
          await import("/static/microphone-worklet.js");
          const worklet = new Chunks();
          const before = worklet.process([[new Float32Array(100)]]);
          worklet.port.onmessage({ data: "end" });
          const after = worklet.process([[]]);
          return [heard, posted, [before, after, ...posts.map((post) => post.length)]];
        }"""
    )
    assert heard == posted > 0
    assert ends == [True, False, 100, len("ended")]


async def test_a_microphone_that_is_unplugged_says_so_after_what_was_heard(open_page, service):
    tab = await open_page(service.http)
    heard, *reasons = await tab.page.evaluate(
        """async () => {
          const { mediaDevices } = navigator;
          const get = mediaDevices.getUserMedia.bind(mediaDevices);
          let track;
          mediaDevices.getUserMedia = async (wanted) => {
            const stream = await get(wanted);
            [track] = stream.getTracks();
            return stream;
          };
          const { Microphone } = await import("/static/microphone.js");
          let heard = 0;
          let held = "";
          try {
            for await (const chunk of await Microphone.open()) {
              if (heard === 0) track.dispatchEvent(new Event("ended"));
              heard += chunk.length;
            }
          } catch ({ message }) {
            held = message;
          }
          mediaDevices.getUserMedia = async (wanted) => {
            const stream = await get(wanted);
            for (const one of stream.getTracks()) one.stop();
            return stream;
          };
          return [heard, held, await Microphone.open().catch(({ message }) => message)];
        }"""
    )
    assert heard > 0
    assert reasons == 2 * ["The microphone was unplugged, or is no longer allowed"]
