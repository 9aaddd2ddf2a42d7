"""A base video, encoded once and shared by every session that shows it. Owns its packets; knows no session."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from protocol.timing import GOP_FRAMES
from ws_service.video.encoder import X264, H264Encoder
from ws_service.video.packet import Packet


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
    ) -> None:
        """`pictures`: `(768, 512) uint8` I420 each. Raises `ValueError` without any, and `EncodingError`."""
        self.name = name
        encoder = H264Encoder(all_intra=all_intra, encoder_name=encoder_name)
        try:
            packets = [encoder.encode(picture, n % GOP_FRAMES == 0) for n, picture in enumerate(pictures)]
        finally:
            encoder.close()
        if not packets:
            raise ValueError(f"base video {name!r} has no pictures")
        self.packets: tuple[Packet, ...] = tuple(packets)
        self.codec = encoder.codec

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def size_bytes(self) -> int:
        """What the packets hold, base64 aside."""
        return sum(len(packet.data) for packet in self.packets)
