from dataclasses import astuple

import numpy as np
import pytest

from models.preparation.actions import ACTION_FRAMES, ACTIONS
from models.preparation.head_warp import Pose
from models.preparation.idle_motion import closures, idle_pose


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
@pytest.mark.parametrize("rest", [Pose(), idle_pose(0)], ids=["plain", "idle"])
def test_an_action_leaves_from_rest_and_comes_back_without_a_jump(action, rest):
    poses = [rest, *action.poses(rest), rest]
    assert len(poses) == ACTION_FRAMES + 2
    steps = np.abs(np.diff(np.array([astuple(pose) for pose in poses]), axis=0))
    largest = steps.max(axis=0)
    assert np.all(steps[0] <= 0.15 * largest + 1e-9)
    assert np.all(steps[-1] <= 0.15 * largest + 1e-9)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_eyes_are_open_when_it_begins_and_ends(action):
    closed = closures(ACTION_FRAMES, action.blinks)
    assert closed[0] == closed[-1] == 0
    assert max(closed) == 1


def test_a_nod_goes_down_twice():
    down = np.array([pose.nod for pose in ACTIONS[0].poses(Pose())])
    lows = [i for i in range(1, len(down) - 1) if down[i - 1] < down[i] >= down[i + 1] and down[i] > 0.04]
    assert len(lows) == 2
    assert down[lows[0]] > down[lows[1]]


def test_a_tilt_leans_to_one_side_and_raises_the_brows():
    poses = ACTIONS[1].poses(Pose())
    assert 3 < np.degrees(max(pose.roll for pose in poses)) < 5
    assert min(pose.roll for pose in poses) > -1e-9
    assert max(pose.brows for pose in poses) > 0.02
