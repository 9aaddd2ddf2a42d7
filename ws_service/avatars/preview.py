"""What an avatar looks like, for people who choose one: a picture, and its idle video as an MP4. Blocking.

Owns neither the loops nor the pictures: the film is the packets that the sessions get, in a file. It is kept in the
avatar's folder.
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
from ws_service.avatars.loop_files import avatar_loops, keep_file
from ws_service.avatars.store import AvatarStore
from ws_service.errors import ProcessingFailed
from ws_service.video.encoder import EncodingError
from ws_service.video.packet import Packet

SHOWN_VIDEO = "idle_0"
_FILE_NAME = "preview.mp4"
_JPEG_QUALITY = 90


def preview_picture(store: AvatarStore, name: str) -> bytes:
    """The first picture of the idle video: JPEG, 512x512. Raises `AvatarNotFound` or `ProcessingFailed`."""
    store.refuse_damaged(name)
    picture = store.read(name).videos[SHOWN_VIDEO].pictures[0]
    made, jpeg = cv2.imencode(".jpg", i420_to_bgr(picture.copy()), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not made:
        raise ProcessingFailed(f"The picture of avatar {name!r} cannot be encoded", {"avatar": name})
    return jpeg.tobytes()


def preview_video(store: AvatarStore, name: str) -> Path | bytes:
    """The idle video as an MP4: the file in the avatar's folder, its bytes where the folder cannot be written.

    Raises `AvatarNotFound`, `AvatarDamaged` or `ProcessingFailed`.
    """
    store.refuse_damaged(name)
    path = store.folder / name / _FILE_NAME
    if path.is_file():
        return path
    avatar = store.read(name)
    try:
        film = _film(avatar_loops(avatar)[SHOWN_VIDEO].packets)
    except (EncodingError, FFmpegError, OSError) as error:
        raise ProcessingFailed(f"Avatar {name!r} cannot be encoded: {error}", {"avatar": name}) from error
    kept = keep_file(store.folder / name, avatar.revision, _FILE_NAME, film)
    return path if kept else film


def _film(packets: Sequence[Packet]) -> bytes:
    """25 pictures a second, the first an IDR, as an MP4 that plays while it loads."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / _FILE_NAME  # FFmpeg reads it again, to put its table of contents in front
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
