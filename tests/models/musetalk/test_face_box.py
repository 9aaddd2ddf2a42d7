import numpy as np
import pytest

from models.errors import ModelError
from models.musetalk.face_box import IBUG_POINTS, box_of_points, ibug_points, smoothed, video_boxes, with_margin
from tests.models.musetalk.faces import photograph_points


def test_the_margin_makes_the_references_box(golden) -> None:
    assert with_margin(golden["bbox_raw"], 512, 512) == tuple(golden["bbox"])


def test_the_box_of_the_golden_face_lies_on_the_reference_one(golden) -> None:
    points = ibug_points(photograph_points(golden["frame_bgr"].tobytes()))
    box = with_margin(box_of_points(points), 512, 512)
    left, top = np.maximum(box[:2], golden["bbox"][:2])
    right, bottom = np.minimum(box[2:], golden["bbox"][2:])
    both = (right - left) * (bottom - top)
    width, height = golden["bbox"][2:] - golden["bbox"][:2]
    assert both / (box.width * box.height + width * height - both) > 0.75


def test_the_68_points_are_where_ibug_has_them(golden) -> None:
    assert len(IBUG_POINTS) == len(set(IBUG_POINTS)) == 68
    points = ibug_points(photograph_points(golden["frame_bgr"].tobytes()))
    x, y = points.T
    assert (np.diff(x[:17]) > 0).all()  # the jaw from the left to the right
    assert y[8] == y.max()  # the chin
    assert (np.diff(y[27:31]) > 0).all()  # down the nose
    assert y[17:27].max() < y[36:48].min()  # brows above eyes
    assert x[36:42].max() < x[42:48].min()  # left eye, right eye
    assert y[36:48].max() < y[30] < y[31:36].max() < y[48:68].min()  # eyes, nose, mouth
    assert (x[48], x[54]) == (x[48:60].min(), x[48:60].max())  # corners of the mouth


def test_the_box_is_symmetric_about_the_bridge_of_the_nose() -> None:
    points = np.random.default_rng(3).uniform(100, 300, (68, 2))
    points[29] = 200, 220
    left, top, right, bottom = box_of_points(points)
    assert (left, right) == (points[:, 0].min(), points[:, 0].max())
    assert bottom == points[:, 1].max()
    assert (top + bottom) / 2 == pytest.approx(220)


def test_a_box_that_would_begin_above_the_picture_begins_at_its_edge() -> None:
    points = np.full((68, 2), 100.0)
    points[29, 1], points[8, 1] = 50, 170
    assert box_of_points(points)[1] == 0


def test_boxes_stay_inside_the_picture() -> None:
    assert with_margin((-4.0, 2.0, 600.0, 508.0), 512, 512) == (0, 2, 512, 512)
    with pytest.raises(ModelError, match="not inside"):
        with_margin((520.0, 10.0, 600.0, 90.0), 512, 512)


def test_smoothing_takes_the_tremor_and_leaves_the_place() -> None:
    rng = np.random.default_rng(5)
    steady = np.tile([100.0, 80.0, 220.0, 260.0], (50, 1))
    trembling = steady + rng.normal(0, 1, steady.shape)
    for loop in (False, True):
        result = smoothed(trembling, loop=loop)
        assert np.abs(np.diff(result, axis=0)).mean() < 0.4 * np.abs(np.diff(trembling, axis=0)).mean()
        np.testing.assert_allclose(smoothed(steady, loop=loop), steady)


def test_a_loops_last_box_meets_its_first() -> None:
    boxes = np.zeros((25, 4))
    boxes[0] = 9
    assert smoothed(boxes, loop=True)[-1].tolist() == [2] * 4
    assert smoothed(boxes, loop=False)[-1].tolist() == [0] * 4


def test_a_video_has_a_box_for_every_frame(golden) -> None:
    points = photograph_points(golden["frame_bgr"].tobytes())
    moving = np.stack([ibug_points(points + np.float32((step, 0))) for step in range(10)])
    boxes = video_boxes(moving, 512, 512, loop=False)
    assert len(boxes) == 10
    assert [box.left - boxes[4].left for box in boxes[2:8]] == [-2, -1, 0, 1, 2, 3]


def test_points_that_make_no_box_give_way_to_others_of_the_same_frame(golden) -> None:
    face = ibug_points(photograph_points(golden["frame_bgr"].tobytes()))
    steady = np.stack([face] * 9)
    lost = steady.copy()
    lost[3] = 0  # all points in one place
    lost[6, 4, 0] = -3  # beyond the left edge
    expected = video_boxes(steady, 512, 512, loop=False)
    assert video_boxes(lost, 512, 512, loop=False, otherwise=steady) == expected
    assert video_boxes(lost, 512, 512, loop=False) != expected
