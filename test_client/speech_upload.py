"""Cuts PCM into chunks and paces them. Owns no socket; must not import the service."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable

from protocol.timing import FRAME_MS

CHUNK_MS = FRAME_MS
_MAX_CATCH_UP_S = 1.0


class Pace:
    """Waits for the next point of a grid that starts at the first call.

    A caller that is late catches up, as a microphone's buffer does; by more than a second, the grid starts anew.
    """

    def __init__(self, step_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_s = step_s
        self._clock = clock
        self._due_s: float | None = None

    def delay_s(self) -> float:
        """Takes the next point; says how long to wait for it, 0 when it has passed."""
        now_s = self._clock()
        if self._due_s is None or now_s - self._due_s > _MAX_CATCH_UP_S:
            self._due_s = now_s
        delay_s = max(self._due_s - now_s, 0.0)
        self._due_s += self._step_s
        return delay_s

    async def next(self) -> None:
        """Waits for the next point."""
        await asyncio.sleep(self.delay_s())


async def chunks(
    audio: bytes | AsyncIterable[bytes], sample_rate: int, channels: int, chunk_ms: int = CHUNK_MS
) -> AsyncIterator[bytes]:
    """Chunks of `chunk_ms` of s16le PCM, the last one shorter, from a whole sound or from pieces of any length."""
    if chunk_ms < 1:
        raise ValueError(f"chunk_ms must be at least 1, not {chunk_ms}")
    size_bytes = sample_rate * chunk_ms // 1000 * channels * 2
    rest = b""
    async for piece in _pieces(audio):
        rest += piece
        whole = len(rest) // size_bytes * size_bytes
        for at in range(0, whole, size_bytes):
            yield rest[at : at + size_bytes]
        rest = rest[whole:]
    if rest:
        yield rest


async def _pieces(audio: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(audio, bytes | bytearray | memoryview):
        yield bytes(audio)
        return
    async for piece in audio:
        yield piece
