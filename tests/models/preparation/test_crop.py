import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preparation.crop import MARGIN, PICTURE_SIZE, Crop, choose_crop


def _face(x: float, y: float, width: float) -> np.ndarray:
    """Points of which only the four that framing looks at are set."""
    points = np.zeros((468, 2), np.float32)
    points[234], points[454] = (x - width / 2, y), (x + width / 2, y)
    points[10], points[152] = (x, y - 0.6 * width), (x, y + 0.6 * width)
    return points


def test_the_portrait_keeps_its_hair_and_shoulders(crop, detected):
    assert crop.top < 45  # where the hair begins
    placed = crop.place(detected)
    assert placed[[234, 454], 0].mean() == pytest.approx(PICTURE_SIZE / 2, abs=3)
    assert 0.36 < (placed[454, 0] - placed[234, 0]) / PICTURE_SIZE < 0.42


@given(
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    width=st.floats(64, 3000),
    size=st.tuples(st.integers(64, 4000), st.integers(64, 4000)),
)
def test_the_square_lies_in_the_picture_whatever_the_face(x, y, width, size):
    crop = choose_crop(_face(x * size[0], y * size[1], width), *size)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= size[0]
    assert crop.top + crop.side <= size[1]
    assert crop.side % 16 == 0
    assert crop.side > 0


def test_a_clip_gets_one_square_that_a_single_odd_frame_does_not_move():
    frames = np.stack([_face(960, 540, 200)] * 20 + [_face(300, 200, 350)])
    assert choose_crop(frames, 1920, 1080) == choose_crop(frames[0], 1920, 1080)


def test_a_margin_shows_what_is_there_and_repeats_the_border_where_nothing_is():
    source = np.zeros((600, 600, 3), np.uint8)
    source[...] = np.arange(600)[None, :, None] // 3
    crop = Crop(left=0, top=40, side=512, width=600, height=600)
    framed = crop.cut_with_margin(source)
    assert framed.shape == (PICTURE_SIZE + 2 * MARGIN, PICTURE_SIZE + 2 * MARGIN, 3)
    assert np.array_equal(framed[MARGIN:-MARGIN, MARGIN:-MARGIN], crop.cut(source))
    assert np.all(framed[:, :MARGIN] == source[0, 0])
    assert np.array_equal(framed[0, -MARGIN:], source[0, 512 : 512 + MARGIN])
    assert crop.space() == (0, 40, 88, 48)


@pytest.mark.parametrize("side", [256, 512, 1024, 2048])
def test_points_stay_on_what_they_mark(side):
    crop = Crop(left=30, top=50, side=side, width=2200, height=2200)
    source = np.zeros((2200, 2200, 3), np.uint8)
    mark = np.array([[400.0, 200.0]]) * side / 1024 + (30, 50)
    half = side // 64
    x, y = np.rint(mark[0]).astype(int)
    source[y - half : y + half + 1, x - half : x + half + 1] = 255
    found = np.argwhere(crop.cut(source)[..., 0] > 127).mean(axis=0)[::-1]
    assert np.abs(crop.place(np.array([[x, y]], np.float32)) - found).max() < 0.6


def test_depth_is_scaled_with_the_rest():
    crop = Crop(left=0, top=0, side=1024, width=1024, height=1024)
    assert crop.place(np.array([[0, 0, 10]], np.float32))[0, 2] == 5
