"""A WebSocket client for tests that speaks the text dialect by hand.

It sends what it is told, right or wrong, and keeps all that comes with its time of arrival. It shares no code with
the service or the client library.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

Message = dict[str, Any]


@dataclass
class Received:
    """One message and when it came."""

    at_s: float
    message: Message

    @property
    def type(self) -> str:
        return self.message["type"]

    @property
    def data(self) -> Message:
        return self.message.get("data", {})


@dataclass
class Conversation:
    """One connection, reading in the background. `patience` multiplies every time-out: engines differ in speed."""

    url: str
    options: Message = field(default_factory=dict)
    patience: float = 1.0
    received: list[Received] = field(default_factory=list)
    sent_s: dict[str, float] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.connecting_s = time.monotonic()
        self.socket: ClientConnection = await connect(self.url, compression=None, max_size=None, **self.options)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self.socket.close()

    async def _read(self) -> None:
        async for text in self.socket:
            at_s = time.monotonic()
            self.received.append(Received(at_s, json.loads(text)))

    async def say(self, kind: str, data: Message | None = None, **envelope: Any) -> None:
        """Send one message; `sent_s[kind]` keeps the first time."""
        self.sent_s.setdefault(kind, time.monotonic())
        await self.socket.send(json.dumps({"type": kind, **envelope, "data": {} if data is None else data}))

    async def generate(self, pcm: bytes, **data: Any) -> None:
        """GENERATE with 16 kHz mono PCM; `duration_ms` says 40 whatever the bytes are, as real clients do."""
        chunk = {
            "format": "pcm_s16le",
            "sample_rate": 16000,
            "channels": 1,
            "duration_ms": 40,
            "data": base64.b64encode(pcm).decode(),
        }
        await self.say("GENERATE", {"audio_chunk": chunk, **data})

    async def until(self, condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Wait for something to have come."""
        async with asyncio.timeout(timeout_s * self.patience):
            while not condition():
                assert not self._reader.done() or condition(), f"the socket closed with {self.socket.close_code}"
                await asyncio.sleep(0.005)

    async def next(self, kind: str, count: int = 1, timeout_s: float = 15.0) -> Received:
        """The `count`-th message of this type."""
        await self.until(lambda: len(self.of(kind)) >= count, timeout_s)
        return self.of(kind)[count - 1]

    async def frames_more(self, count: int) -> None:
        """Wait for so many further frames."""
        target = len(self.frames) + count
        await self.until(lambda: len(self.frames) >= target, 5 + count * 0.04 * 3)

    async def closed(self, timeout_s: float = 15.0) -> int | None:
        """Wait for the server's close; its code."""
        async with asyncio.timeout(timeout_s * self.patience):
            await asyncio.gather(self._reader, return_exceptions=True)
            await self.socket.wait_closed()
        return self.socket.close_code

    def of(self, *kinds: str) -> list[Received]:
        """All messages of these types."""
        return [r for r in self.received if r.type in kinds]

    @property
    def frames(self) -> list[Received]:
        """VIDEO_FRAME and ACTION_FRAME."""
        return self.of("VIDEO_FRAME", "ACTION_FRAME")

    @property
    def generated(self) -> list[Received]:
        """The frames that consumed speech."""
        return [f for f in self.frames if f.data["generated"]]

    def pictures(self) -> list[np.ndarray]:
        """Every frame decoded, (512, 512, 3) uint8 BGR; fails when a packet gives no picture or more than one."""
        return decode([base64.b64decode(f.data["frame_data"]) for f in self.frames])


def decode(packets: list[bytes]) -> list[np.ndarray]:
    """One picture per packet, each at once."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"flags": "+low_delay", "err_detect": "explode"}
    decoder.thread_count = 1
    pictures = []
    for number, packet in enumerate(packets):
        shown = decoder.decode(av.Packet(packet))
        assert len(shown) == 1, f"packet {number} gave {len(shown)} pictures"
        pictures.append(shown[0].to_ndarray(format="bgr24"))
    return pictures
