import cv2
import numpy as np
import pytest

from models.preparation.face_motion import FaceMotion, FeatureTracker, face_motion, smoothed


def _similarity(x: float, y: float, scale: float, roll: float, about: np.ndarray) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((float(about[0]), float(about[1])), -np.degrees(roll), scale)
    turn[:, 2] += (x, y)
    return turn


def _moved(points: np.ndarray, by: np.ndarray) -> np.ndarray:
    placed = points.copy()
    placed[:, :2] = points[:, :2] @ by[:, :2].T + by[:, 2]
    return placed


@pytest.fixture(scope="module")
def small(portrait):
    return cv2.resize(portrait, (512, 512), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def small_points(detected):
    return ((detected + 0.5) / 2 - 0.5).astype(np.float32)


@pytest.mark.parametrize("by", [(3.3, -2.6, 1.0, 0.0), (0.0, 0.0, 1.015, 0.0), (-1.2, 0.4, 0.99, 0.02)])
def test_tracking_is_exact_to_a_tenth_of_a_pixel(small, small_points, by):
    truth = _similarity(*by, about=small_points[:, :2].mean(axis=0))
    tracker = FeatureTracker()
    assert tracker.step(small, small_points) is None, "the first frame comes from nowhere"
    step = tracker.step(cv2.warpAffine(small, truth, (512, 512), flags=cv2.INTER_CUBIC), small_points)
    face = small_points[[10, 33, 263, 1], :2]
    off = (face @ step[:, :2].T + step[:, 2]) - (face @ truth[:, :2].T + truth[:, 2])
    assert np.abs(off).max() < 0.1


def test_a_face_without_texture_and_a_picture_of_another_size_are_lost(small, small_points):
    tracker, flat = FeatureTracker(), np.full_like(small, 90)
    tracker.step(flat, small_points)
    assert tracker.step(flat, small_points) is None
    assert tracker.step(np.full((300, 512, 3), 90, np.uint8), small_points) is None
    off = small_points + np.float32(2000)
    tracker.step(small, off)
    assert tracker.step(small, off) is None, "landmarks beside the picture"


def test_the_motion_of_landmarks_is_that_of_the_face(small_points):
    centre = small_points[:, :2].mean(axis=0)
    moves = [_similarity(2 * n, n, 1 + 0.01 * n, 0.01 * n, centre) for n in range(5)]
    track = face_motion(np.stack([_moved(small_points, move) for move in moves]), None).track
    assert np.allclose(np.diff(np.exp(track[:, 2])) / np.exp(track[0, 2]), 0.01, atol=1e-4)
    assert np.allclose(np.diff(track[:, 3]), 0.01, atol=1e-4)


def test_tracking_takes_the_trembling_of_landmarks_away_and_does_not_drift(small_points):
    rng, count = np.random.default_rng(3), 300
    x = 8 * np.sin(2 * np.pi * np.arange(count) / 20)
    points = np.stack([_moved(small_points, np.array([[1, 0, shift], [0, 1, 0]])) for shift in x])
    trembling = points + rng.normal(0, 1.0, (count, 1, 3)).astype(np.float32)
    steps = [None] + [np.array([[1, 0, shift + 0.02], [0, 1, 0]]) for shift in np.diff(x)]  # which drifts by 6 pixels
    true = face_motion(points, None).track[:, 0]
    by_landmarks = face_motion(trembling, None).track[:, 0] - true
    tracked = face_motion(trembling, steps).track[:, 0] - true
    assert np.abs(by_landmarks).max() > 2
    assert tracked.std() < 0.3
    assert abs(tracked.mean()) < 0.2


def test_where_tracking_is_lost_the_landmarks_tell(small_points):
    points = np.stack([small_points + np.float32(n >= 5) * 10 for n in range(10)])
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    track = face_motion(points, [None, *[still] * 4, None, *[still] * 4]).track
    assert np.diff(track[:, 0])[4] == pytest.approx(10, abs=0.01)


def test_a_map_takes_one_motion_to_another():
    rng = np.random.default_rng(2)
    one, other = (FaceMotion(rng.uniform((0, 0, 3, -0.2), (100, 100, 4, 0.2), (6, 4))) for _ in range(2))
    maps = one.map_to(other)
    there = np.einsum("nij,nj->ni", maps[:, :, :2], one.track[:, :2]) + maps[:, :, 2]
    assert np.allclose(there, other.track[:, :2])
    assert np.allclose(np.sqrt(np.linalg.det(maps[:, :, :2])), np.exp(other.track[:, 2] - one.track[:, 2]))


def test_smoothing_keeps_a_constant_and_shapes():
    assert np.allclose(smoothed(np.full((7, 3, 2), 5.0), 4.0), 5.0)
    assert smoothed(np.zeros((1, 4)), 10.0).shape == (1, 4)
