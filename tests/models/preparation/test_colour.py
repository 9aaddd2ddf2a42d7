import numpy as np
import pytest

from models.preparation.colour import bgr_to_i420, i420_to_bgr


@pytest.mark.parametrize(
    ("bgr", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 255), (82, 90, 240)),
        ((255, 0, 0), (41, 240, 110)),
        ((0, 255, 0), (145, 54, 34)),
    ],
)
def test_plain_colours_are_bt601_limited_range(bgr, yuv):
    i420 = bgr_to_i420(np.full((16, 16, 3), bgr, np.uint8))
    assert i420.shape == (24, 16)
    found = i420[:16].mean(), i420[16:20].mean(), i420[20:].mean()
    assert np.allclose(found, yuv, atol=1)


def test_there_and_back_is_near_on_a_smooth_picture():
    y, x = np.mgrid[0:64, 0:64]
    picture = np.stack([x * 2 + 60, y * 2 + 50, x + y + 40], axis=-1).astype(np.uint8)
    assert np.abs(i420_to_bgr(bgr_to_i420(picture)).astype(int) - picture).mean() < 2


def test_chroma_is_the_mean_of_its_four_pixels():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (0, 0, 255)  # every other column red
    chroma = bgr_to_i420(stripes)[32:].reshape(2, 16, 16)
    assert np.allclose(chroma[0], 109, atol=1)
    assert np.allclose(chroma[1], 184, atol=1)
