"""Which H.264 encoder runs here: found out by encoding, because a driver, a card or a build may lack one.

NVENC takes the encoding off the CPU where it is as good: it must follow the rules of our streams, open within a tick
(one is opened at the beginning of each speech) and bear many streams at once (consumer cards allow a handful).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import av.logging
import numpy as np

from protocol.timing import FRAME_MS
from ws_service.video import bitstream
from ws_service.video.encoder import NVENC, PICTURE_SHAPE, X264, EncodingError, H264Encoder
from ws_service.video.packet import Packet

ENCODER_NAMES = ("auto", X264, NVENC)
STREAMS_AT_ONCE = 16
_BASELINE = "42"  # profile_idc 66 at the beginning of the codec string's parameters


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """`name`: FFmpeg's. `reason`: why it is this one, for people."""

    name: str
    reason: str


def choose_encoder(name: str, *, has_gpu: bool) -> EncoderChoice:
    """The encoder that `name` stands for here. `has_gpu`: the engine computes on one, so `auto` tries its encoder.

    Raises `EncodingError` where the one asked for does not run or does not make our streams.
    """
    if name != "auto":
        check_encoder(name)
        return EncoderChoice(name, f"H264_ENCODER={name}")
    reason = "no GPU is in use"
    if has_gpu:
        try:
            check_encoder(NVENC)
            _check_many(NVENC)
        except EncodingError as error:
            reason = str(error)
        else:
            return EncoderChoice(NVENC, "the GPU encodes as our streams need it")
    check_encoder(X264)
    return EncoderChoice(X264, reason)


def check_encoder(name: str) -> None:
    """Encode a few pictures and look at what comes. Raises `EncodingError` saying what is wrong."""
    with _ffmpegs_words():
        for all_intra in (False, True):
            _check_stream(name, all_intra=all_intra)


def _check_stream(name: str, *, all_intra: bool) -> None:
    encoder = H264Encoder(all_intra=all_intra, encoder_name=name)
    asked = [True, False, True, False]
    packets = [encoder.encode(picture, keyframe) for picture, keyframe in zip(_pictures(), asked, strict=True)]
    found = [fault for packet in packets for fault in bitstream.faults(packet.data)]
    found += [] if encoder.codec.startswith(f"avc1.{_BASELINE}") else [f"is {encoder.codec}, not baseline"]
    wanted = [True] * len(asked) if all_intra else asked
    if [_starts_anew(packet) for packet in packets] != wanted:
        found.append("has its IDR pictures in other places than asked for")
    sets = {bitstream.parameter_sets(packet.data) for packet in packets if packet.keyframe}
    if len(sets) != 1:
        found.append("changes its parameter sets")
    if found:
        raise EncodingError(f"the video encoder {name} makes another stream than ours: it {found[0]}")


def _check_many(name: str) -> None:
    """So many streams at once, each begun within a tick; the first has paid for loading the driver."""
    encoders = []
    picture = _pictures()[0]
    for number in range(1, STREAMS_AT_ONCE + 1):
        begun_s = perf_counter()
        try:
            encoder = H264Encoder(encoder_name=name)
            encoder.encode(picture)
        except EncodingError as error:
            raise EncodingError(f"{name} bears only {number - 1} streams at once ({error})") from None
        encoders.append(encoder)
        took_ms = (perf_counter() - begun_s) * 1000
        if took_ms > FRAME_MS:
            raise EncodingError(f"{name} takes {took_ms:.0f} ms to begin a stream, more than a frame's {FRAME_MS} ms")


def _pictures() -> list[np.ndarray]:
    """Four different pictures with something in them."""
    ramp = np.add.outer(np.arange(PICTURE_SHAPE[0]), np.arange(PICTURE_SHAPE[1]))
    return [((ramp + 9 * n) % 200 + 20).astype(np.uint8) for n in range(4)]


def _starts_anew(packet: Packet) -> bool:
    return packet.keyframe and bitstream.is_idr(packet.data)


@contextmanager
def _ffmpegs_words() -> Iterator[None]:
    """Meanwhile PyAV keeps FFmpeg's error messages, which say more than its error codes."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture():
            yield
    finally:
        av.logging.set_level(level)
