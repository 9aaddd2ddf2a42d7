from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.preparation.actions import ACTIONS
from models.preparation.crop import MARGIN
from models.preparation.head_warp import HeadWarp, Pose
from models.preparation.idle_motion import idle_pose


@pytest.fixture(scope="module")
def warp(points, crop) -> HeadWarp:
    return HeadWarp(crop.place(points), crop.space())


@pytest.fixture(scope="module")
def source(portrait, crop):
    return crop.cut_with_margin(portrait)


def _dots(points: np.ndarray) -> np.ndarray:
    """Soft white dots at these points, with the margin around."""
    picture = np.zeros((512 + 2 * MARGIN, 512 + 2 * MARGIN, 3), np.uint8)
    for x, y in points + MARGIN:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 4 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(picture, (0, 0), 1.5)


def test_without_a_pose_the_picture_is_the_cut_out_itself(warp, source):
    assert np.array_equal(warp.picture(source, Pose()), source[MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_without_a_pose_points_stay(warp, points, crop):
    placed = crop.place(points)
    assert np.allclose(warp.landmarks(placed, Pose()), placed[:, :2], atol=1e-4)


@pytest.mark.parametrize(
    "pose",
    [
        idle_pose(40),
        Pose(right=0.05, down=-0.02),
        Pose(roll=0.06),
        Pose(yaw=0.06, nod=0.1),
        Pose(breath=1, brows=0.02),
        ACTIONS[0].poses(Pose())[12],
    ],
)
def test_landmarks_go_where_the_picture_goes(warp, points, crop, pose):
    chosen = crop.place(points)[[33, 263, 1, 61, 291, 152, 105, 334, 10], :2]
    drawn = warp.picture(_dots(chosen), pose)[..., 0].astype(float)
    for x, y in warp.landmarks(chosen, pose):
        left, top = round(float(x)) - 7, round(float(y)) - 7
        window = drawn[top : top + 15, left : left + 15]
        rows, columns = np.mgrid[top : top + 15, left : left + 15]
        centre = np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()
        assert np.abs(centre - (x, y)).max() < 0.5


def test_a_nod_moves_the_nose_down_and_a_turn_moves_it_to_the_right(warp, points, crop):
    placed = crop.place(points)
    still = warp.landmarks(placed, Pose())
    nodded, turned = warp.landmarks(placed, Pose(nod=0.1)), warp.landmarks(placed, Pose(yaw=0.1))
    assert nodded[1, 1] > still[1, 1] + 2
    assert nodded[1, 1] - still[1, 1] > nodded[234, 1] - still[234, 1]
    assert turned[1, 0] > still[1, 0] + 2


def test_the_picture_without_the_person_stays(warp, source):
    moved = warp.picture(source, idle_pose(60)).astype(int)
    change = np.abs(moved - source[MARGIN:-MARGIN, MARGIN:-MARGIN])
    assert change[:120, :20].max() <= 5
    assert change[:120, -20:].max() <= 5


def test_a_picture_without_room_around_it_keeps_its_border(points, crop, portrait):
    warp = HeadWarp(crop.place(points), (0.0, 0.0, 0.0, 0.0))
    tight = crop.cut(portrait)
    framed = cv2.copyMakeBorder(tight, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    moved = warp.picture(framed, Pose(right=0.1, roll=0.05)).astype(int)
    for row in (np.s_[0, :], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(moved[row] - tight[row]).max() <= 3


def test_brows_rise_and_the_mouth_stays(warp, points, crop):
    placed = crop.place(points)
    raised = warp.landmarks(placed, replace(Pose(), brows=0.02)) - placed[:, :2]
    assert raised[105, 1] < -2
    assert np.abs(raised[[13, 61, 152]]).max() < 0.05
