import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.light.face_geometry import (
    CHIN,
    INNER_LOWER_ROWS,
    INNER_UPPER_ROWS,
    NOSE_ROWS,
    OUTER_LOWER_ROWS,
    OUTER_UPPER_ROWS,
    SKIN,
    SKIN_ROWS,
)
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import JAW_DROP, control_targets
from tests.models.light.faces import AA, FV, IY, OH, PBM, REST, UW, portrait, toothy

share = st.floats(0, 1, allow_nan=False)
mouths = st.builds(MouthParameters, share, share, share, share, share, share)


@pytest.mark.parametrize("face", [portrait(), toothy()], ids=["closed", "open"])
def test_without_parameters_nothing_moves(face) -> None:
    targets = control_targets(face.geometry, REST)
    assert np.allclose(targets.points, face.geometry.control_points, atol=1e-4)


def test_ah_opens_the_lips_by_the_jaws_drop_and_the_lift() -> None:
    face = portrait().geometry
    targets = control_targets(face, AA)
    assert targets.aperture == pytest.approx((JAW_DROP + 0.03 + 0.0018) * face.lower_face_height, rel=0.05)


@pytest.mark.parametrize("face", [portrait(), toothy()], ids=["closed", "open"])
def test_pressed_lips_meet_all_along(face) -> None:
    points = control_targets(face.geometry, PBM).points
    assert np.allclose(points[INNER_UPPER_ROWS], points[INNER_LOWER_ROWS], atol=0.02)


def test_pressing_closes_even_an_opening_jaw_nearly() -> None:
    face = portrait().geometry
    aperture = control_targets(face, MouthParameters(0.5, 0, 0, 1, 0, 0)).aperture
    assert aperture < 0.2 * control_targets(face, MouthParameters(0.5, 0, 0, 0, 0, 0)).aperture


def test_rounding_narrows_the_mouth_and_spreading_widens_it() -> None:
    face = portrait().geometry

    def width(mouth: MouthParameters) -> float:
        corners = control_targets(face, mouth).points[OUTER_UPPER_ROWS][[0, -1]]
        return float(corners[1, 0] - corners[0, 0])

    assert width(UW) < 0.75 * width(REST)
    assert width(IY) > 1.03 * width(REST)


def test_rounded_lips_hold_the_jaw_up() -> None:
    face = portrait().geometry
    rounded = control_targets(face, OH)
    plain = control_targets(face, OH._replace(pucker=0))
    assert rounded.lower_teeth < 0.75 * plain.lower_teeth
    below = rounded.points[OUTER_LOWER_ROWS][5, 1] - rounded.points[INNER_LOWER_ROWS][5, 1]
    assert below < 1.25 * (face.control_points[OUTER_LOWER_ROWS][5, 1] - face.control_points[INNER_LOWER_ROWS][5, 1])


def test_for_f_the_lower_lip_rises_to_the_teeth_and_the_upper_lip_shows_them() -> None:
    face = portrait().geometry
    points = control_targets(face, FV).points
    height = face.lower_face_height
    assert points[INNER_LOWER_ROWS][5, 1] < -0.01 * height
    assert 0.01 * height < points[INNER_LOWER_ROWS][5, 1] - points[INNER_UPPER_ROWS][5, 1] < 0.06 * height


def test_the_chin_goes_down_with_the_jaw() -> None:
    face = portrait().geometry
    moved = control_targets(face, AA).points[SKIN_ROWS] - face.control_points[SKIN_ROWS]
    lip_chin = SKIN.index(CHIN[2])
    assert moved[lip_chin, 1] == pytest.approx(0.88 * JAW_DROP * face.lower_face_height, rel=0.05)


@given(mouth=mouths)
def test_the_nose_holds_still_and_the_lips_meet_at_the_corners(mouth: MouthParameters) -> None:
    face = portrait().geometry
    points = control_targets(face, mouth).points
    assert np.array_equal(points[NOSE_ROWS], face.control_points[NOSE_ROWS])
    assert np.isfinite(points).all()
    corners = points[INNER_UPPER_ROWS][[0, -1]] - points[INNER_LOWER_ROWS][[0, -1]]
    assert np.abs(corners).max() < 0.05


@given(mouth=mouths, opening=share)
def test_a_wider_jaw_never_means_closer_lips(mouth: MouthParameters, opening: float) -> None:
    face = portrait().geometry
    low, high = sorted((mouth.open, opening))
    closer = control_targets(face, mouth._replace(open=low)).aperture
    assert control_targets(face, mouth._replace(open=high)).aperture >= closer - 1e-6


@given(mouth=mouths, other=mouths, step=st.floats(0, 0.02))
def test_small_changes_of_the_parameters_move_the_mouth_a_little(mouth, other, step: float) -> None:
    face = toothy().geometry
    near = MouthParameters(*(a + step * (b - a) for a, b in zip(mouth, other, strict=True)))
    difference = control_targets(face, near).points - control_targets(face, mouth).points
    # Within 2 % of the parameters' range: less than a fifth of the gap that may have to close.
    assert np.abs(difference).max() < 0.25 * face.resting_gap + 0.5
