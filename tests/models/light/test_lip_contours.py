import numpy as np
import pytest

from models.light.lip_contours import draw_line, fill_polygon, smooth_contour


@pytest.fixture
def arc() -> np.ndarray:
    x = np.linspace(-1, 1, 11)
    return np.stack([40 * x + 50, 20 - 15 * x**2], axis=1)


def test_the_curve_goes_through_its_points(arc) -> None:
    assert np.allclose(smooth_contour(arc)[::3], arc)


def test_the_curve_is_smooth_between_its_points(arc) -> None:
    curve = smooth_contour(arc)[3:-3]
    expected = 20 - 15 * ((curve[:, 0] - 50) / 40) ** 2
    assert np.abs(curve[:, 1] - expected).max() < 0.1


def test_a_straight_line_stays_straight() -> None:
    line = np.stack([np.arange(11.0), 2 * np.arange(11.0)], axis=1)
    curve = smooth_contour(line)
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])
    assert (np.diff(curve[:, 0]) > 0).all()


def test_a_polygon_covers_its_area_with_soft_edges() -> None:
    mask = np.full((40, 40), 7, np.uint8)
    fill_polygon(mask, np.array([[10.5, 10.5], [30.5, 10.5], [30.5, 20.5], [10.5, 20.5]]))
    assert mask[15, 20] == 255
    assert mask[5, 5] == 0
    assert 200 <= mask.sum() / 255 <= 250  # 20 x 10, and about half a pixel all round


def test_a_polygon_moves_by_parts_of_a_pixel() -> None:
    square = np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 20.0], [10.0, 20.0]])
    masks = np.zeros((2, 40, 40), np.uint8)
    fill_polygon(masks[0], square)
    fill_polygon(masks[1], square + np.array([0.0, 0.5]))
    change = masks[1].astype(int) - masks[0]
    assert change[20:22, 20].max() > 50
    assert change[9:11, 20].min() < -50


def test_a_polygon_may_reach_far_beyond_the_mask() -> None:
    mask = np.zeros((20, 20), np.uint8)
    fill_polygon(mask, np.array([[-900.0, 10.0], [900.0, 10.0], [900.0, 2000.0], [-900.0, 2000.0]]))
    assert (mask[12:] == 255).all()
    assert (mask[:8] == 0).all()


def test_a_line_is_drawn_along_its_points() -> None:
    mask = np.zeros((30, 60), np.uint8)
    draw_line(mask, np.array([[5.0, 15.0], [55.0, 15.0]]), 1)
    assert (mask[15, 8:52] > 150).all()
    assert not mask[:12].any()
    assert not mask[18:].any()
