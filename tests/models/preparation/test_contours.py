import json

import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.contours import (
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    JAW,
    OUTER_LOWER_LIP,
    UPPER_LID_LEFT,
    correct_landmarks,
    read_contours,
)
from tests.models.preparation.conftest import BUILTIN

CONTOURS = BUILTIN / "portrait_contours.json"


def _distance(point: np.ndarray, curve: np.ndarray) -> float:
    return float(np.linalg.norm(curve - point, axis=1).min())


def test_corrected_points_lie_on_the_drawn_curves(points):
    curves = read_contours(CONTOURS)
    for row, name in (
        (UPPER_LID_LEFT, "lid_upper_left"),
        (OUTER_LOWER_LIP, "lip_lower"),
        (INNER_UPPER_LIP, "lip_line"),
    ):
        assert max(_distance(points[index, :2], curves[name]) for index in row) < 3
    chin = [index for index in JAW if 400 < points[index, 0] < 640]
    assert chin
    assert max(_distance(points[index, :2], curves["face"]) for index in chin) < 14  # points of the curve lie far apart


def test_corners_come_to_the_drawn_corners(points):
    curves = read_contours(CONTOURS)
    assert np.allclose(points[61, :2], curves["lip_line"][0])
    assert np.allclose(points[291, :2], curves["lip_line"][-1])
    assert np.allclose(points[33, :2], curves["lid_upper_left"][0])


def test_closed_lips_have_one_line(points):
    assert np.array_equal(points[list(INNER_UPPER_LIP), :2], points[list(INNER_LOWER_LIP), :2])


def test_the_rest_of_the_face_is_left_alone(points, detected):
    moved = np.flatnonzero((points != detected).any(axis=1))
    assert 60 < len(moved) < 110
    assert 1 not in moved
    assert np.linalg.norm(points - detected, axis=1).max() < 20
    assert np.array_equal(points[:, 2], detected[:, 2])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda curves: curves.pop("face"),
        lambda curves: curves.update(face=[[1, 2]]),
        lambda curves: curves.update(lip_line=[[1, 2, 3]] * 5),
        lambda curves: curves.update(lip_line="abc"),
        lambda curves: curves.update(lip_line=[[1, None]] * 5),
        lambda curves: curves.update(lip_line=[[1, float("inf")]] * 5),
    ],
)
def test_a_contours_file_that_lacks_something_is_refused_by_name(tmp_path, spoil):
    curves = json.loads(CONTOURS.read_text())
    spoil(curves)
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(curves))
    with pytest.raises(PreparationError, match=r"^odd\.json: "):
        read_contours(path)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(PreparationError):
        read_contours(tmp_path / "none.json")
    (tmp_path / "half.json").write_text(CONTOURS.read_text()[:100])
    with pytest.raises(PreparationError):
        read_contours(tmp_path / "half.json")


def test_correcting_changes_no_input(detected):
    before = detected.copy()
    correct_landmarks(detected, read_contours(CONTOURS))
    assert np.array_equal(detected, before)
