"""Pictures to H.264, one packet per picture at once: x264 or NVENC through PyAV, set up so that streams can be spliced.

Owns every encoder setting; `encoder_choice` says which of the two runs. All encoders of a service have the same
parameter sets (x264's all-intra ones a PPS of their own) and bring them with each IDR picture, so a packet with one may
follow any packet of any other encoder. Knows no session; must not import asyncio or the models. PyAV's errors do not
leave it.
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
X264: Final = "libx264"
NVENC: Final = "h264_nvenc"

# Of P pictures; I pictures have 3 less. One quantizer for a whole stream spares x264 a fifth of its work, which goes
# into guessing sizes. All-intra pictures have none between to lean on: finer ones would double the rate.
QUANTIZER: Final = 22
ALL_INTRA_QUANTIZER: Final = 27
COARSEST_QUANTIZER: Final = 40
_SMOOTHED_FROM: Final = 25  # finer pictures show no blocks: the deblocking filter would cost an eighth for nothing

_X264: Final = {
    "annexb": 1,
    "repeat-headers": 1,  # SPS and PPS in each IDR, beside those in extradata
    "keyint": GOP_FRAMES,
    "min-keyint": 1,
    "scenecut": 0,
    "ref": 1,
    "slices": 1,
    "sliced-threads": 0,
    "stitchable": 1,  # the same parameter sets for every quantizer
    # over ultrafast: sharper lips for 0.02 ms a picture
    "partitions": "i4x4",
    # what the pictures are: made from sRGB with BT.601's matrix
    "colorprim": "bt709",
    "transfer": "bt709",
    "colormatrix": "smpte170m",
}


# https://ffmpeg.org/ffmpeg-codecs.html, and `ffmpeg -h encoder=h264_nvenc`; what is left out is off or one by default
_NVENC: Final = {
    "preset": "p4",
    "tune": "ull",
    "profile": "baseline",
    "level": "3.0",
    "rc": "vbr",
    "delay": "0",  # else packets come as many pictures late as there are surfaces
    "zerolatency": "1",
    "forced-idr": "1",
    "bf": "0",
    "dpb_size": "1",
    "color_range": "tv",
    "color_primaries": "bt709",
    "color_trc": "bt709",
    "colorspace": "smpte170m",
}


class EncodingError(Exception):
    """The encoder failed, or cannot be opened."""


class H264Encoder:
    """One stream: 512x512, 25 fps, baseline, one slice, no B pictures, Annex B. One thread at a time, any thread."""

    def __init__(self, *, all_intra: bool = False, encoder_name: str = X264, quantizer: int | None = None) -> None:
        """`all_intra`: every picture is an IDR. `encoder_name`: FFmpeg's, `X264` or `NVENC`.

        `quantizer`: x264's, by default that of `all_intra`; NVENC keeps to a rate instead. Raises `EncodingError` when
        the encoder cannot be opened.
        """
        self._all_intra = all_intra
        options = nvenc_options(all_intra=all_intra) if encoder_name == NVENC else _x264_options(all_intra, quantizer)
        try:
            self._context: VideoCodecContext | None = _open(encoder_name, options)
            self.codec = bitstream.codec_string(self._context.extradata or b"")
        except (FFmpegError, ValueError) as error:
            raise EncodingError(f"the video encoder {encoder_name} cannot be opened: {_sentence(error)}") from error
        # NVENC tells its parameter sets beforehand or repeats them; FFmpeg has it do but one of the two
        self._headers = self._context.extradata if encoder_name == NVENC else None
        self._pictures = 0

    def encode(self, picture: NDArray[np.uint8], keyframe: bool = False) -> Packet:
        """The packet of this picture, `(768, 512) uint8` I420. `keyframe` makes it an IDR.

        An IDR comes also by itself, 25 pictures after the last. Raises `ValueError` for another shape,
        `EncodingError` when the encoder fails or is closed.
        """
        if picture.shape != PICTURE_SHAPE or picture.dtype != np.uint8:
            raise ValueError(f"a picture is {PICTURE_SHAPE} uint8, not {picture.shape} {picture.dtype}")
        if self._context is None:
            raise EncodingError("the video encoder is closed")
        # the picture's own memory: the encoder has its copy when the packet is there
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture), "yuv420p")
        frame.pts = self._pictures
        frame.pict_type = PictureType.I if keyframe or self._all_intra else PictureType.NONE
        try:
            packets = self._context.encode(frame)
        except FFmpegError as error:
            raise EncodingError(f"the video encoder failed: {error}") from error
        if len(packets) != 1:
            raise EncodingError(f"the video encoder gave {len(packets)} packets for one picture")
        data = bytes(packets[0])
        if self._pictures == 0:
            data = bitstream.without_sei(data)
        if self._headers is not None and packets[0].is_keyframe:
            data = self._headers + data
        self._pictures += 1
        return Packet(data, packets[0].is_keyframe)

    def close(self) -> None:
        """Free the encoder's memory. Idempotent."""
        self._context = None


def _open(encoder_name: str, options: dict[str, str]) -> VideoCodecContext:
    context = av.CodecContext.create(encoder_name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = SIZE
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, FPS)
    context.framerate = Fraction(FPS)
    context.thread_count = 1
    context.flags |= Flags.global_header  # extradata is there before the first picture
    context.options = options
    context.open()
    return context


def _x264_options(all_intra: bool, quantizer: int | None) -> dict[str, str]:
    quantizer = quantizer or (ALL_INTRA_QUANTIZER if all_intra else QUANTIZER)
    x264 = _X264 | {"no-deblock": int(quantizer < _SMOOTHED_FROM)}
    return {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "level": "3.0",
        "forced-idr": "1",
        "qp": str(quantizer),
        "x264-params": ":".join(f"{name}={value}" for name, value in x264.items()),
    }


def most_kbits_per_s(*, all_intra: bool) -> int:
    """What a stream should not exceed."""
    return 8000 if all_intra else 1500


def nvenc_options(*, all_intra: bool) -> dict[str, str]:
    """All options of NVENC, by FFmpeg's names. FFmpeg ignores unknown ones without a word."""
    rate = f"{most_kbits_per_s(all_intra=all_intra)}k"
    return _NVENC | {
        "g": "1" if all_intra else str(GOP_FRAMES),
        "cq": str(ALL_INTRA_QUANTIZER if all_intra else QUANTIZER),
        "b": rate,
        "maxrate": rate,
        "bufsize": rate,
    }


def _sentence(error: Exception) -> str:
    """What FFmpeg logged last, where its log is kept: the error itself is often just "Operation not permitted"."""
    if not isinstance(error, FFmpegError):
        return str(error)
    log = error.log  # in truth (level, name, message), or None
    return str(log[-1]).strip() if log else error.strerror or str(error)
