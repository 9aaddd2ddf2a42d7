"""Reads a photo from a file, and notices when the file is not whole.

OpenCV decodes a JPEG that breaks off without a word and fills the rest with grey; so the end of the file is looked for
first. Must not import other modules of the project but the errors.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError

_JPEG, _PNG, _RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"
_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}  # JPEG markers that no length follows


def read_photo(path: Path) -> NDArray[np.uint8]:
    """The picture (H, W, 3), BGR, upright. Raises `PreparationError` naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PreparationError(f"{path.name}: cannot be read ({error.strerror}).") from error
    if not data:
        raise PreparationError(f"{path.name}: the file is empty.")
    if not _is_whole(data):
        raise PreparationError(f"{path.name}: the file is truncated.")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PreparationError(f"{path.name}: the picture is damaged ({error.err}).") from error
    if picture is None:
        raise PreparationError(f"{path.name}: not a picture that can be read; PNG, JPEG and WebP can.")
    return np.asarray(picture, np.uint8)


def _is_whole(data: bytes) -> bool:
    """False when a JPEG, PNG or WebP file breaks off; other formats count as whole."""
    if data.startswith(_JPEG):
        return b"\xff\xd9" in data[_scan_start(data) :]
    if data.startswith(_PNG):
        return b"IEND" in data[-64:] or b"\0\0\0\0IEND" in data
    if data.startswith(_RIFF):
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return True


def _scan_start(data: bytes) -> int:
    """Where a JPEG's coded picture begins: after its headers, which may hold a whole thumbnail and its end."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == _START_OF_SCAN:
            return position
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return len(data)
