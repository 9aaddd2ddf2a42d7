"""A `VideoSource` that encodes nothing: its packets say in words which picture they hold."""

import asyncio
from dataclasses import dataclass

from models.interface import Mouth
from protocol.timing import GOP_FRAMES
from ws_service.errors import ProcessingFailed
from ws_service.session.timeline import BaseTick
from ws_service.video.packet import MouthLost, Packet


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture that was asked for. `shared`: taken from the loop."""

    base: BaseTick
    mouth: Mouth | None
    weight: float
    shared: bool


class FakeVideo:
    """Takes the loop's packet where a closed GOP begins or where it goes on with the loop, as the real one does."""

    def __init__(self, encode_s: float = 0.0) -> None:
        self.codec = "avc1.42C01E"
        self.encode_s = encode_s
        self.failures = 0  # so many of the next encodes fail
        self.unpainted = 0  # so many of the next mouths cannot be painted
        self.shown: list[Shown] = []
        self.closed = False
        self._loop_next: tuple[str, int] | None = None

    def shared(self, base: BaseTick) -> Packet | None:
        assert not self.closed
        if base.fade is not None or (base.index % GOP_FRAMES and (base.video, base.index) != self._loop_next):
            return None
        self._loop_next = (base.video, base.index + 1)
        return self._packet(Shown(base, None, 0.0, True), keyframe=base.index % GOP_FRAMES == 0)

    async def encode(self, base: BaseTick, mouth: Mouth | None, weight: float) -> Packet:
        assert not self.closed
        if self.encode_s:
            await asyncio.sleep(self.encode_s)
        if self.failures:
            self.failures -= 1
            raise ProcessingFailed("The encoder failed")
        fresh, self._loop_next = self._loop_next is not None, None
        if mouth is not None and self.unpainted:
            self.unpainted -= 1
            raise MouthLost("No paint", self._packet(Shown(base, None, 0.0, False), keyframe=fresh))
        return self._packet(Shown(base, mouth, weight, False), keyframe=fresh)

    def close(self) -> None:
        self.closed = True

    def _packet(self, shown: Shown, *, keyframe: bool) -> Packet:
        self.shown.append(shown)
        mouth = "" if shown.mouth is None else f" mouth {shown.weight:.2f}"
        return Packet(f"{shown.base.video}[{shown.base.index}]{mouth}".encode(), keyframe)
