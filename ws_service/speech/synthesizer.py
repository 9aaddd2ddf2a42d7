"""What every voice must do, and the one that stands in where none is installed. Knows no session and no socket."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from ws_service.errors import NoVoice


@dataclass(frozen=True, slots=True)
class VoiceDescription:
    """One voice that can be asked for. `language`: BCP 47 where it is known, else empty."""

    name: str
    language: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class VoiceList:
    """`complete`: no other names are known; else `remark` says which others may be asked for."""

    default: str
    voices: tuple[VoiceDescription, ...]
    complete: bool = True
    remark: str = ""


class Synthesizer(Protocol):
    """Sentences to PCM. `name`: which program speaks; `sample_rate_hz`: of all PCM that it gives."""

    name: str
    sample_rate_hz: int

    async def voices(self) -> VoiceList:
        """The voices. Raises `NoVoice`."""
        ...

    async def check(self, voice: str | None) -> str:
        """The voice's name, the default's for None. Raises `VoiceNotFound` or `NoVoice`."""
        ...

    def speak(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        """Mono s16le, each piece of whole samples, as it is made. Raises `VoiceFailed`."""
        ...

    async def close(self) -> None:
        """Give back threads and connections."""
        ...


class NoSynthesizer:
    """No voice is here: every call says how to get one."""

    name = "none"
    sample_rate_hz = 16_000

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def voices(self) -> VoiceList:
        """Raises `NoVoice`."""
        raise NoVoice(self._reason)

    async def check(self, voice: str | None) -> str:
        """Raises `NoVoice`."""
        raise NoVoice(self._reason)

    async def speak(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        """Raises `NoVoice`."""
        raise NoVoice(self._reason)
        yield b""  # what makes this an async generator, as the others are

    async def close(self) -> None:
        """Nothing was opened."""
