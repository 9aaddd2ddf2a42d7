"""avatar-client.js by itself: what is wrong is refused in a sentence, and what breaks leaves nothing hanging."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.running_service import RunningService
from tests.fakes.speech_server import Answer, SpeechServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BLANK = "static/icon.svg"  # a document of the service's own without any script
# the client's class and a few words, for what is run in the page; every socket's messages are kept
WORDS = """
window.sent = [];
window.sockets = [];
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (message) { sent.push(message); return send.call(this, message); };
const Real = WebSocket;
window.WebSocket = class extends Real { constructor(...all) { super(...all); sockets.push(this); } };
window.AvatarClient = (await import("/static/avatar-client.js")).AvatarClient;
window.open = async (options) => {
  const client = new AvatarClient(location.origin, { userId: "tester", ...options });
  await client.connect();
  return client;
};
window.pcm = (ms) => new Int16Array(16 * ms).fill(1000);
window.later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
window.why = (promise) => promise.then(() => "no error", (error) => error.message);
window.until = async (seen) => { while (!seen()) await later(10); };
"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Any, service: Any) -> AsyncIterator[Any]:
    """A document of the service's origin with the client in it; no error may be left on its console."""
    context = await chromium.new_context()
    page = await context.new_page()
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    await page.goto(f"{service.http}/{BLANK}")
    await page.evaluate(f"async () => {{ {WORDS} }}")
    yield page
    await context.close()
    assert [text for text in page.errors if "404" not in text] == [], "but for the icon that browsers look for"


async def test_speech_said_right_after_an_interruption_of_much_speech_is_spoken(page):
    """What was sent and cut off no longer counts as unspoken."""
    spoken = await page.evaluate(
        """async () => {
          const client = await open();
          const long = client.speak(pcm(40_000));
          await later(400);
          client.interrupt();
          const after = await client.speak(pcm(120));
          return [(await long).interrupted, after];
        }"""
    )
    assert spoken == [True, {"positionMs": 120, "interrupted": False}]


async def test_no_more_is_sent_ahead_than_the_service_may_hold_nor_in_larger_pieces(page):
    seconds, largest = await page.evaluate(
        """async () => {
          const client = await open();
          async function* source() { yield pcm(50_000); }
          client.speak(source()).catch(() => {});
          await later(700);
          const sizes = sent.filter((message) => typeof message !== "string").map((message) => message.byteLength - 20);
          return [sizes.reduce((sum, size) => sum + size, 0) / 32_000, Math.max(...sizes)];
        }"""
    )
    assert 19 < seconds < 22
    assert largest == 6400


async def test_bytes_cut_anywhere_are_the_speech_they_were(page):
    spoken = await page.evaluate(
        """async () => {
          const client = await open();
          const bytes = new Uint8Array(pcm(400).buffer);
          async function* source() {
            for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777);
          }
          const spoken = [];
          for (const speech of [source(), bytes.buffer, new Int16Array(0)]) spoken.push(await client.speak(speech));
          return spoken;
        }"""
    )
    whole = {"positionMs": 400, "interrupted": False}
    assert spoken == [whole, whole, {"positionMs": 0, "interrupted": False}]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("speak(new Float32Array(640))", "speech is s16 PCM"),
        ("speak('hello')", "speech is s16 PCM"),
        ("speak(pcm(40), { video: 'none' })", "none"),
        ("speak(pcm(40), { sampleRate: 96_000 })", "sampleRate is 8000 to 48000"),
        ("speak(pcm(400), { utteranceId: 'same' })", "utteranceId is in use"),
    ],
)
async def test_what_cannot_be_spoken_is_refused_and_the_next_is_spoken(page, call, sentence):
    refusal, after = await page.evaluate(
        f"""async () => {{
          const client = await open();
          const first = {str("same" in call).lower()} && client.speak(pcm(80), {{ utteranceId: "same" }});
          const refusal = await why(client.{call});
          await first;
          return [refusal, await client.speak(pcm(40))];
        }}"""
    )
    assert sentence in refusal
    assert after == {"positionMs": 40, "interrupted": False}


async def test_a_source_that_throws_fails_its_own_speech_only(page):
    refusal, after = await page.evaluate(
        """async () => {
          const client = await open();
          async function* broken() { yield pcm(100); throw new Error("the voice broke"); }
          const refusal = why(client.speak(broken()));
          return [await refusal, await client.speak(pcm(80))];
        }"""
    )
    assert refusal == "the voice broke"
    assert after["interrupted"] is False


async def test_an_error_that_names_an_utterance_concerns_no_other(page, avatars_dir):
    """A text of two sentences whose second fails in the voice server, and the client's own speech behind it."""
    async with SpeechServer([Answer([bytes(32_000)]), Answer([b"no"], 400)]) as voice:
        service = await asyncio.to_thread(RunningService(avatars_dir, SPEECH_API_URL=voice.url).__enter__)
        try:
            spoken, errors = await page.evaluate(
                """async (url) => {
                  const client = new AvatarClient(url, { userId: "tester" });
                  const errors = [];
                  client.onevent = ({ type, data }) => type === "ERROR" && errors.push(data.details.utterance_id);
                  await client.connect();
                  const body = JSON.stringify({ text: "One sentence is said. Another one fails.", user_id: "tester" });
                  const headers = { "Content-Type": "application/json" };
                  const answer = await fetch(new URL("/speak", url), { method: "POST", headers, body });
                  const spoken = client.speak(pcm(200)).catch(({ message }) => message);
                  const { utterance_id } = await answer.json();
                  const outcome = await spoken;
                  client.close();
                  return [outcome, errors.map((id) => id === utterance_id)];
                }""",
                service.http,
            )
        finally:
            await asyncio.to_thread(service.stop)
    assert errors == [True]
    assert spoken == {"positionMs": 200, "interrupted": False}


