import numpy as np
import pytest

from models.preparation.eye_frame import EYES, EyeFrame


@pytest.mark.parametrize("eye", EYES, ids=["left", "right"])
def test_the_corners_are_at_minus_one_and_one_from_left_to_right(points, eye):
    upper = points[list(eye[0]), :2].astype(np.float64)
    u, v = EyeFrame(upper).to_frame(upper)
    order = np.argsort(upper[:, 0])
    assert np.allclose([u[order[0]], u[order[-1]]], [-1, 1])
    assert np.allclose([v[0], v[-1]], 0, atol=1e-9)
    assert np.all(v[1:-1] < 0)  # the upper lid lies above the corners


def test_there_and_back_is_the_same_point(points):
    frame = EyeFrame(points[list(EYES[0][0]), :2].astype(np.float64))
    some = points[:, :2].astype(np.float64)
    assert np.allclose(frame.to_picture(*frame.to_frame(some)), some, atol=1e-2)


def test_a_curve_passes_near_its_points_and_goes_on_level(points):
    upper = points[list(EYES[1][0]), :2].astype(np.float64)
    frame = EyeFrame(upper)
    u, v = frame.to_frame(upper)
    assert np.abs(frame.curve(upper, u, 4) - v).max() < 2
    assert frame.curve(upper, np.array([3.0]), 4) == pytest.approx(frame.curve(upper, np.array([1.0]), 4))
