"""FFmpeg's judgement of a stream: each packet by itself must give one picture, without an error."""

import av
import numpy as np

from ws_service.video.packet import Packet


def decode_strictly(packets: list[Packet]) -> list[np.ndarray]:
    """-> one (768, 512) uint8 I420 picture per packet. Raises when a packet gives none, two, or an error."""
    context = av.CodecContext.create("h264", "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode", "flags": "low_delay"}
    pictures = []
    for number, packet in enumerate(packets):
        frames = context.decode(av.Packet(packet.data))
        if len(frames) != 1 or frames[0].is_corrupt:
            raise AssertionError(f"packet {number} gave {len(frames)} pictures")
        pictures.append(frames[0].to_ndarray())
    if context.decode(None):
        raise AssertionError("a picture was held back")
    return pictures


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Of the luma, in dB."""
    error = np.mean((a[:512].astype(float) - b[:512]) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
