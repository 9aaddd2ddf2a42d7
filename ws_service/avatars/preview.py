"""What an avatar looks like, for people who choose one: a picture, and its idle video as an MP4. Blocking.

Owns neither the loops nor the pictures: the film is the packets that the sessions get, in a file. Nothing is kept: to
put the kept loops into a file takes milliseconds.
"""

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
from av.error import FFmpegError

from models.preparation.colour import i420_to_bgr
from protocol.timing import FPS
from ws_service.avatars.loop_files import avatar_loops
from ws_service.avatars.store import AvatarStore
from ws_service.errors import ProcessingFailed
from ws_service.video.encoder import EncodingError
from ws_service.video.packet import Packet

SHOWN_VIDEO = "idle_0"
_JPEG_QUALITY = 90


def preview_picture(store: AvatarStore, name: str) -> bytes:
    """The first picture of the idle video: JPEG, 512x512. Raises `AvatarNotFound` or `ProcessingFailed`."""
    store.refuse_damaged(name)
    picture = store.read(name).videos[SHOWN_VIDEO].pictures[0]
    made, jpeg = cv2.imencode(".jpg", i420_to_bgr(picture.copy()), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not made:
        raise ProcessingFailed(f"The picture of avatar {name!r} cannot be encoded", {"avatar": name})
    return jpeg.tobytes()


def preview_video(store: AvatarStore, name: str) -> bytes:
    """The idle video as an MP4, the same bytes each time.

    Raises `AvatarNotFound`, `AvatarDamaged` or `ProcessingFailed`.
    """
    store.refuse_damaged(name)
    try:
        return _film(avatar_loops(store.read(name))[SHOWN_VIDEO].packets)
    except (EncodingError, FFmpegError, OSError) as error:
        why = error if isinstance(error, EncodingError) else error.strerror  # which names no path
        raise ProcessingFailed(f"Avatar {name!r} cannot be encoded: {why}", {"avatar": name}) from error


def _film(packets: Sequence[Packet]) -> bytes:
    """25 pictures a second, the first an IDR, as an MP4 that plays while it loads."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"  # FFmpeg reads it again, to put its table of contents in front
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            # the first access unit has the SPS and PPS that the file's header needs
            with av.open(BytesIO(packets[0].data), format="h264") as first:
                stream = container.add_stream_from_template(first.streams.video[0])
            stream.time_base = Fraction(1, FPS)
            for number, packet in enumerate(packets):
                unit = av.Packet(packet.data)
                unit.stream, unit.time_base = stream, Fraction(1, FPS)
                unit.pts = unit.dts = number
                unit.duration = 1
                unit.is_keyframe = packet.keyframe
                container.mux(unit)
        return path.read_bytes()
