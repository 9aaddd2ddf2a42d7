"""Pictures to H.264, one packet per picture at once: x264 through PyAV, set up so that streams can be spliced.

Owns every encoder setting. All encoders have the same parameter sets (all-intra ones a PPS of their own) and bring
them with each IDR picture, so a packet with one may follow any packet of any other encoder. Knows no session; must
not import asyncio or the models. PyAV's errors do not leave it.
"""

from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from protocol.timing import FPS, GOP_FRAMES
from ws_service.video import bitstream
from ws_service.video.packet import Packet

SIZE = 512
PICTURE_SHAPE = (SIZE * 3 // 2, SIZE)  # I420: 512 rows of Y, 128 of U, 128 of V
MAX_KBITS_PER_S = 1500

_CRF: Final = 23
_ALL_INTRA_CRF: Final = 19  # without pictures between to lean on, 23 looks coarse
_ALL_INTRA_MAX_KBITS_PER_S: Final = 8000

_X264: Final = {
    "annexb": 1,
    "repeat-headers": 1,  # SPS and PPS in each IDR, beside those in extradata
    "keyint": GOP_FRAMES,
    "min-keyint": 1,
    "scenecut": 0,
    "ref": 1,
    "slices": 1,
    "sliced-threads": 0,
    # over ultrafast: sharper lips for 0.1 ms a picture
    "partitions": "i4x4",
    "no-deblock": 0,
    # what the pictures are: made from sRGB with BT.601's matrix
    "colorprim": "bt709",
    "transfer": "bt709",
    "colormatrix": "smpte170m",
}


class EncodingError(Exception):
    """x264 failed, or cannot be opened."""


class H264Encoder:
    """One stream: 512x512, 25 fps, baseline, one slice, no B pictures, Annex B. One thread at a time, any thread."""

    def __init__(self, *, all_intra: bool = False) -> None:
        """`all_intra`: every picture is an IDR. Raises `EncodingError` when x264 cannot be opened."""
        self._all_intra = all_intra
        self._frame = av.VideoFrame(SIZE, SIZE, "yuv420p")
        self._planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
            for plane in self._frame.planes
        ]
        try:
            self._context: VideoCodecContext | None = _open(all_intra)
        except FFmpegError as error:
            raise EncodingError(f"the video encoder cannot be opened: {error}") from error
        self.codec = bitstream.codec_string(self._context.extradata or b"")
        self._pictures = 0

    def encode(self, picture: NDArray[np.uint8], keyframe: bool = False) -> Packet:
        """The packet of this picture, `(768, 512) uint8` I420. `keyframe` makes it an IDR.

        An IDR comes also by itself, 25 pictures after the last. Raises `ValueError` for another shape,
        `EncodingError` when x264 fails or the encoder is closed.
        """
        if picture.shape != PICTURE_SHAPE or picture.dtype != np.uint8:
            raise ValueError(f"a picture is {PICTURE_SHAPE} uint8, not {picture.shape} {picture.dtype}")
        if self._context is None:
            raise EncodingError("the video encoder is closed")
        self._fill(picture)
        self._frame.pts = self._pictures
        self._frame.pict_type = PictureType.I if keyframe or self._all_intra else PictureType.NONE
        try:
            packets = self._context.encode(self._frame)
        except FFmpegError as error:
            raise EncodingError(f"the video encoder failed: {error}") from error
        if len(packets) != 1:
            raise EncodingError(f"the video encoder gave {len(packets)} packets for one picture")
        data = bytes(packets[0])
        if self._pictures == 0:
            data = bitstream.without_sei(data)
        self._pictures += 1
        return Packet(data, packets[0].is_keyframe)

    def close(self) -> None:
        """Free x264's memory. Idempotent."""
        self._context = None

    def _fill(self, picture: NDArray[np.uint8]) -> None:
        # straight into the planes x264 reads from: their lines may be longer than the picture's
        half = SIZE // 2
        luma, chroma_u, chroma_v = self._planes
        np.copyto(luma, picture[:SIZE])
        np.copyto(chroma_u, picture[SIZE : SIZE + half // 2].reshape(half, half))
        np.copyto(chroma_v, picture[SIZE + half // 2 :].reshape(half, half))


def _open(all_intra: bool) -> VideoCodecContext:
    rate = _ALL_INTRA_MAX_KBITS_PER_S if all_intra else MAX_KBITS_PER_S
    x264 = _X264 | {"vbv-maxrate": rate, "vbv-bufsize": rate}
    context = av.CodecContext.create("libx264", "w")
    context.width = context.height = SIZE
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, FPS)
    context.framerate = Fraction(FPS)
    context.thread_count = 1
    context.flags |= Flags.global_header  # extradata is there before the first picture
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "level": "3.0",
        "forced-idr": "1",
        "crf": str(_ALL_INTRA_CRF if all_intra else _CRF),
        "x264-params": ":".join(f"{name}={value}" for name, value in x264.items()),
    }
    context.open()
    return context
