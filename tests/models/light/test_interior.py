import numpy as np
import pytest

from models.light.face_geometry import INNER_LOWER_ROWS, INNER_UPPER_ROWS
from models.light.interior import Interior
from models.light.mouth_targets import control_targets
from models.light.warp import planes_of
from tests.models.light.faces import AA, EH, OH, PBM, TH, VISEMES, Face, portrait, toothy


def painted(face: Face, mouth) -> np.ndarray:
    """The inside alone, on an even grey picture."""
    output = np.full_like(face.picture, 128)
    Interior(face.material).paint(face.geometry, control_targets(face.geometry, mouth), mouth, output)
    return output


def opening(face: Face, mouth) -> np.ndarray:
    """Lowest and highest x and y of the lips' opening in the picture: [[x, y], [x, y]]."""
    points = control_targets(face.geometry, mouth).points
    lips = face.geometry.to_picture(np.concatenate([points[INNER_UPPER_ROWS], points[INNER_LOWER_ROWS]]))
    return np.stack([lips.min(axis=0), lips.max(axis=0)])


@pytest.mark.parametrize("mouth", VISEMES)
def test_only_the_opening_is_painted(mouth) -> None:
    output = painted(portrait(), mouth)
    low, high = opening(portrait(), mouth)
    for plane, step in zip(planes_of(output), (1, 2, 2), strict=True):
        rows, columns = np.nonzero(plane != 128)
        if len(rows):
            assert rows.min() * step > low[1] - 10
            assert rows.max() * step < high[1] + 10
            assert columns.min() * step > low[0] - 10
            assert columns.max() * step < high[0] + 10


def test_pressed_lips_show_nothing_of_the_inside() -> None:
    assert (painted(portrait(), PBM) == 128).all()


def test_ah_shows_bright_teeth_above_a_dark_cavity() -> None:
    luma = planes_of(painted(portrait(), AA)).y
    low, high = np.rint(opening(portrait(), AA)).astype(int)
    middle = luma[low[1] : high[1], (low[0] + high[0]) // 2].astype(int)
    brightest, darkest = middle[2:].argmax() + 2, middle.argmin()
    assert middle[brightest] > 150
    assert middle[darkest] < 40
    assert brightest < darkest


def test_rounded_lips_hide_the_upper_teeth() -> None:
    """The upper half of "oh" against a mouth that opens as far without rounding."""
    face = portrait()
    values = []
    for mouth in (OH, OH._replace(pucker=0, open=0.3)):
        low, high = np.rint(opening(face, mouth)).astype(int)
        middle = planes_of(painted(face, mouth)).y[low[1] + 2 : high[1], sum(low[:1] + high[:1]) // 2 :][:, :6]
        values.append(float(middle[: len(middle) // 2].max()))
    assert values[0] < values[1] - 20


def test_a_raised_tongue_shows() -> None:
    face = portrait()
    up, down = EH._replace(tongue=1), EH
    difference = planes_of(painted(face, up)).v.astype(int) - planes_of(painted(face, down)).v
    assert difference.max() > 5
    assert (planes_of(painted(face, TH)).y != 128).any()


def test_the_inside_fades_in_with_the_opening() -> None:
    face = portrait()
    strength = []
    for opening_share in (0.0, 0.02, 0.05, 0.1, 0.2):
        output = painted(face, AA._replace(open=opening_share, wide=0))
        strength.append(int(np.abs(planes_of(output).y.astype(int) - 128).max()))
    assert strength[0] == 0
    assert strength == sorted(strength)
    assert strength[1] < 60


def test_pressed_lips_of_a_mouth_that_shows_teeth_get_their_line() -> None:
    face = toothy()
    output = painted(face, PBM)
    points = control_targets(face.geometry, PBM).points
    line = np.rint(face.geometry.to_picture(points[INNER_UPPER_ROWS][3:8])).astype(int)
    assert (planes_of(output).y[line[:, 1], line[:, 0]] < 110).all()
    assert (painted(face, AA) == 128).mean() > 0.9


def test_a_mouth_beyond_the_pictures_edge_is_left_out() -> None:
    face = portrait()
    outside = face.geometry.to_picture(np.zeros((1, 2)))[0]
    for shift in ((600, 0), (0, 700), (-outside[0], 0)):
        geometry = type(face.geometry)(
            **{name: getattr(face.geometry, name) for name in face.geometry.__slots__}
            | {"origin": (face.geometry.origin + shift).astype(np.float32)}
        )
        output = np.full_like(face.picture, 128)
        Interior(face.material).paint(geometry, control_targets(geometry, AA), AA, output)
        assert (planes_of(output).y[:, 100:] == 128).all()
