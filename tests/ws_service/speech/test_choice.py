"""Which voice a service has."""

import sys

import pytest

from ws_service.errors import NoVoice, StartError
from ws_service.speech.choice import choose_synthesizer
from ws_service.speech.synthesizer import Synthesizer


def chosen(url: str = "", voice: str = "") -> Synthesizer:
    return choose_synthesizer(
        api_url=url, api_key="", api_model="tts-1", api_sample_rate_hz=16_000, api_timeout_s=1, default_voice=voice
    )


async def test_a_server_that_is_set_counts_more_than_the_local_voice() -> None:
    voice = chosen("http://127.0.0.1:1/v1", "nova")
    assert (voice.name, voice.sample_rate_hz, await voice.check(None)) == ("openai", 16_000, "nova")
    await voice.close()


async def test_else_espeak_speaks_where_it_is_installed() -> None:
    pytest.importorskip("espeakng_loader")
    voice = chosen(voice="de")
    assert (voice.name, await voice.check(None)) == ("espeak-ng", "de")
    await voice.close()


async def test_without_any_every_call_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    voice = chosen()
    with pytest.raises(NoVoice, match=r"pip install 'musetalk-stream\[voice\]'.*SPEECH_API_URL"):
        await voice.check(None)
    with pytest.raises(NoVoice):
        await voice.voices()
    with pytest.raises(NoVoice):
        await anext(voice.speak("Hello.", "x"))
    await voice.close()


def test_a_server_without_the_http_client_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(StartError, match=r"musetalk-stream\[voice\]"):
        chosen("http://127.0.0.1:1/v1")
