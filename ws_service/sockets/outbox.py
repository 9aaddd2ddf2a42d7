"""What waits to be sent to one client, in order, with a bound for each kind.

Media past the bound are dropped whole up to the next IDR: the reader sees the gap in the timestamps, never a broken
picture. Control messages are never dropped; a reader that is behind gets one pending ERROR per code, and one that
lets too many pile up, or takes nothing for too long, raises `SlowReader`.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from protocol.server_messages import ErrorMessage, Ping, ServerMessage
from ws_service.errors import SlowReader
from ws_service.metrics import Counts
from ws_service.session.interfaces import SentFrame
from ws_service.sockets.connection import Connection
from ws_service.sockets.dialects import Dialect

MEDIA_FRAMES = 50  # two seconds
BEHIND_FRAMES = 5
BEHIND_MESSAGES = 32
CONTROL_MESSAGES = 256


@dataclass(frozen=True, slots=True)
class _Sound:
    session_id: str
    pcm: bytes
    audio_ms: int
    timestamp_ms: int


class Outbox:
    """A `PacketSink` with a writer: `run` sends until it is cancelled."""

    def __init__(self, dialect: Dialect, reader_timeout_s: float) -> None:
        self.counts = Counts()
        self._dialect = dialect
        self._reader_timeout_s = reader_timeout_s
        self._queue: deque[tuple[str, SentFrame] | _Sound | ServerMessage] = deque()
        self._media = 0
        self._control = 0
        self._until_keyframe = False
        self._next_sound: _Sound | None = None
        self._loop = asyncio.get_running_loop()
        self._sending_since_s: float | None = None
        self._wake: asyncio.Future[None] | None = None

    # ---- the session's side

    def frame(self, session_id: str, frame: SentFrame) -> None:
        """One frame of video."""
        if self._media >= MEDIA_FRAMES:
            self._drop_media()
        if self._until_keyframe:
            if not frame.packet.keyframe:
                self.counts.frames_dropped += 1
                self._next_sound = None
                return
            self._until_keyframe = False
        if self._next_sound is not None:
            self._add(self._next_sound)
            self._next_sound = None
        self._media += 1
        self._add((session_id, frame))

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> None:
        """The sound of the next frame; it goes out, or is dropped, together with it."""
        self._next_sound = _Sound(session_id, pcm, audio_ms, timestamp_ms)

    def event(self, message: ServerMessage) -> None:
        """A control message."""
        if isinstance(message, ErrorMessage) and self._behind() and self._error_waits(message):
            return
        self._control += 1
        self._add(message)

    def ping(self) -> None:
        """The application's own PING."""
        self.event(Ping())

    # ---- the socket's side

    async def run(self, connection: Connection) -> None:
        """Send what comes. Raises `SlowReader` and `PeerGone`."""
        watchdog = self._loop.create_task(self._watch())
        writer = self._loop.create_task(self._write(connection))
        try:
            done, _ = await asyncio.wait((watchdog, writer), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            watchdog.cancel()
            writer.cancel()

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything is handed to the socket, at most so long."""
        until_s = self._loop.time() + timeout_s
        while (self._queue or self._sending_since_s is not None) and self._loop.time() < until_s:
            await asyncio.sleep(0.005)

    async def _write(self, connection: Connection) -> None:
        while True:
            while self._queue:
                message = self._encode()
                self._sending_since_s = self._loop.time()
                await connection.send(message)
                self._sending_since_s = None
            self._wake = self._loop.create_future()
            await self._wake

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            since_s = self._sending_since_s
            if self._control > CONTROL_MESSAGES:
                raise SlowReader(f"More than {CONTROL_MESSAGES} control messages wait to be read")
            if since_s is not None and self._loop.time() - since_s > self._reader_timeout_s:
                raise SlowReader(f"Nothing was read for {self._reader_timeout_s:g} s")

    def _encode(self) -> str | bytes:
        entry = self._queue.popleft()
        if isinstance(entry, tuple):
            self._media -= 1
            return self._dialect.frame(*entry)
        if isinstance(entry, _Sound):
            return self._dialect.sound(entry.session_id, entry.pcm, entry.audio_ms, entry.timestamp_ms)
        self._control -= 1
        return entry.to_json()

    def _add(self, entry: tuple[str, SentFrame] | _Sound | ServerMessage) -> None:
        self._queue.append(entry)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _drop_media(self) -> None:
        kept = [entry for entry in self._queue if not isinstance(entry, tuple | _Sound)]
        self.counts.frames_dropped += self._media
        self._queue = deque(kept)
        self._media = 0
        self._until_keyframe = True

    def _behind(self) -> bool:
        """The reader does not keep up: a frame or message is stuck on its way, or many wait."""
        return self._sending_since_s is not None or self._media >= BEHIND_FRAMES or self._control >= BEHIND_MESSAGES

    def _error_waits(self, message: ErrorMessage) -> bool:
        return any(isinstance(entry, ErrorMessage) and entry.data.code == message.data.code for entry in self._queue)
