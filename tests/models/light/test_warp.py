import numpy as np
import pytest

from models.interface import PICTURE_SHAPE
from models.light.face_geometry import INNER_LOWER_ROWS, INNER_UPPER_ROWS
from models.light.mouth_grid import Motion, MouthGrid
from models.light.mouth_targets import control_targets
from models.light.scratch import Scratch
from models.light.warp import planes_of, warp_picture
from tests.models.light.faces import AA, PBM, VISEMES, portrait, toothy


def warped(face, mouth, base: np.ndarray) -> tuple[np.ndarray, Motion]:
    motion = MouthGrid(face.geometry.face_width).motion(
        face.geometry, control_targets(face.geometry, mouth).points, Scratch()
    )
    assert motion is not None
    output = base.copy()
    warp_picture(motion, base, output, Scratch())
    return output, motion


def same_pattern_in_all_planes() -> np.ndarray:
    """Every plane shows the same smooth hills; chroma pixel k covers luma pixels 2k and 2k + 1."""
    picture = np.empty(PICTURE_SHAPE, np.uint8)
    planes = planes_of(picture)
    for plane, x in ((planes.y, np.arange(512.0)), (planes.u, np.arange(256) * 2 + 0.5)):
        plane[:] = np.rint(128 + 50 * np.sin(x / 23)[None] + 50 * np.cos(x / 31)[:, None])
    planes.v[:] = planes.u
    return picture


def test_the_planes_are_views_of_the_picture() -> None:
    picture = np.zeros(PICTURE_SHAPE, np.uint8)
    planes = planes_of(picture)
    planes.y[:], planes.u[:], planes.v[:] = 1, 2, 3
    assert planes.u.shape == planes.v.shape == (256, 256)
    assert [(picture == value).sum() for value in (1, 2, 3)] == [512 * 512, 256 * 256, 256 * 256]


@pytest.mark.parametrize("mouth", VISEMES)
def test_nothing_changes_outside_the_moving_area(mouth) -> None:
    base = np.random.default_rng(3).integers(16, 235, PICTURE_SHAPE, np.uint8)
    output, motion = warped(portrait(), mouth, base)
    area = motion.area
    for plane, before, step in zip(planes_of(output), planes_of(base), (1, 2, 2), strict=True):
        changed = plane != before
        top, left = (motion.top + area.top) // step, (motion.left + area.left) // step
        bottom, right = (motion.top + area.bottom) // step, (motion.left + area.right) // step
        assert changed[top:bottom, left:right].any()
        changed[top:bottom, left:right] = False
        assert not changed.any()


@pytest.mark.parametrize("mouth", VISEMES)
def test_chroma_moves_with_luma(mouth) -> None:
    output, _ = warped(portrait(), mouth, same_pattern_in_all_planes())
    planes = planes_of(output)
    halved = planes.y.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    difference = np.abs(halved - planes.u)
    assert difference.mean() < 0.7
    # Only the slit itself, where two fields meet within a chroma pixel, may differ more.
    assert (difference > 6).sum() < 150
    assert np.array_equal(planes.u, planes.v)


def test_the_border_of_what_moves_shows_no_seam() -> None:
    output, motion = warped(portrait(), AA, portrait().picture)
    area = motion.area
    change = np.abs(output[:512].astype(int) - portrait().picture[:512])
    inside = change[
        motion.top + area.top : motion.top + area.bottom, motion.left + area.left : motion.left + area.right
    ]
    border = np.concatenate([inside[:2].ravel(), inside[-2:].ravel(), inside[:, :2].ravel(), inside[:, -2:].ravel()])
    assert border.max() <= 4
    assert border.mean() < 0.3


def test_closing_an_open_mouth_leaves_only_lips() -> None:
    face = toothy()
    output, _ = warped(face, PBM, face.picture)
    targets = face.geometry.to_picture(control_targets(face.geometry, PBM).points)
    line = (targets[INNER_UPPER_ROWS] + targets[INNER_LOWER_ROWS])[2:9] / 2
    redness = planes_of(output).v[tuple(np.rint(line[:, ::-1] / 2).astype(int).T)]
    before = face.geometry.to_picture(face.geometry.control_points)
    middle = (before[INNER_UPPER_ROWS] + before[INNER_LOWER_ROWS])[5] / 2
    assert (redness > planes_of(face.picture).v[tuple(np.rint(middle[::-1] / 2).astype(int))] + 5).all()


def test_lips_without_a_change_of_shape_keep_their_texture() -> None:
    face = portrait()
    output, _ = warped(face, PBM, face.picture)
    area = slice(300, 380), slice(180, 330)
    sharpness = [float(np.abs(np.diff(plane[area].astype(int), axis=0)).mean()) for plane in (face.picture, output)]
    assert sharpness[1] == pytest.approx(sharpness[0], rel=0.15)
