"""One session's H.264: the shared loop's packets where the stream allows it, this session's own encoder otherwise.

Painting and encoding run on the encoder pool, one picture of a session at a time. The encoder lives only while it is
needed: it is opened at the first picture that is not the loop's, and given back when the loop has taken over again.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import structlog

from models.interface import BaseFrame, LipSyncEngine, Mouth, Picture
from models.prepared_avatar import PreparedAvatar
from ws_service.errors import ProcessingFailed
from ws_service.video.bridges import mixed
from ws_service.video.encoder import X264, H264Encoder
from ws_service.video.idle_order import bridge_name
from ws_service.video.loop import EncodedLoop
from ws_service.video.packet import MouthLost, Packet
from ws_service.video.splicer import Splicer


class Leaving(Protocol):
    """The picture a cross-fade comes from; `weight` is what is still seen of it."""

    @property
    def video(self) -> str:
        """Base video."""
        ...

    @property
    def index(self) -> int:
        """Picture of it."""
        ...

    @property
    def weight(self) -> float:
        """Share of it that is still seen, 0..1."""
        ...


class BasePicture(Protocol):
    """What the timeline shows at a tick."""

    @property
    def video(self) -> str:
        """Base video."""
        ...

    @property
    def index(self) -> int:
        """Picture of it."""
        ...

    @property
    def fade(self) -> Leaving | None:
        """What is being left."""
        ...


@dataclass(frozen=True, slots=True)
class _Made:
    """`failure`: why the mouth is missing, or, without a packet, why nothing could be encoded."""

    packet: Packet | None
    failure: Exception | None
    restarted: bool


class VideoSource:
    """See the module. Not for use by two tasks at once."""

    def __init__(
        self,
        avatar: PreparedAvatar,
        loops: Mapping[str, EncodedLoop],
        engine: LipSyncEngine,
        pool: Executor,
        *,
        all_intra: bool,
        encoder_name: str = X264,
    ) -> None:
        self._avatar = avatar
        self._loops = loops
        self._engine = engine
        self._pool = pool
        self._all_intra = all_intra
        self._encoder_name = encoder_name
        self._splicer = Splicer(all_intra=all_intra)
        self._encoder: H264Encoder | None = None
        self._bridge: str | None = None  # whose packet was the last one taken of a loop

    @property
    def codec(self) -> str:
        """RFC 6381 codec string, read from the loops' SPS."""
        return next(iter(self._loops.values())).codec

    def shared(self, base: BasePicture) -> Packet | None:
        """The loop's packet for an untouched base picture; None when the stream needs the encoder here."""
        loop = base.video if base.fade is None and self._bridge is None else self._bridge_of(base)
        if loop is None or not self._splicer.takes_loop(loop, base.index):
            return None
        self._bridge = None if loop == base.video else loop
        self._let_encoder_go()
        return self._loops[loop].packets[base.index]

    def _bridge_of(self, base: BasePicture) -> str | None:
        """The loop to take during a change of base video: the bridge on which the stream is, or that begins here."""
        if base.fade is not None:
            name = bridge_name(base.fade.video, base.video)
            return name if name in self._loops and base.fade.index == base.index else None
        bridge = self._bridge
        if bridge is None or not self._splicer.has_taken(bridge, base.index - 1):
            return base.video
        goes_on = bridge.endswith(f">{base.video}") and base.index < len(self._loops[bridge])
        return bridge if goes_on else base.video

    async def encode(self, base: BasePicture, mouth: Mouth | None, weight: float) -> Packet:
        """Paint and encode.

        Raises `MouthLost`, with the packet of the base picture, when the mouth cannot be painted, and
        `ProcessingFailed` when a fresh encoder cannot encode the picture either.
        """
        loop = asyncio.get_running_loop()
        keyframe = self._splicer.encodes()
        made = await loop.run_in_executor(self._pool, self._make, base, mouth, weight, keyframe)
        if made.restarted:
            self._splicer.lost()
        if made.packet is None:
            raise ProcessingFailed(f"The encoder failed: {made.failure}")
        if made.restarted:
            self._splicer.encodes()
        if made.failure is not None:
            structlog.get_logger().error("painting failed", error=repr(made.failure))
            raise MouthLost("The mouth of this speech cannot be painted", made.packet)
        return made.packet

    def close(self) -> None:
        """Give back the encoder."""
        self._let_encoder_go()

    def _make(self, base: BasePicture, mouth: Mouth | None, weight: float, keyframe: bool) -> "_Made":
        """On the pool: (768, 512) uint8 I420 -> one access unit. Raises nothing."""
        failure: Exception | None = None
        try:
            picture = self._picture(base, mouth, weight)
        except Exception as error:  # an engine that fails here must not end the stream
            failure, picture = error, self._picture(base, None, 0.0)
        try:
            return _Made(self._encoded(picture, keyframe), failure, restarted=False)
        except Exception as error:
            structlog.get_logger().error("encoder failed, starting another", error=repr(error))
            self._encoder = None
        try:
            return _Made(self._encoded(picture, True), failure, restarted=True)
        except Exception as error:
            self._encoder = None
            return _Made(None, error, restarted=True)

    def _encoded(self, picture: Picture, keyframe: bool) -> Packet:
        if self._encoder is None:
            quantizer = next(iter(self._loops.values())).quantizer
            self._encoder = H264Encoder(all_intra=self._all_intra, encoder_name=self._encoder_name, quantizer=quantizer)
        return self._encoder.encode(picture, keyframe)

    def _picture(self, base: BasePicture, mouth: Mouth | None, weight: float) -> Picture:
        picture = self._painted(BaseFrame(base.video, base.index), mouth, weight)
        if base.fade is None:
            return picture
        left = self._painted(BaseFrame(base.fade.video, base.fade.index), mouth, weight)
        return mixed(left, picture, base.fade.weight)

    def _painted(self, base: BaseFrame, mouth: Mouth | None, weight: float) -> Picture:
        if mouth is None:
            untouched: Picture = self._avatar.videos[base.video].pictures[base.index]
            return untouched
        return self._engine.paint(mouth, weight, self._avatar, base)

    def _let_encoder_go(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            # freeing its megabytes takes a while, and a picture may still be in it: the last reference goes on the pool
            with contextlib.suppress(RuntimeError):  # the pool has ended with the service: freed here
                self._pool.submit(_forget, encoder)


def _forget(_: H264Encoder) -> None:
    """Take over a reference and let it go with the call."""
