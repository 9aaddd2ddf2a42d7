import numpy as np
import pytest

from models.light import face_geometry
from models.light.face_geometry import (
    CHEEKS,
    CONTROL_POINTS,
    INNER_LOWER_ROWS,
    INNER_UPPER_ROWS,
    OUTER_UPPER_ROWS,
    SKIN,
    SKIN_ROWS,
    face_widths,
    measure_face,
)
from tests.models.light.faces import NO_INSET, moved, portrait, toothy


def test_the_origin_is_the_middle_of_the_lip_line() -> None:
    face = portrait().geometry
    assert np.allclose(face.lip_line[5], 0, atol=1e-4)
    lips = portrait().landmarks[[13, 14]]
    assert lips[:, 1].min() - 0.01 <= face.origin[1] <= lips[:, 1].max() + 0.01


def test_the_axes_are_level_with_the_eyes_and_at_right_angles() -> None:
    face = measure_face(moved(portrait().landmarks, 12, 1, (0, 0)), NO_INSET)
    assert np.allclose(face.axes.T @ face.axes, np.eye(2), atol=1e-6)
    eyes = portrait().landmarks[263] - portrait().landmarks[33]
    level = np.rad2deg(np.arctan2(*face.axes[::-1, 0]) - np.arctan2(eyes[1], eyes[0]))
    assert level == pytest.approx(12, abs=0.01)


@pytest.mark.parametrize(("turn", "scale", "shift"), [(0, 1, (17, -9)), (-20, 1, (0, 0)), (8, 0.6, (30, 40))])
def test_a_face_is_the_same_in_its_own_frame_wherever_it_is(turn: float, scale: float, shift: tuple) -> None:
    here = portrait().geometry
    there = measure_face(moved(portrait().landmarks, turn, scale, shift), NO_INSET)
    assert np.allclose(there.control_points, here.control_points * scale, atol=0.01)
    assert there.mouth_width == pytest.approx(here.mouth_width * scale, rel=1e-4)
    assert there.lower_face_height == pytest.approx(here.lower_face_height * scale, rel=1e-4)
    assert np.allclose(there.skin_drop, here.skin_drop, atol=1e-4)


def test_points_of_the_frame_go_back_to_where_they_were_seen() -> None:
    landmarks = moved(portrait().landmarks, 15, 1.1, (5, 6))
    face = measure_face(landmarks, NO_INSET)
    seen = face.to_picture(face.control_points)
    assert len(seen) == CONTROL_POINTS
    assert np.allclose(seen[OUTER_UPPER_ROWS], landmarks[list(face_geometry.OUTER_UPPER_LIP)], atol=0.01)
    assert np.allclose(seen[SKIN_ROWS], landmarks[list(SKIN)], atol=0.01)


def test_corner_distance_is_zero_in_the_middle_and_one_at_both_corners() -> None:
    distance = portrait().geometry.corner_distance
    assert distance[5] == pytest.approx(0, abs=1e-4)
    assert distance[[0, -1]] == pytest.approx(1)
    assert (np.diff(distance[:6]) < 0).all()
    assert (np.diff(distance[5:]) > 0).all()


def test_only_an_open_mouth_smiles_and_has_a_gap() -> None:
    assert portrait().geometry.smile == 0
    assert portrait().geometry.resting_gap == pytest.approx(0, abs=0.01)
    assert toothy().geometry.smile > 0.5
    assert toothy().geometry.resting_gap > 0.12 * toothy().geometry.lower_face_height


def test_the_inset_moves_inner_contours_into_the_lips_of_an_open_mouth_only() -> None:
    inset = np.full((2, 11), 0.5, np.float32)
    closed, closed_inset = portrait().geometry, measure_face(portrait().landmarks, inset)
    assert np.allclose(closed.control_points, closed_inset.control_points, atol=1e-3)
    opened, opened_inset = (measure_face(toothy().landmarks, value) for value in (NO_INSET, inset))
    upper = opened_inset.control_points[INNER_UPPER_ROWS] - opened.control_points[INNER_UPPER_ROWS]
    lower = opened_inset.control_points[INNER_LOWER_ROWS] - opened.control_points[INNER_LOWER_ROWS]
    assert (upper[3:8, 1] < -1).all()
    assert (lower[3:8, 1] > 1).all()
    assert np.allclose(upper[[0, -1]], 0)


def test_the_chin_follows_the_jaw_more_than_the_cheeks_and_the_ears_not_at_all() -> None:
    drop = dict(zip(SKIN, portrait().geometry.skin_drop, strict=True))
    assert drop[18] > drop[152] > 0.25 >= max(drop[point] for point in CHEEKS)
    assert drop[132] < 0.1
    assert drop[361] < 0.1


def test_a_geometry_is_small_and_cannot_be_changed() -> None:
    face = portrait().geometry
    arrays = [value for value in map(face.__getattribute__, face.__slots__) if isinstance(value, np.ndarray)]
    assert sum(array.nbytes + 128 for array in arrays) < 5000
    with pytest.raises(ValueError, match="read-only"):
        face.control_points[0] = 0
    with pytest.raises(AttributeError):
        face.smile = 1.0


def test_the_widths_of_a_video_are_those_of_its_faces() -> None:
    landmarks = np.stack([portrait().landmarks, 1.5 * portrait().landmarks])
    faces = [measure_face(picture, NO_INSET) for picture in landmarks]
    assert np.allclose(face_widths(landmarks), [face.face_width for face in faces])
