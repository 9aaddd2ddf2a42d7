"""Text in, a speaking face out: the real server, the real voice, a real WebSocket client; and a voice on a server."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import COMMAND, RunningService
from tests.fakes.speech_server import Answer, SpeechServer

Talk = Callable[..., Conversation]
TEXT = "Good morning. How are you today?"
WITHOUT_ESPEAK = "import sys; sys.modules['espeakng_loader'] = None; " + COMMAND


@pytest_asyncio.fixture
async def http(service: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.http, trust_env=False) as client:
        yield client


async def init(c: Conversation) -> str:
    """INIT with sound; the session's id."""
    await c.say("INIT", {"user_id": c.url.rpartition("/")[2], "audio_out": True})
    return (await c.next("INIT_SUCCESS")).message["session_id"]


def sound(c: Conversation) -> bytes:
    return b"".join(base64.b64decode(frame.data["data"]) for frame in c.of("AUDIO_FRAME"))


async def test_a_text_is_spoken_with_its_sound_in_order(http: httpx.AsyncClient, talk: Talk) -> None:
    pytest.importorskip("espeakng_loader")
    async with talk("reader") as c:
        session_id = await init(c)
        asked_s = time.monotonic()
        answer = await http.post("/speak", json={"text": TEXT, "session_id": session_id})
        started = await c.next("SPEAK_STARTED")
        ended = await c.next("SPEAK_ENDED")
        body = answer.json()
        assert (answer.status_code, body["session_id"], body["voice"]) == (202, session_id, "en-us")
        assert started.data == {"utterance_id": body["utterance_id"], "text": TEXT}
        assert ended.data["utterance_id"] == body["utterance_id"]
        assert not ended.data["interrupted"]
    print(f"from the call to SPEAK_STARTED: {1000 * (started.at_s - asked_s):.0f} ms")
    positions = [frame.data["audio_ms"] for frame in c.generated]
    assert positions == list(range(0, ended.data["position_ms"], 40))
    assert 1_000 < ended.data["position_ms"] < 5_000
    order = [r for r in c.received if r in c.generated or r.type.startswith("SPEAK")]
    assert (order[0].type, order[-1].type) == ("SPEAK_STARTED", "SPEAK_ENDED")
    assert all(b.data["frame_timestamp"] - a.data["frame_timestamp"] == 40 for a, b in pairwise(c.frames))
    samples = np.frombuffer(sound(c), "<i2")
    assert len(samples) == 640 * len(positions)
    assert np.abs(samples).max() > 3000


async def test_texts_queue_and_interrupt_cuts_in(http: httpx.AsyncClient, talk: Talk) -> None:
    pytest.importorskip("espeakng_loader")
    async with talk("queuer") as c:
        await c.next("VIDEO_FRAME")
        for text in ("A first text that takes a while to say.", "A second one.", "A third one."):
            assert (await http.post("/speak", json={"text": text, "user_id": "queuer"})).status_code == 202
        await c.next("SPEAK_STARTED", 2)
        said = await http.post(
            "/speak", json={"text": "Stop. Guten Tag.", "user_id": "queuer", "voice": "de+f2", "interrupt": True}
        )
        assert said.json()["voice"] == "de+f2"
        await c.next("SPEAK_ENDED", 3)
    texts = [started.data["text"] for started in c.of("SPEAK_STARTED")]
    assert texts == ["A first text that takes a while to say.", "A second one.", "Stop. Guten Tag."]
    assert [ended.data["interrupted"] for ended in c.of("SPEAK_ENDED")] == [False, True, False]
    assert len(c.of("INTERRUPTED")) == 1


async def test_the_clients_interrupt_silences_a_text(http: httpx.AsyncClient, talk: Talk) -> None:
    pytest.importorskip("espeakng_loader")
    async with talk("stopper") as c:
        await c.next("VIDEO_FRAME")
        await http.post("/speak", json={"text": "One sentence more. " * 20, "user_id": "stopper"})
        await c.next("SPEAK_STARTED")
        await c.say("INTERRUPT")
        await c.next("INTERRUPTED")
        generated = len(c.generated)
        await c.frames_more(25)
    assert len(c.generated) == generated


