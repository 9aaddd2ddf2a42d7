import cv2
import numpy as np
import pytest

from models.light.face_geometry import (
    INNER_LOWER_ROWS,
    INNER_UPPER_ROWS,
    OUTER_LOWER_ROWS,
    OUTER_UPPER_ROWS,
    measure_face,
)
from models.light.mouth_grid import Motion, MouthGrid, Nodes
from models.light.mouth_targets import control_targets
from models.light.scratch import Scratch
from tests.models.light.faces import AA, EH, FV, IY, NO_INSET, PBM, REST, UW, Face, moved, portrait, toothy


def motion_of(face: Face, mouth) -> Motion:
    grid = MouthGrid(face.geometry.face_width)
    motion = grid.motion(face.geometry, control_targets(face.geometry, mouth).points, Scratch())
    assert motion is not None
    return motion


def sources_at(motion: Motion, nodes: Nodes, points: np.ndarray) -> np.ndarray:
    """Where the picture's pixels at `points` look, interpolated between the nodes as a remap does."""
    corner = (motion.left, motion.top)
    place = ((points - corner + 0.5) / motion.cell + 0.5).astype(np.float32)
    place[:, 1] -= nodes.first_row
    return cv2.remap(nodes.sources, place[None, :, 0], place[None, :, 1], cv2.INTER_LINEAR)[0]


def test_a_mouth_at_rest_does_not_move() -> None:
    face = portrait().geometry
    grid = MouthGrid(face.face_width)
    assert grid.motion(face, control_targets(face, REST).points, Scratch()) is None


@pytest.mark.parametrize("mouth", [AA, EH, IY, UW, PBM, FV])
@pytest.mark.parametrize("face", [portrait(), toothy()], ids=["closed", "open"])
def test_the_lips_come_from_where_the_lips_are(face: Face, mouth) -> None:
    motion = motion_of(face, mouth)
    targets = control_targets(face.geometry, mouth).points
    # A mouth that has to close far first is harder: its field is steeper than the grid's cells are wide.
    inner_px, outer_px = (0.5, 1.2) if face is portrait() else (1.7, 1.7)
    for nodes, rows, mean_px in (
        (motion.upper, INNER_UPPER_ROWS, inner_px),
        (motion.lower, INNER_LOWER_ROWS, inner_px),
        (motion.upper, OUTER_UPPER_ROWS, outer_px),
        (motion.lower, OUTER_LOWER_ROWS, outer_px),
    ):
        found = sources_at(motion, nodes, face.geometry.to_picture(targets[rows])[1:-1])
        error = found - face.geometry.to_picture(face.geometry.control_points[rows])[1:-1]
        assert np.abs(error).mean() < mean_px


def test_the_regions_border_holds_still() -> None:
    motion = motion_of(portrait(), AA)
    x = (np.arange(motion.upper.sources.shape[1]) - 0.5) * motion.cell - 0.5 + motion.left
    assert np.allclose(motion.upper.sources[0, :, 0], x, atol=1e-3)
    assert np.allclose(motion.upper.sources[:, 0, 0], x[0], atol=1e-3)
    assert np.allclose(motion.lower.sources[-1, :, 0], x, atol=1e-3)


def test_beside_the_mouth_both_fields_agree_along_the_cut() -> None:
    motion = motion_of(portrait(), AA)
    lips = motion.curve[1:-1]
    for beyond in (lips[0] - (3 * motion.cell, 0), lips[-1] + (3 * motion.cell, 0)):
        column = np.stack([np.full(9, beyond[0]), beyond[1] + np.linspace(-4, 4, 9)], axis=1)
        points = column + np.array([motion.left, motion.top])
        upper, lower = (sources_at(motion, nodes, points) for nodes in (motion.upper, motion.lower))
        assert np.abs(upper - lower).max() < 0.1


@pytest.mark.parametrize("shift", [(0, 0), (-120, 0), (130, 0), (0, 160), (0, -250), (-180, 180)])
def test_what_moves_lies_within_the_picture(shift) -> None:
    face = measure_face(moved(portrait().landmarks, 0, 1, shift), NO_INSET)
    grid = MouthGrid(face.face_width)
    motion = grid.motion(face, control_targets(face, AA).points, Scratch())
    assert motion is not None
    area = motion.area
    assert 0 <= motion.left + area.left < motion.left + area.right <= 512
    assert 0 <= motion.top + area.top < motion.top + area.bottom <= 512
    assert area.top <= area.cut_top <= area.cut_bottom <= area.bottom
    assert not any(value % 2 for value in (*area, motion.left, motion.top))


@pytest.mark.parametrize("turn", [-75, -60, -25, -12, 12, 25, 60, 75])
def test_each_field_has_the_nodes_around_all_of_its_pixels(turn) -> None:
    """The ring as well, where the head is tilted so far that the cut reaches the region's top or bottom."""
    face = measure_face(moved(portrait().landmarks, turn, 1.2, (0, 0)), NO_INSET)
    grid = MouthGrid(face.face_width)
    motion = grid.motion(face, control_targets(face, AA).points, Scratch())
    assert motion is not None
    area = motion.area
    for nodes, first, last in (
        (motion.upper, area.top, area.cut_bottom - 1),
        (motion.lower, area.cut_top, area.bottom - 1),
    ):
        above, below = ((row + 0.5) / motion.cell + 0.5 for row in (first, last))  # rows of nodes, the ring is 0
        assert nodes.first_row <= int(above)
        assert nodes.first_row + len(nodes.sources) > np.ceil(below)


@pytest.mark.parametrize(("turn", "share"), [(0, 0.2), (15, 0.5), (-15, 0.5), (25, 0.7)])
def test_the_cut_is_no_higher_than_the_face_is_tilted(turn, share) -> None:
    """Within the cut both fields are painted, which is double work."""
    face = measure_face(moved(portrait().landmarks, turn, 0.8, (0, 0)), NO_INSET)
    motion = MouthGrid(face.face_width).motion(face, control_targets(face, EH).points, Scratch())
    assert motion is not None
    area = motion.area
    assert area.cut_bottom - area.cut_top < share * (area.bottom - area.top)


def test_a_mouth_outside_the_picture_moves_nothing() -> None:
    face = measure_face(moved(portrait().landmarks, 0, 1, (900, 0)), NO_INSET)
    grid = MouthGrid(face.face_width)
    assert grid.motion(face, control_targets(face, AA).points, Scratch()) is None


@pytest.mark.parametrize(("turn", "scale"), [(15, 1.0), (-25, 0.5), (0, 1.6), (0, 0.25)])
def test_turned_large_and_small_faces_close_their_lips_as_well(turn, scale) -> None:
    face = measure_face(moved(toothy().landmarks, turn, scale, (0, 0)), NO_INSET)
    grid = MouthGrid(face.face_width)
    targets = control_targets(face, PBM).points
    motion = grid.motion(face, targets, Scratch())
    assert motion is not None
    for nodes, rows in ((motion.upper, INNER_UPPER_ROWS), (motion.lower, INNER_LOWER_ROWS)):
        found = sources_at(motion, nodes, face.to_picture(targets[rows])[1:-1])
        error = found - face.to_picture(face.control_points[rows])[1:-1]
        assert np.abs(error).mean() < 0.006 * face.face_width
