"""The local voice: espeak-ng on a thread of its own, a sentence at a time, so that texts of several sessions take
turns.
"""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches

from ws_service.errors import NoVoice, VoiceNotFound
from ws_service.speech.espeak_library import EspeakLibrary
from ws_service.speech.synthesizer import VoiceList

DEFAULT_VOICE = "en-us"
HOW_TO_GET_ONE = (
    "No voice is installed: `pip install 'musetalk-stream[voice]'` brings one (espeak-ng, GPL-3), "
    "or SPEECH_API_URL names a server that speaks the OpenAI speech API"
)


@dataclass(frozen=True, slots=True)
class _Loaded:
    library: EspeakLibrary
    voices: VoiceList
    variants: frozenset[str]


class EspeakSynthesizer:
    """Loads the library when it is first asked for anything."""

    name = "espeak-ng"
    sample_rate_hz = 22_050  # of all voices that espeak-ng brings itself

    def __init__(self, library_path: str, data_path: str, default_voice: str = "") -> None:
        self._paths = (library_path, data_path)
        self._default_voice = default_voice or DEFAULT_VOICE
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice")
        self._loading: asyncio.Future[_Loaded] | None = None

    async def voices(self) -> VoiceList:
        """One for each language; each with any of the variants."""
        return (await self._loaded()).voices

    async def check(self, voice: str | None) -> str:
        """The voice's name. Raises `VoiceNotFound`, or `NoVoice` when the library cannot be loaded."""
        loaded = await self._loaded()
        wanted = voice or self._default_voice
        language, plus, variant = wanted.partition("+")
        known = any(language == listed.name for listed in loaded.voices.voices)
        if not known or (plus and variant not in loaded.variants):
            whose = "" if voice else " (DEFAULT_VOICE)"
            near = _nearest(language, [listed.name for listed in loaded.voices.voices])
            hint = f"near it are {', '.join(near)}; " if near and not known else ""
            raise VoiceNotFound(f"There is no voice {wanted!r}{whose}; {hint}GET /voices lists them", {"voice": wanted})
        return wanted

    async def speak(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        """The whole sentence at once. Raises `VoiceFailed`."""
        library = (await self._loaded()).library
        pcm = await asyncio.get_running_loop().run_in_executor(self._thread, library.speak, sentence, voice)
        if pcm:
            yield pcm

    async def close(self) -> None:
        """End the thread, after what it says just now; nothing is taken on any more."""
        loading, closing = self._loading, None
        if loading is not None and loading.done() and loading.exception() is None:
            closing = asyncio.get_running_loop().run_in_executor(self._thread, loading.result().library.close)
        self._thread.shutdown(wait=False)  # at once: a sentence behind `close` would find the library's memory gone
        if closing is not None:
            await closing

    async def _loaded(self) -> _Loaded:
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        return await asyncio.shield(self._loading)

    def _load(self) -> _Loaded:
        library = EspeakLibrary(*self._paths)
        if library.sample_rate_hz != self.sample_rate_hz:
            raise NoVoice(f"espeak-ng speaks at {library.sample_rate_hz} Hz, not at {self.sample_rate_hz}")
        voices, variants = library.voices(), library.variants()
        if not voices:
            raise NoVoice(f"espeak-ng finds no voices in {self._paths[1]}")
        remark = f"Add +{variants[0]} or another variant to a name: {', '.join(variants)}" if variants else ""
        return _Loaded(library, VoiceList(self._default_voice, voices, not variants, remark), frozenset(variants))


def _nearest(language: str, names: list[str]) -> list[str]:
    """Those written nearly so, else those of the same language, the shortest first."""
    same = [name for name in names if name.partition("-")[0] == language.partition("-")[0].lower()]
    return get_close_matches(language.replace("_", "-").lower(), names) or sorted(same, key=len)[:3]
