from itertools import product

import numpy as np
import pytest

from models.preparation.face_motion import FaceMotion
from models.preparation.steadying import (
    Steadying,
    common_area,
    measured_motion,
    moved,
    steadiness,
    steady_motion,
    steady_points,
)

WIDTH = 200.0


def _track(shake: float, zoom: float = 0.0, count: int = 250) -> FaceMotion:
    """A face of `WIDTH` that sways slowly and shakes by `shake` pixels at 4 Hz, with the size coming and going."""
    time_s = np.arange(count) / 25
    x = 300 + 12 * np.sin(2 * np.pi * 0.2 * time_s) + shake * np.sin(2 * np.pi * 4 * time_s)
    size = np.log(70) + zoom * np.sin(2 * np.pi * 0.3 * time_s)
    return FaceMotion(np.stack([x, np.full(count, 200.0), size, 0.02 * np.sin(2 * np.pi * 3 * time_s)], axis=1))


def test_shaking_is_held_and_the_sway_stays():
    shaken = _track(4.0)
    steady = steady_motion(shaken, WIDTH, Steadying())
    assert steadiness(steady).jitter_px < 0.25 * steadiness(shaken).jitter_px
    assert np.ptp(steady.track[:, 0]) > 0.75 * np.ptp(_track(0.0).track[:, 0])
    assert np.ptp(steady.track[50:-50, 3]) < 0.01, "the roll, too"


def test_the_size_is_that_of_the_first_second():
    shaken = _track(4.0, zoom=0.05)
    locked = steady_motion(shaken, WIDTH, Steadying())
    assert np.allclose(locked.track[:, 2], np.median(shaken.track[:25, 2]))
    assert steadiness(locked).scale_spread == 0
    free = steady_motion(shaken, WIDTH, Steadying(scale_lock=False))
    assert steadiness(free).scale_spread > 0.7 * steadiness(shaken).scale_spread


def test_the_lock_alone_leaves_the_place_as_it_is():
    shaken = _track(4.0, zoom=0.05)
    locked = steady_motion(shaken, WIDTH, Steadying(box_filter=False))
    assert np.array_equal(locked.track[:, [0, 1, 3]], shaken.track[:, [0, 1, 3]])


@pytest.mark.parametrize("ways", [Steadying(*flags) for flags in product((True, False), repeat=3)])
def test_a_camera_on_a_stand_is_left_alone(ways):
    still = _track(0.1, zoom=0.001)
    assert steady_motion(still, WIDTH, ways) is still


def test_without_tracking_trembling_landmarks_are_no_shaking_camera():
    rng = np.random.default_rng(4)
    face = rng.uniform(100, 300, (468, 3)).astype(np.float32)
    trembling = face + rng.normal(0, 0.5, (60, 1, 3)).astype(np.float32)
    motion = measured_motion(trembling, [None] * 60, WIDTH, Steadying(tracking=False))
    assert steady_motion(motion, WIDTH, Steadying(tracking=False)) is motion
    shaken = trembling + (4 * np.sin(np.arange(60) * 2))[:, None, None].astype(np.float32)
    motion = measured_motion(shaken, [None] * 60, WIDTH, Steadying(tracking=False))
    assert steady_motion(motion, WIDTH, Steadying(tracking=False)) is not motion


def test_landmarks_move_with_the_steadied_face_and_keep_its_expression():
    rng = np.random.default_rng(5)
    face = rng.uniform(-70, 70, (468, 3)).astype(np.float32)
    shaken = _track(4.0)
    unit = FaceMotion(np.repeat([[0.0, 0.0, np.log(70), 0.0]], 250, axis=0))
    opened = np.repeat(face[None], 250, axis=0)
    opened[100:150, 14, 1] += 20
    target = steady_motion(shaken, WIDTH, Steadying())
    points = steady_points(moved(opened, unit.map_to(shaken)), shaken, target)
    expected = moved(opened, unit.map_to(target))
    quiet = np.r_[10:90, 110:140, 160:240]
    assert np.abs(points[quiet] - expected[quiet]).max() < 0.05


def test_what_all_pictures_cover_is_left_when_they_move():
    maps = np.array([[[1.0, 0, 5], [0, 1, -3]], [[1.0, 0, -7], [0, 1, 2]]])
    assert common_area(maps, 100, 80) == (5, 2, 93, 77)


def test_one_frame_has_no_shake():
    assert steadiness(_track(4.0, count=1)).jitter_px == 0
