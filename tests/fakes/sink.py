"""A `PacketSink` that writes down all it gets, in order, with the time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from protocol.server_messages import ErrorMessage, Ping, ServerMessage
from ws_service.session.interfaces import SentFrame

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Sound:
    """What `sound` was given."""

    pcm: bytes
    audio_ms: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was sent, and when."""

    at_s: float
    session_id: str
    what: SentFrame | Sound | ServerMessage


class RecordingSink:
    """`entries` is the whole conversation. `clock`: the running loop's, when none is given."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self.entries: list[Entry] = []

    def frame(self, session_id: str, frame: SentFrame) -> None:
        self._add(session_id, frame)

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> None:
        self._add(session_id, Sound(pcm, audio_ms, timestamp_ms))

    def event(self, message: ServerMessage) -> None:
        self._add(getattr(message, "session_id", ""), message)

    def ping(self) -> None:
        self._add("", Ping())

    def of(self, kind: type[M]) -> list[M]:
        """All entries of one kind."""
        return [entry.what for entry in self.entries if isinstance(entry.what, kind)]

    @property
    def frames(self) -> list[SentFrame]:
        return self.of(SentFrame)

    @property
    def generated(self) -> list[SentFrame]:
        return [frame for frame in self.frames if frame.generated]

    @property
    def errors(self) -> list[ErrorMessage]:
        return self.of(ErrorMessage)

    @property
    def kinds(self) -> list[str]:
        """Names of the control messages, in order."""
        return [entry.what.type for entry in self.entries if not isinstance(entry.what, SentFrame | Sound)]

    def first_at_s(self, kind: type, *, generated: bool | None = None) -> float:
        """When the first entry of this kind came."""
        for entry in self.entries:
            if isinstance(entry.what, kind) and (generated is None or entry.what.generated == generated):
                return entry.at_s
        raise AssertionError(f"no {kind.__name__} was sent")

    def _add(self, session_id: str, what: SentFrame | Sound | ServerMessage) -> None:
        self.entries.append(Entry(self._clock(), session_id, what))
