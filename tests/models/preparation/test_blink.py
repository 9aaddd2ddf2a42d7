import cv2
import numpy as np
import pytest

from models.preparation.blink import close_eyes, close_lids, eyes_are_open
from models.preparation.contours import LOWER_LID_LEFT, LOWER_LID_RIGHT, UPPER_LID_LEFT, UPPER_LID_RIGHT

EYES = ((UPPER_LID_LEFT, LOWER_LID_LEFT), (UPPER_LID_RIGHT, LOWER_LID_RIGHT))


@pytest.fixture(scope="module")
def face(portrait, points, crop):
    return crop.cut(portrait), crop.place(points)


def _inside(points: np.ndarray, shrink: float = 0.8) -> np.ndarray:
    """Mask of the inner part of both eyes."""
    mask = np.zeros((512, 512), np.uint8)
    for upper, lower in EYES:
        eye = points[[*upper, *lower[::-1]], :2]
        centre = eye.mean(axis=0)
        cv2.fillPoly(mask, [np.rint(centre + (eye - centre) * shrink).astype(np.int32)], 255)
    return mask > 0


def test_open_eyes_are_told_from_closed_ones(face):
    _, points = face
    assert eyes_are_open(points)
    assert not eyes_are_open(close_lids(points, 1.0))


def test_shut_eyes_show_skin_only(face):
    picture, points = face
    shut = close_eyes(picture, points, 1.0)
    inside = _inside(points, 0.6)
    saturation_and_value = cv2.cvtColor(shut, cv2.COLOR_BGR2HSV)[inside][:, 1:]
    assert picture[inside].min(axis=1).min() < 20  # a pupil
    assert shut[inside].mean() > 120
    assert np.percentile(saturation_and_value[:, 1], 5) > 90  # neither pupil nor iris is left


def test_half_closed_eyes_still_show_the_lower_half(face):
    picture, points = face
    half = close_eyes(picture, points, 0.5)
    for upper, lower in EYES:
        x, y = points[lower[4], :2] * 0.8 + points[upper[4], :2] * 0.2
        assert np.array_equal(half[round(float(y)), round(float(x))], picture[round(float(y)), round(float(x))])
        x, y = points[lower[4], :2] * 0.2 + points[upper[4], :2] * 0.8
        assert not np.array_equal(half[round(float(y)), round(float(x))], picture[round(float(y)), round(float(x))])


def test_nothing_but_the_eyes_changes(face):
    picture, points = face
    changed = (close_eyes(picture, points, 1.0) != picture).any(axis=2)
    rows, columns = np.nonzero(changed)
    brows = points[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 1]
    assert rows.min() > brows.min() - 2
    assert rows.max() < points[[145, 374], 1].max() + 6
    assert columns.min() > points[33, 0] - 20
    assert columns.max() < points[263, 0] + 20
    assert not changed[:, round(float(points[168, 0]))].any()


def test_an_open_eye_stays_as_it_is(face):
    picture, points = face
    change = np.abs(close_eyes(picture, points, 0.0).astype(int) - picture)
    assert change.mean() < 0.05


def test_closing_goes_on_with_the_closure(face):
    picture, points = face
    inside = _inside(points)
    brightness = [close_eyes(picture, points, closure)[inside].mean() for closure in (0.15, 0.4, 0.75, 1.0)]
    assert brightness == sorted(brightness)


def test_the_input_is_not_changed(face):
    picture, points = face
    before = picture.copy(), points.copy()
    close_eyes(picture, points, 0.7)
    close_lids(points, 0.7)
    assert np.array_equal(picture, before[0])
    assert np.array_equal(points, before[1])


def test_an_eye_at_the_edge_of_the_picture_is_no_error(face):
    picture, points = face
    left, top = points[UPPER_LID_LEFT[4], :2].astype(int)
    cut = np.ascontiguousarray(picture[top:, left:])
    shifted = points - np.array([left, top, 0], np.float32)
    assert close_eyes(cut, shifted, 1.0).shape == cut.shape
