"""Runs received video through FFmpeg's decoder: every packet must decode to exactly one picture.

Owns no connection and no file; must not import the service. Costs about 1 ms a picture: run it after the conversation.
"""

from collections.abc import Callable, Iterable

import av
import av.error

from protocol.timing import FRAME_MS

PICTURE_SIZE = 512


def decode_violations(
    units: Iterable[tuple[int, bytes]], on_picture: Callable[[av.VideoFrame], None] | None = None
) -> list[str]:
    """Decodes access units one after the other; `units` are (timestamp_ms, access unit) pairs.

    Returns a sentence for each packet that did not give one 512x512 picture at once. `on_picture` sees each picture.
    """
    # one thread and low delay: a picture comes out with its own packet
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoder.options = {"flags": "low_delay", "err_detect": "explode"}
    violations = []
    for timestamp_ms, data in units:
        if not data:  # FFmpeg takes an empty packet for the end of the stream
            violations.append(f"The packet at {timestamp_ms} ms is empty.")
            continue
        packet = av.Packet(data)
        packet.pts = packet.dts = timestamp_ms
        packet.duration = FRAME_MS
        try:
            pictures = decoder.decode(packet)
        except av.error.FFmpegError as error:
            violations.append(f"The frame at {timestamp_ms} ms does not decode: {error.strerror}.")
            continue
        if len(pictures) != 1:
            violations.append(f"The packet at {timestamp_ms} ms decoded to {len(pictures)} pictures, not one.")
        for picture in pictures:
            if (picture.width, picture.height) != (PICTURE_SIZE, PICTURE_SIZE):
                violations.append(f"The picture at {timestamp_ms} ms is {picture.width}x{picture.height}.")
            if on_picture is not None:
                on_picture(picture)
    return violations
