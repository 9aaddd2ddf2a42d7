import cv2
import numpy as np
import pytest

from models.preparation.face_detection import FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def _at(portrait: np.ndarray, scale: float, left: int, top: int) -> np.ndarray:
    picture = np.full_like(portrait, 128)
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def test_the_portrait_has_one_face_where_it_is_drawn(detector, portrait):
    (face,) = detector.find(portrait)
    left, top, right, bottom = face.box
    assert 300 < left < 400
    assert 640 < right < 740
    assert top < 420 < 620 < bottom
    assert np.allclose(face.eyes, [[431, 418], [607, 421]], atol=25)


def test_eyes_are_given_from_left_to_right(detector, portrait):
    (face,) = detector.find(np.ascontiguousarray(portrait[:, ::-1]))
    assert face.eyes[0, 0] < face.eyes[1, 0]


@pytest.mark.parametrize(("scale", "left", "top"), [(0.5, 500, 20), (0.25, 40, 700), (0.16, 850, 450)])
def test_a_smaller_face_is_found_in_tiles(detector, portrait, scale, left, top):
    (face,) = detector.find(_at(portrait, scale, left, top))
    (large,) = detector.find(portrait)
    assert np.allclose(np.array(face.box), np.array(large.box) * scale + [left, top, left, top], atol=60 * scale)
    assert face.width == pytest.approx(large.width * scale, rel=0.25)


def test_a_face_that_fills_the_picture_is_found(detector, portrait):
    assert len(detector.find(np.ascontiguousarray(portrait[230:740, 330:715]))) == 1


def test_two_faces_side_by_side_are_two(detector, portrait):
    assert len(detector.find(np.hstack([portrait, portrait]))) == 2


@pytest.mark.parametrize("size", [(1, 1), (64, 2000), (900, 30), (512, 512)])
def test_a_picture_without_a_face_has_none_whatever_its_shape(detector, size):
    sky = np.linspace(60, 220, size[0]).astype(np.uint8)[:, None, None]
    assert detector.find(np.ascontiguousarray(np.broadcast_to(sky, (*size, 3)))) == []


def test_one_look_suffices_for_a_large_face(detector, portrait):
    (quick,), (thorough,) = detector.find(portrait, thorough=False), detector.find(portrait)
    assert np.allclose(quick.box, thorough.box, atol=40)
