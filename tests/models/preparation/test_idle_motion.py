from dataclasses import astuple

import numpy as np
import pytest

from models.preparation.idle_motion import (
    BLINK,
    IDLE_BLINKS,
    LOOP_FRAMES,
    SPEAKING_BLINKS,
    closures,
    idle_pose,
    speaking_brows,
)


def test_the_loop_closes_by_itself():
    poses = np.array([astuple(idle_pose(index)) for index in range(-1, LOOP_FRAMES + 2)])
    assert np.allclose(poses[1], poses[LOOP_FRAMES + 1])
    steps = np.abs(np.diff(poses, axis=0))
    assert np.all(steps[[0, LOOP_FRAMES]].max(axis=0) <= steps.max(axis=0) + 1e-9)


def test_the_head_moves_but_not_far():
    poses = np.array([astuple(idle_pose(index)) for index in range(LOOP_FRAMES)])
    right, down, roll = poses[:, 0], poses[:, 1], poses[:, 2]
    assert 0.01 < np.ptp(right) < 0.06
    assert np.abs(down).max() < 0.02
    assert np.degrees(np.abs(roll)).max() < 1.5


@pytest.mark.parametrize("blinks", [IDLE_BLINKS, SPEAKING_BLINKS])
def test_every_blink_is_whole_and_between_two_whole_seconds(blinks):
    closed = closures(LOOP_FRAMES, blinks)
    assert sum(value > 0 for value in closed) == len(blinks) * len(BLINK)
    assert all(closed[second] == 0 and closed[second - 1] == 0 for second in range(0, LOOP_FRAMES, 25))


def test_the_two_loops_blink_at_different_times():
    idle, speaking = closures(LOOP_FRAMES, IDLE_BLINKS), closures(LOOP_FRAMES, SPEAKING_BLINKS)
    assert not any(a and b for a, b in zip(idle, speaking, strict=True))


def test_brows_are_at_rest_at_whole_seconds_and_rise_smoothly():
    brows = [speaking_brows(index) for index in range(LOOP_FRAMES + 1)]
    assert all(abs(brows[second]) < 1e-9 for second in range(0, LOOP_FRAMES + 1, 25))
    assert max(brows) > 0.01
    assert np.abs(np.diff(brows)).max() < 0.003


def test_a_blink_that_reaches_over_the_end_is_cut():
    assert closures(10, (7,)) == [0] * 7 + list(BLINK[:3])
