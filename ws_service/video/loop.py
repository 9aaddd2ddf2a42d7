"""Base videos, encoded once and shared by every session that shows them. Owns their packets; knows no session."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.timing import FPS, GOP_FRAMES
from ws_service.video.encoder import (
    ALL_INTRA_QUANTIZER,
    COARSEST_QUANTIZER,
    QUANTIZER,
    X264,
    H264Encoder,
    most_kbits_per_s,
)
from ws_service.video.packet import Packet

_SHARE_OF_LOOP = 0.8  # of the bound on the rate: a moving mouth adds to it


class Pictures(Protocol):
    """`(768, 512) uint8` I420 each; as many as it says, read as often as it takes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[NDArray[np.uint8]]: ...


class EncodedLoop:
    """The packets of a base video, in closed groups of 25 pictures (the last may be shorter); then the first follows.

    `packets[n]` is an IDR where n is a multiple of 25; everywhere with `all_intra`, so that any may follow any.
    """

    def __init__(
        self,
        name: str,
        pictures: Iterable[NDArray[np.uint8]],
        *,
        all_intra: bool = False,
        encoder_name: str = X264,
        quantizer: int | None = None,
    ) -> None:
        """`pictures`: `(768, 512) uint8` I420 each; the rest as of `H264Encoder`.

        Raises `ValueError` without pictures, and `EncodingError`.
        """
        self.name = name
        self.quantizer = quantizer or (ALL_INTRA_QUANTIZER if all_intra else QUANTIZER)
        encoder = H264Encoder(all_intra=all_intra, encoder_name=encoder_name, quantizer=self.quantizer)
        try:
            packets = [encoder.encode(picture, n % GOP_FRAMES == 0) for n, picture in enumerate(pictures)]
        finally:
            encoder.close()
        if not packets:
            raise ValueError(f"base video {name!r} has no pictures")
        self.packets: tuple[Packet, ...] = tuple(packets)
        self.codec = encoder.codec

    @classmethod
    def of_packets(cls, name: str, packets: Sequence[Packet], *, codec: str, quantizer: int) -> "EncodedLoop":
        """A loop that was encoded before."""
        loop = cls.__new__(cls)
        loop.name, loop.packets, loop.codec, loop.quantizer = name, tuple(packets), codec, quantizer
        return loop

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def size_bytes(self) -> int:
        """What the packets hold, base64 aside."""
        return sum(len(packet.data) for packet in self.packets)

    @property
    def kbits_per_s(self) -> float:
        """Its rate when shown."""
        return self.size_bytes * 8 * FPS / 1000 / len(self.packets)


def encode_loops(
    videos: Mapping[str, Pictures],
    *,
    all_intra: bool = False,
    encoder_name: str = X264,
    on_share: Callable[[float], None] = lambda _: None,
) -> dict[str, EncodedLoop]:
    """An avatar's base videos, all with one quantizer: the usual one, or a coarser where a noisy one needs too much.

    `videos`: pictures by name. `on_share`: called after each picture with the share that is encoded, 0..1; at 1 it
    stays where all are encoded once more. Raises as `EncodedLoop`.
    """
    quantizer = ALL_INTRA_QUANTIZER if all_intra else QUANTIZER
    bound_kbits_per_s = _SHARE_OF_LOOP * most_kbits_per_s(all_intra=all_intra)
    total, encoded = sum(len(pictures) for pictures in videos.values()), 0

    def counted(pictures: Pictures) -> Iterator[NDArray[np.uint8]]:
        nonlocal encoded
        for picture in pictures:
            yield picture
            encoded += 1
            on_share(min(1.0, encoded / total))

    while True:
        loops = {
            name: EncodedLoop(
                name, counted(pictures), all_intra=all_intra, encoder_name=encoder_name, quantizer=quantizer
            )
            for name, pictures in videos.items()
        }
        excess = max(loop.kbits_per_s for loop in loops.values()) / bound_kbits_per_s
        if excess <= 1 or quantizer >= COARSEST_QUANTIZER or encoder_name != X264:
            return loops
        quantizer = min(COARSEST_QUANTIZER, quantizer + math.ceil(6 * math.log2(excess)))  # six double the step
