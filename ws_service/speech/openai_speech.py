"""A voice on a server that speaks the OpenAI speech API (`POST {base}/audio/speech`): one request for each sentence.

Owns the HTTP connections; httpx's exceptions do not leave it. The API's reference: PCM is s16le, mono, without a header
(https://platform.openai.com/docs/api-reference/audio/createSpeech).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from ws_service.errors import VoiceFailed, VoiceTimeout
from ws_service.speech.synthesizer import VoiceDescription, VoiceList

if TYPE_CHECKING:
    import httpx

DEFAULT_VOICE = "alloy"
TRIES = 2
MAX_SENTENCE_S = 120  # a server that never ends is cut off: no sentence lasts so long, nor takes so long to make
_MAX_QUOTED_BYTES = 4096
_MAX_QUOTED_CHARS = 200
_NOT_PCM = ("application/json", "text/", "audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg", "audio/flac")
_FILE_HEADS = (b"RIFF", b"OggS", b"fLaC", b"ID3")  # whatever its label says: as PCM it would be a click and noise
_HEAD_BYTES = 4


class OpenAiSynthesizer:
    """`default_voice` is the only name that is known to be there; others are handed on as they are."""

    name = "openai"

    def __init__(
        self, base_url: str, api_key: str, model: str, default_voice: str, sample_rate_hz: int, timeout_s: float
    ) -> None:
        """`timeout_s`: for the answer to begin, and for each piece of the sound.

        Raises `ValueError` for a key that HTTP cannot carry.
        """
        import httpx

        if not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("the key holds characters that no HTTP header can carry")

        self.sample_rate_hz = sample_rate_hz
        self._url = base_url.rstrip("/") + "/audio/speech"
        self._model = model
        self._default_voice = default_voice or DEFAULT_VOICE
        self._timeout_s = timeout_s
        self._key = api_key
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout_s)

    async def voices(self) -> VoiceList:
        """The API has no list; servers differ."""
        known = (VoiceDescription(self._default_voice),)
        return VoiceList(self._default_voice, known, False, "Any name that the voice server knows")

    async def check(self, voice: str | None) -> str:
        """Whether the server knows it shows when it speaks."""
        return voice or self._default_voice

    async def speak(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        """PCM as it comes in, in whole samples. A request that failed before any sound is made once more.

        Raises `VoiceFailed`, or `VoiceTimeout` when the server was silent for too long.
        """
        import httpx

        for tries_left in range(TRIES - 1, -1, -1):
            heard = False
            try:
                async with aclosing(self._request(sentence, voice)) as pieces:
                    async for pcm in pieces:
                        heard = True
                        yield pcm
                return
            except _Refused as refused:
                if not (refused.passing and tries_left):
                    raise VoiceFailed(str(refused)) from None
            except (httpx.TimeoutException, TimeoutError):
                if heard or not tries_left:
                    raise VoiceTimeout(f"The voice server sent nothing for {self._timeout_s:g} s") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if heard:
                    raise VoiceFailed("The voice server broke off in mid-sentence") from None
                if not tries_left:
                    why = self._without_key(str(error) or type(error).__name__)
                    raise VoiceFailed(f"The voice server cannot be reached: {why}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _request(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        body = {"model": self._model, "input": sentence, "voice": voice, "response_format": "pcm"}
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._timeout_s + MAX_SENTENCE_S
        request = self._client.build_request("POST", self._url, json=body)
        async with asyncio.timeout(self._timeout_s):  # httpx's own are for each read: a trickle would never end
            response = await self._client.send(request, stream=True)
        try:
            await self._check(response)
            rest, room_bytes = b"", 2 * self.sample_rate_hz * MAX_SENTENCE_S
            begun = False
            async for piece in response.aiter_bytes():
                data = rest + piece
                if not begun and len(data) < _HEAD_BYTES:
                    rest = data
                    continue
                if not begun and data.startswith(_FILE_HEADS):
                    raise _Refused("The voice server answered with a sound file (WAV, Ogg, FLAC or MP3), not with PCM")
                begun = True
                whole = len(data) & ~1  # the other half of a sample comes with the next piece
                rest = data[whole:]
                room_bytes -= whole
                if room_bytes < 0 or loop.time() > until_s:
                    raise _Refused(f"The voice server went on for more than {MAX_SENTENCE_S} s with one sentence")
                if whole:
                    yield data[:whole]
        finally:
            await response.aclose()

    async def _check(self, response: "httpx.Response") -> None:
        if response.status_code != 200:
            passing = response.status_code >= 500 or response.status_code == 429
            said = self._moved_to(response) or await self._first_words(response)
            raise _Refused(f"The voice server answered {response.status_code}: {said}", passing)
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith(_NOT_PCM):
            raise _Refused(f"The voice server answered with {kind[:_MAX_QUOTED_CHARS]}, not with PCM")

    def _moved_to(self, response: "httpx.Response") -> str:
        """Where a redirect leads; it is not followed, for the key is meant for SPEECH_API_URL alone."""
        target = response.headers.get("location", "") if response.is_redirect else ""
        return self._without_key(f"it redirects to {target}")[:_MAX_QUOTED_CHARS] if target else ""

    async def _first_words(self, response: "httpx.Response") -> str:
        """The beginning of an error's body, on one line."""
        import httpx

        body = b""
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(self._timeout_s):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) >= _MAX_QUOTED_BYTES:
                        break
        words = " ".join(body[:_MAX_QUOTED_BYTES].decode("utf-8", "replace").split())
        return self._without_key(words)[:_MAX_QUOTED_CHARS] or "no reason given"

    def _without_key(self, message: str) -> str:
        """Servers and libraries quote what they do not like, and callers of the service need not know its key."""
        return message.replace(self._key, "***") if self._key else message


class _Refused(Exception):
    """The server did not speak. `passing`: it may do so when asked again."""

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
