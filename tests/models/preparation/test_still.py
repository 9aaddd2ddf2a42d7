from dataclasses import replace

import numpy as np
import pytest

from models.preparation.colour import i420_to_bgr
from models.preparation.head_warp import Pose
from models.preparation.idle_motion import LOOP_FRAMES, idle_pose
from models.preparation.still import Shot, Still, action_shots, photo_shots


def _luma_change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a[:512].astype(int) - b[:512]).mean())


def test_every_video_is_a_whole_number_of_seconds():
    videos = photo_shots()
    assert list(videos) == ["idle_0", "speaking_0", "action_1", "action_2"]
    assert all(len(shots) % 25 == 0 for shots in videos.values())


def test_the_loops_show_the_same_pose_at_each_index():
    videos = photo_shots()
    for idle, speaking in zip(videos["idle_0"], videos["speaking_0"], strict=True):
        assert replace(speaking.pose, brows=0.0) == idle.pose


def test_a_picture_is_i420_of_the_portrait(still, portrait, crop):
    picture = still.draw(Shot(Pose(), 0.0))
    assert picture.shape == (768, 512)
    assert picture.dtype == np.uint8
    assert np.abs(i420_to_bgr(picture).astype(int) - crop.cut(portrait)).mean() < 2


def test_the_loop_has_no_seam(still):
    shots = photo_shots()["idle_0"]
    change = [
        _luma_change(still.draw(shots[index]), still.draw(shots[(index + 1) % LOOP_FRAMES]))
        for index in (20, 60, 100, LOOP_FRAMES - 2, LOOP_FRAMES - 1, 0)
    ]
    assert change[4] < 1.5 * max(change[3], change[5])
    assert max(change) < 1.5


def test_landmarks_never_tremble(still):
    shots = photo_shots()["idle_0"][50:80]
    track = np.stack([still.landmarks(shot) for shot in shots])
    acceleration = np.diff(track, 2, axis=0)
    assert np.abs(acceleration).max() < 0.1


def test_actions_leave_from_the_first_picture_of_the_loop_and_come_back(still):
    rest = still.draw(Shot(idle_pose(0), 0.0))
    for name, shots in action_shots(idle_pose(0)).items():
        assert _luma_change(still.draw(shots[0]), rest) < 1, name
        assert _luma_change(still.draw(shots[-1]), rest) < 1, name
        assert max(_luma_change(still.draw(shot), rest) for shot in shots[10:40:10]) > 1.5, name


def test_drawn_eyes_are_used_where_there_are_some(portrait, points, crop):
    marked = portrait.copy()
    marked[400:440, 400:460] = (0, 255, 0)
    still = Still(portrait, points, crop, {1.0: marked})
    open_eyes, shut = still.draw(Shot(Pose(), 0.3)), still.draw(Shot(Pose(), 0.8))
    assert _luma_change(open_eyes, still.draw(Shot(Pose(), 0.0))) == 0
    x, y = np.rint(crop.place(np.array([[430, 420]], np.float32))[0]).astype(int)
    assert i420_to_bgr(shut)[y, x].tolist() == pytest.approx([0, 255, 0], abs=6)


def test_a_blink_lowers_the_upper_lids_alone(still):
    before, after = still.landmarks(Shot(Pose(), 0.0)), still.landmarks(Shot(Pose(), 1.0))
    assert np.allclose(after[159], before[145], atol=1)
    assert np.array_equal(after[[145, 13, 61, 152]], before[[145, 13, 61, 152]])
