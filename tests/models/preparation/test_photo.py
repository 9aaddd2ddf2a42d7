import struct

import cv2
import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.photo import read_photo


@pytest.fixture(scope="module")
def picture(portrait):
    return cv2.resize(portrait, (128, 96), interpolation=cv2.INTER_AREA)


def _encoded(picture: np.ndarray, kind: str, *options: int) -> bytes:
    ok, data = cv2.imencode(kind, picture, list(options))
    assert ok
    return data.tobytes()


def _with_thumbnail(jpeg: bytes) -> bytes:
    """The JPEG with a whole small one in an APP1 segment, as cameras write it."""
    thumbnail = _encoded(np.zeros((16, 16, 3), np.uint8), ".jpg")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + jpeg[2:]


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp", ".bmp"])
def test_a_whole_picture_is_read(tmp_path, picture, kind):
    path = tmp_path / f"face{kind}"
    path.write_bytes(_encoded(picture, kind))
    read = read_photo(path)
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_picture_is_refused_by_name(tmp_path, picture, kind, share):
    data = _encoded(picture, kind)
    path = tmp_path / f"half{kind}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PreparationError, match=rf"^half\{kind}: "):
        read_photo(path)


def test_a_thumbnail_does_not_hide_that_the_picture_breaks_off(tmp_path, picture):
    whole = _with_thumbnail(_encoded(picture, ".jpg"))
    path = tmp_path / "camera.jpg"
    path.write_bytes(whole)
    assert read_photo(path).shape == picture.shape
    path.write_bytes(whole[:-200])
    with pytest.raises(PreparationError, match="truncated"):
        read_photo(path)


def test_what_cameras_append_to_a_jpeg_does_no_harm(tmp_path, picture):
    path = tmp_path / "motion.jpg"
    path.write_bytes(_encoded(picture, ".jpg") + b"ftypmp4 and so on" * 50)
    assert read_photo(path).shape == picture.shape


def test_a_progressive_jpeg_is_read(tmp_path, picture):
    path = tmp_path / "web.jpg"
    path.write_bytes(_encoded(picture, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert read_photo(path).shape == picture.shape


def test_a_picture_with_transparency_becomes_three_channels(tmp_path, picture):
    path = tmp_path / "logo.png"
    path.write_bytes(_encoded(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), ".png"))
    assert read_photo(path).shape == picture.shape


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xd8\xff", b"RIFF", b"\x89PNG\r\n\x1a\n" + bytes(40), bytes(5000)]
)
def test_what_is_no_picture_is_refused(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(PreparationError, match=r"^notes\.txt: "):
        read_photo(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(PreparationError, match="cannot be read"):
            read_photo(path)
