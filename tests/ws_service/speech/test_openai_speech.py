"""The voice on a server, against one on the loopback: what is asked, how its sound is cut, what its failures become."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from tests.fakes.speech_server import Answer, SpeechServer
from ws_service.errors import VoiceFailed, VoiceTimeout
from ws_service.speech import openai_speech
from ws_service.speech.openai_speech import MAX_SENTENCE_S, OpenAiSynthesizer

PCM = bytes(range(256)) * 40


def voice_of(url: str, **changed: object) -> OpenAiSynthesizer:
    values = {
        "api_key": "",
        "model": "tts-1",
        "default_voice": "",
        "sample_rate_hz": 24_000,
        "timeout_s": 5.0,
        **changed,
    }
    return OpenAiSynthesizer(url, **values)  # type: ignore[arg-type]


async def pieces_of(voice: OpenAiSynthesizer, sentence: str = "Hello.", name: str = "alloy") -> list[bytes]:
    try:
        return [piece async for piece in voice.speak(sentence, name)]
    finally:
        await voice.close()


async def test_it_asks_as_the_api_says() -> None:
    async with SpeechServer([Answer([PCM])]) as server:
        voice = voice_of(server.url + "/", api_key="secret", model="kokoro")
        assert b"".join(await pieces_of(voice, "Guten Tag.", "af_bella")) == PCM
    assert server.paths == ["/v1/audio/speech"]
    assert server.requests == [
        {"model": "kokoro", "input": "Guten Tag.", "voice": "af_bella", "response_format": "pcm"}
    ]
    assert server.headers[0]["authorization"] == "Bearer secret"


async def test_without_a_key_none_is_sent() -> None:
    async with SpeechServer([Answer([PCM])]) as server:
        await pieces_of(voice_of(server.url))
    assert "authorization" not in server.headers[0]


@pytest.mark.parametrize("seed", range(5))
async def test_however_the_body_is_cut_samples_stay_whole_and_none_is_lost(seed: int) -> None:
    rng, cut, at = random.Random(seed), [], 0
    while at < len(PCM):
        size = rng.choice([1, 1, 2, 3, 5, 641, 1280])
        cut.append(PCM[at : at + size])
        at += size
    async with SpeechServer([Answer(cut)]) as server:
        pieces = await pieces_of(voice_of(server.url))
    assert b"".join(pieces) == PCM
    assert all(pieces)
    assert all(len(piece) % 2 == 0 for piece in pieces)


async def test_half_a_sample_at_the_end_is_left_out() -> None:
    async with SpeechServer([Answer([PCM, b"x"])]) as server:
        assert b"".join(await pieces_of(voice_of(server.url))) == PCM


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_once_more(status: int) -> None:
    async with SpeechServer([Answer([b"busy"], status), Answer([PCM])]) as server:
        assert b"".join(await pieces_of(voice_of(server.url))) == PCM
    assert len(server.requests) == 2


async def test_what_fails_twice_is_told_with_the_servers_words() -> None:
    async with SpeechServer([Answer([b"over", b"\n loaded"], 503)]) as server:
        with pytest.raises(VoiceFailed, match="answered 503: over loaded"):
            await pieces_of(voice_of(server.url))
    assert len(server.requests) == 2


async def test_what_was_refused_is_not_tried_again_and_the_key_is_not_told() -> None:
    async with SpeechServer([Answer([b"bad key"], 401)]) as server:
        with pytest.raises(VoiceFailed, match="answered 401: bad key") as failed:
            await pieces_of(voice_of(server.url, api_key="secret"))
    assert len(server.requests) == 1
    assert "secret" not in failed.value.message


async def test_a_key_is_never_told_even_where_the_server_or_the_http_client_quotes_it(caplog: Any) -> None:
    caplog.set_level("DEBUG")
    async with SpeechServer([Answer([b"no such key: sk-secret"], 401)]) as server:
        with pytest.raises(VoiceFailed, match=r"no such key: \*\*\*") as failed:
            await pieces_of(voice_of(server.url, api_key="sk-secret"))
    assert "sk-secret" not in repr(failed.value) + caplog.text
    with pytest.raises(ValueError, match="characters") as wrong:
        voice_of("http://127.0.0.1:1/v1", api_key="sk-secret\n")
    assert "sk-secret" not in str(wrong.value)


@pytest.mark.parametrize("answer", [{}, {"status": 500}], ids=["sound", "error"])
async def test_a_server_that_trickles_does_not_hold_a_speech_forever(
    answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_speech, "MAX_SENTENCE_S", 0.1)
    async with SpeechServer([Answer([b"x"] * 10_000, silence_s=0.01, **answer)]) as server:
        with pytest.raises(VoiceFailed):
            await asyncio.wait_for(pieces_of(voice_of(server.url, timeout_s=0.2)), 5)


async def test_head_lines_that_trickle_do_not_either() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        with pytest.raises(VoiceTimeout):
            await asyncio.wait_for(pieces_of(voice_of(url, timeout_s=0.1)), 5)


async def test_sentences_share_a_connection_and_one_that_is_given_up_is_closed_at_once() -> None:
    async with SpeechServer([Answer([PCM])] * 3 + [Answer([PCM] * 100, silence_s=0.02)]) as server:
        voice = voice_of(server.url)
        for _ in range(3):
            assert b"".join([piece async for piece in voice.speak("Hello.", "alloy")]) == PCM
        assert server.connections == 1
        speaking = voice.speak("Hello.", "alloy")
        await anext(speaking)
        await speaking.aclose()
        assert not voice._client._transport._pool.connections  # type: ignore[attr-defined]
        await voice.close()


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://x" + "y" * 300 + "/v1"])
async def test_an_address_that_is_none_is_a_failure(url: str) -> None:
    with pytest.raises(VoiceFailed, match="cannot be reached"):
        await pieces_of(voice_of(url))


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8", "audio/mpeg"])
async def test_what_is_not_pcm_is_not_played(kind: str) -> None:
    async with SpeechServer([Answer([PCM], content_type=kind)]) as server:
        with pytest.raises(VoiceFailed, match="not with PCM"):
            await pieces_of(voice_of(server.url))


@pytest.mark.parametrize("cut", [1, 3, 4, 44])
@pytest.mark.parametrize("head", [b"RIFF\x24\x9c\x00\x00WAVEfmt ", b"OggS\x00\x02", b"fLaC\x00\x00", b"ID3\x04\x00"])
async def test_a_sound_file_that_is_labelled_pcm_is_not_played(head: bytes, cut: int) -> None:
    body = head.ljust(44, b"\0") + PCM
    async with SpeechServer([Answer([body[:cut], body[cut:]])]) as server:
        with pytest.raises(VoiceFailed, match="a sound file"):
            await pieces_of(voice_of(server.url))
    assert len(server.requests) == 1


async def test_what_a_file_begins_with_is_sound_in_the_middle_of_sound() -> None:
    async with SpeechServer([Answer([PCM, b"RIFF", PCM])]) as server:
        assert b"".join(await pieces_of(voice_of(server.url))) == PCM + b"RIFF" + PCM


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirect_is_told_and_not_followed(status: int) -> None:
    async with SpeechServer([Answer([], status, location="/v2/secret")]) as server:
        with pytest.raises(VoiceFailed, match=rf"answered {status}: it redirects to /v2/\*\*\*$"):
            await pieces_of(voice_of(server.url, api_key="secret"))
    assert server.paths == ["/v1/audio/speech"]


async def test_a_server_that_is_silent_is_asked_once_more_and_then_timed_out() -> None:
    async with SpeechServer([Answer([PCM], silence_s=5.0)]) as server:
        with pytest.raises(VoiceTimeout, match=r"nothing for 0\.05 s"):
            await pieces_of(voice_of(server.url, timeout_s=0.05))
    assert len(server.requests) == 2


async def test_after_the_first_sound_nothing_is_said_twice() -> None:
    async with SpeechServer([Answer([PCM], whole=False), Answer([PCM])]) as server:
        voice = voice_of(server.url)
        speaking = voice.speak("Hello.", "alloy")
        assert await anext(speaking) == PCM
        with pytest.raises(VoiceFailed, match="broke off"):
            await anext(speaking)
        await voice.close()
    assert len(server.requests) == 1


async def test_a_server_that_falls_silent_in_mid_sentence_is_not_asked_again() -> None:
    async with SpeechServer([Answer([PCM], stall_s=5.0)]) as server:
        voice = voice_of(server.url, timeout_s=0.5)
        speaking = voice.speak("Hello.", "alloy")
        assert await anext(speaking) == PCM
        with pytest.raises(VoiceTimeout, match=r"nothing for 0\.5 s"):
            await anext(speaking)
        await voice.close()
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    async with SpeechServer([]) as server:
        url = server.url
    with pytest.raises(VoiceFailed, match="cannot be reached"):
        await pieces_of(voice_of(url))


async def test_a_body_without_an_end_is_cut_off() -> None:
    second = bytes(2 * 8_000)
    async with SpeechServer([Answer([second] * (MAX_SENTENCE_S + 1))]) as server:
        with pytest.raises(VoiceFailed, match="more than 120 s"):
            await pieces_of(voice_of(server.url, sample_rate_hz=8_000))


async def test_the_default_voice_is_listed_and_any_other_is_handed_on() -> None:
    voice = voice_of("http://127.0.0.1:1/v1", default_voice="nova")
    listed = await voice.voices()
    assert (listed.default, [known.name for known in listed.voices], listed.complete) == ("nova", ["nova"], False)
    assert await voice.check(None) == "nova"
    assert await voice.check("shimmer") == "shimmer"
    await voice.close()
