import struct
import zlib

import cv2
import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation import photo
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
    with pytest.raises(PreparationError, match="damaged or truncated"):
        read_photo(path)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("share", [0.3, 0.85, 0.97])
def test_a_jpeg_that_was_cut_and_given_an_end_is_refused(tmp_path, picture, progressive, share):
    data = _encoded(picture, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(len(data) * share)] + b"\xff\xd9")
    with pytest.raises(PreparationError, match=r"^cut\.jpg: the JPEG is damaged or truncated \(.*; save it anew"):
        read_photo(path)


@pytest.mark.parametrize(("mode", "options"), [("CMYK", {}), ("L", {}), ("RGB", {"keep_rgb": True, "quality": 95})])
def test_jpegs_of_other_colours_are_read(tmp_path, picture, mode, options):
    image = pytest.importorskip("PIL.Image").fromarray(picture[..., ::-1])
    image.convert(mode).save(tmp_path / "print.jpg", **options)
    assert read_photo(tmp_path / "print.jpg").shape == picture.shape


def test_a_picture_of_too_many_pixels_is_told_so_before_there_is_memory_for_it(tmp_path, picture):
    jpeg, png = bytearray(_encoded(picture, ".jpg")), bytearray(_encoded(picture, ".png"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 9000, 9000)
    png[16:24] = struct.pack(">II", 40_000, 40_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    for name, content in (("wide.jpg", jpeg), ("wide.png", png)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PreparationError, match=f"^{name}: the picture has more than 64 million pixels; make it"):
            read_photo(tmp_path / name)


def test_a_picture_that_opencv_reads_may_be_too_large_all_the_same(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(photo, "MAX_PIXELS", picture.shape[0] * picture.shape[1] - 1)
    (tmp_path / "a.png").write_bytes(_encoded(picture, ".png"))
    with pytest.raises(PreparationError, match=r"^a\.png: the picture has more than 0 million pixels"):
        read_photo(tmp_path / "a.png")


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