async def test_whose_session_is_not_clear_is_asked_for(http: httpx.AsyncClient, talk: Talk) -> None:
    pytest.importorskip("espeakng_loader")
    async with talk("twin") as one, talk("twin") as other:
        await asyncio.gather(one.next("VIDEO_FRAME"), other.next("VIDEO_FRAME"))
        ambiguous = await http.post("/speak", json={"text": TEXT, "user_id": "twin"})
        unknown = await http.post("/speak", json={"text": TEXT, "user_id": "nobody"})
    assert (ambiguous.status_code, unknown.status_code) == (409, 404)
    assert ambiguous.headers["content-type"] == "application/problem+json"
    assert "2 sessions" in ambiguous.json()["detail"]


async def test_a_voice_on_a_server_is_heard_sample_for_sample(avatars_dir: Path, service: RunningService) -> None:
    pcm = (8000 * np.sin(np.arange(9_600) / 20)).astype("<i2").tobytes()
    odd = [pcm[:1], pcm[1:1000], pcm[1000:1003], pcm[1003:]]
    settings = {"SPEECH_API_SAMPLE_RATE": "16000", "SPEECH_API_KEY": "secret", "SPEECH_API_TIMEOUT_S": "5"}
    async with SpeechServer([Answer(odd), Answer([b"busy"], 503), Answer(odd), Answer([b"no"], 400)]) as server:
        remote = await asyncio.to_thread(
            RunningService(avatars_dir, SPEECH_API_URL=server.url, NO_PROXY="127.0.0.1", **settings).__enter__
        )
        try:
            async with (
                httpx.AsyncClient(base_url=remote.http, trust_env=False) as http,
                Conversation(f"{remote.websocket}/musetalk/v1/ws/remote") as c,
            ):
                await init(c)
                answer = await http.post("/speak", json={"text": TEXT, "voice": "nova"})
                assert answer.status_code == 202
                ended = await c.next("SPEAK_ENDED")
                assert ended.data["position_ms"] == 1_200
                assert sound(c) == 2 * pcm
                refused = await http.post("/speak", json={"text": TEXT})
                assert (refused.status_code, refused.json()["status"]) == (502, 502)
                assert "answered 400: no" in refused.json()["detail"]
                assert (await http.get("/voices")).json()["synthesizer"] == "openai"
                assert not c.of("ERROR")
        finally:
            await asyncio.to_thread(remote.stop)
    assert [request["input"] for request in server.requests[:3]] == [TEXT[:13], TEXT[14:], TEXT[14:]]
    assert {request["voice"] for request in server.requests} == {"nova", "alloy"}


async def test_without_a_voice_the_service_says_how_to_get_one(avatars_dir: Path, service: RunningService) -> None:
    mute = await asyncio.to_thread(RunningService(avatars_dir, WITHOUT_ESPEAK).__enter__)
    try:
        async with httpx.AsyncClient(base_url=mute.http, trust_env=False) as http:
            refused, listed = await http.post("/speak", json={"text": TEXT}), await http.get("/voices")
        assert (refused.status_code, listed.status_code, listed.json()["voices"]) == (503, 200, [])
        for sentence in (refused.json()["detail"], listed.json()["reason"]):
            assert "pip install 'musetalk-stream[voice]'" in sentence
    finally:
        await asyncio.to_thread(mute.stop)


async def test_a_page_of_another_origin_may_ask_first(http: httpx.AsyncClient) -> None:
    asked = await http.options(
        "/speak",
        headers={
            "Origin": "https://page.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert asked.status_code == 200
    assert "POST" in asked.headers["access-control-allow-methods"]
