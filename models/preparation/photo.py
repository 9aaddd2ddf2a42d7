"""Reads a photo from a file, and notices when the file is damaged or not whole.

OpenCV decodes what is left of a JPEG without a word and fills the rest with grey; so a decoder that tells is asked
first. What it cannot know: a few wrong bytes after which the data happens to go on as before. Must not import other
modules of the project but the errors.
"""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from models.errors import PreparationError

MAX_PIXELS = 1 << 26  # 64 million, 200 MB of memory

_JPEG, _PNG, _RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"


def read_photo(path: Path) -> NDArray[np.uint8]:
    """The picture (H, W, 3), BGR, upright. Raises `PreparationError` naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PreparationError(f"{path.name}: cannot be read ({error.strerror}).") from error
    if not data:
        raise PreparationError(f"{path.name}: the file is empty.")
    if data.startswith(_JPEG):
        _check_jpeg(data, path.name)
    if not _is_whole(data):
        raise PreparationError(f"{path.name}: the file is truncated.")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise
        if "CV_IO_MAX_IMAGE" in error.err:  # the bounds that OpenCV was given or came with
            raise _too_large(path.name) from error
        raise PreparationError(f"{path.name}: the picture is damaged.") from error
    if picture is None:
        raise PreparationError(f"{path.name}: not a picture that can be read; PNG, JPEG and WebP can.")
    if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
        raise _too_large(path.name)
    return np.asarray(picture, np.uint8)


def _too_large(name: str) -> PreparationError:
    return PreparationError(f"{name}: the picture has more than {MAX_PIXELS >> 20} million pixels; make it smaller.")


def _check_jpeg(data: bytes, name: str) -> None:
    """Decode all of it, minding what decoders only warn of. Raises `PreparationError`."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS:
            raise _too_large(name)
        simplejpeg.decode_jpeg(data, "CMYK" if colours in ("CMYK", "YCCK") else "GRAY", strict=True)
    except ValueError as error:
        raise PreparationError(f"{name}: the JPEG is damaged or truncated ({error}); save it anew.") from error


def _is_whole(data: bytes) -> bool:
    """False when a PNG or WebP file breaks off; other formats count as whole."""
    if data.startswith(_PNG):
        return b"IEND" in data[-64:] or b"\0\0\0\0IEND" in data
    if data.startswith(_RIFF):
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return True