async def test_callbacks_that_throw_stop_nothing(page):
    seen = await page.evaluate(
        """async () => {
          const reported = new Set();
          window.onerror = (text) => { reported.add(text); return true; };
          const client = new AvatarClient(location.origin, { userId: "tester" });
          const thrower = (name) => () => { throw new Error(name); };
          Object.assign(client, { onframe: thrower("frame"), onevent: thrower("event"), onstatus: thrower("status") });
          await client.connect();
          const spoken = await client.speak(pcm(80));
          sockets.at(-1).close(4000);
          await until(() => sockets.length === 2 && client.connected);
          return [spoken.positionMs, [...reported].sort()];
        }"""
    )
    assert seen == [80, ["Uncaught Error: event", "Uncaught Error: frame", "Uncaught Error: status"]]


async def test_closing_while_it_connects_leaves_nothing_behind(page):
    seen = await page.evaluate(
        """async () => {
          const client = new AvatarClient(location.origin, { userId: "tester" });
          const states = [];
          client.onstatus = ({ state }) => states.push(state);
          const first = why(client.connect());
          client.close();
          const inCallback = new AvatarClient(location.origin, { userId: "tester" });
          inCallback.onstatus = ({ state }) => state === "connecting" && inCallback.close();
          const second = await why(inCallback.connect());
          await later(300);
          return [await first, second, states, client.connected, sockets.map(({ readyState }) => readyState)];
        }"""
    )
    assert seen == ["closed by this page", "closed by this page", ["connecting", "closed"], False, [3, 3]]


async def test_what_is_awaited_when_the_page_leaves_was_given_up_by_itself_and_else_lost(page):
    names = await page.evaluate(
        """async () => {
          const client = await open();
          const name = (promise) => promise.then(() => "no error", (error) => [error.name, error instanceof Error]);
          const left = name(client.speak(pcm(4000)));
          client.close();
          const again = client.connect();
          client.close();
          const connecting = name(again);
          await client.connect();
          const lost = name(client.speak(pcm(4000)));
          sockets.at(-1).close(4000);
          return Promise.all([left, connecting, lost]);
        }"""
    )
    assert names == [["AbortError", True], ["AbortError", True], ["NetworkError", True]]


async def test_a_connection_made_after_a_close_hears_nothing_of_the_one_before(page):
    seen = await page.evaluate(
        """async () => {
          const client = await open();
          const states = [];
          let frames = 0, last = -1, backwards = 0;
          client.onstatus = ({ state, attempt }) => states.push([state, attempt]);
          client.close();
          client.onframe = ({ timestampMs }) => { frames += 1; backwards += timestampMs <= last; last = timestampMs; };
          await client.connect();
          await until(() => frames > 10);
          return [states, backwards, await client.speak(pcm(40))];
        }"""
    )
    assert seen == [[["closed", 1], ["connecting", 1], ["open", 1]], 0, {"positionMs": 40, "interrupted": False}]


async def test_an_address_that_is_none_is_told_at_once(page):
    refusal = await page.evaluate(
        "why(new AvatarClient('http://host:99999', { userId: 'x' }).connect()).then((why) => [why, sockets.length])"
    )
    assert "invalid" in refusal[0]
    assert refusal[1] == 0


async def test_a_reason_of_long_ago_is_not_given_for_a_broken_connection(page):
    reasons = await page.evaluate(
        """async () => {
          const client = await open();
          const reasons = [];
          client.onstatus = ({ state, reason }) => state === "waiting" && reasons.push(reason);
          client.action(99);
          await later(100);
          sockets.at(-1).onclose({ code: 1006, reason: "" });
          client.close();
          return reasons;
        }"""
    )
    assert reasons == ["the server cannot be reached"]


async def test_each_way_in_which_the_service_closes_is_told_in_words(page):
    reasons = await page.evaluate(
        """async () => {
          const client = await open();
          const reasons = [];
          client.onstatus = ({ state, reason }) => state === "waiting" && reasons.push(reason);
          for (const code of [1001, 1007, 1011]) {
            sockets.at(-1).onclose({ code, reason: "" });
            await until(() => client.connected);
          }
          client.close();
          return reasons;
        }"""
    )
    assert reasons == ["the server stops", "what this page sent could not be read", "the service failed"]


async def test_a_server_that_falls_silent_is_left_and_tried_again(page):
    async def say_nothing(_: Any) -> None:
        return

    await page.clock.install()
    await page.route_web_socket("**/musetalk/v1/ws/silent", say_nothing)
    await page.evaluate(
        """() => {
          window.client = new AvatarClient(location.origin, { userId: "silent" });
          window.statuses = [];
          client.onstatus = ({ state, reason }) => statuses.push([state, reason]);
          client.connect().catch(() => {});
        }"""
    )
    await page.clock.run_for(13_000)
    statuses = await page.evaluate("client.close(), statuses")
    assert statuses[:3] == [["connecting", ""], ["waiting", "the server fell silent"], ["connecting", ""]]
