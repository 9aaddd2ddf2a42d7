"""Painting on heads that are tilted, small, large, or half out of the picture."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from models.light.face_geometry import FaceGeometry, measure_face
from models.light.mouth_parameters import MouthParameters
from models.light.renderer import MouthRenderer
from models.light.scratch import Scratch
from models.light.warp import planes_of
from tests.models.light.faces import PBM, REST, VISEMES, Face, moved, portrait, toothy

FACES = pytest.mark.parametrize("face", [portrait, toothy], ids=["closed", "open"])
TURNS = pytest.mark.parametrize("turn", [-25, -15, -8, 0, 8, 15, 25])
# where the mouth is: within the picture, at each border, in a corner, and just outside
PLACES = ((256, 300), (20, 250), (495, 256), (250, 12), (256, 500), (500, 490), (256, -20), (250, 530), (-15, 256))
MOUTH = slice(270, 450), slice(160, 350)  # of the portrait


def placed(face: Face, turn: float, scale: float, mouth_at: tuple[float, float]) -> FaceGeometry:
    landmarks = moved(face.landmarks, turn, scale, (0, 0))
    origin = measure_face(landmarks, face.material["lip_inset"]).origin
    return measure_face(landmarks + np.float32(mouth_at) - origin, face.material["lip_inset"])


@cache
def renderer_for(face: Callable[[], Face], face_width: int) -> MouthRenderer:
    """Made once for each width: most of the time would go into its tables."""
    return MouthRenderer(face().material, face_width, Scratch())


def random_mouth(random: np.random.Generator) -> MouthParameters:
    """Now and then with some parameters at 0 or 1."""
    return MouthParameters(*np.clip(random.uniform(-0.3, 1.2, 6), 0, 1).tolist())


def differs_outside(output: np.ndarray, base: np.ndarray, geometry: FaceGeometry) -> bool:
    """Whether anything changed beyond the region around the mouth, in any plane."""
    x, y = geometry.origin
    margin = 0.04 * geometry.face_width + 3  # the region is whole cells, at even pixels
    left, right = (x + sign * (0.54 * geometry.face_width + margin) for sign in (-1, 1))
    top, bottom = y - 0.24 * geometry.face_width - margin, y + 0.62 * geometry.face_width + margin
    for plane, before, step in zip(planes_of(output), planes_of(base), (1, 2, 2), strict=True):
        changed = plane != before
        low, high = (np.clip(int(value) // step, 0, len(plane)) for value in (top, bottom))
        first, last = (np.clip(int(value) // step, 0, len(plane)) for value in (left, right))
        changed[low:high, first:last] = False
        if changed.any():
            return True
    return False


@cache
def noise() -> np.ndarray:
    """A picture that shows every pixel that is touched."""
    return np.random.default_rng(0).integers(16, 235, (768, 512), np.uint8)


def turned(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    bgr = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    bgr = cv2.warpAffine(bgr, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)


def luma_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(planes_of(one).y.astype(int) - planes_of(other).y)[MOUTH].mean())


@FACES
@TURNS
def test_any_mouth_on_any_face_changes_only_the_region_around_it(face, turn) -> None:
    random = np.random.default_rng(turn + 100)
    known = face()
    for scale in (0.25, 0.6, 1.0, 1.5):
        for mouth_at in PLACES:
            geometry = placed(known, turn, scale, mouth_at)
            renderer = renderer_for(face, round(geometry.face_width))
            for mouth in (random_mouth(random), PBM):
                output = renderer.paint(mouth, noise(), geometry)
                assert not differs_outside(output, noise(), geometry), (scale, mouth_at, mouth)
        assert np.array_equal(renderer.paint(REST, noise(), geometry), noise())


@FACES
def test_a_face_that_is_not_of_the_avatars_usual_size_is_painted_too(face) -> None:
    """A video in which the head comes nearer, leans far over, or leaves: the region's size is the avatar's."""
    random = np.random.default_rng(11)
    known = face()
    for _ in range(150):
        turn, scale = random.uniform(-80, 80), np.exp(random.uniform(-1.5, 1.0))
        geometry = placed(known, turn, scale, tuple(random.uniform(-60, 572, 2)))
        usual = min((60, 120, 240, 480), key=lambda width: abs(np.log(width / geometry.face_width) + random.normal()))
        output = renderer_for(face, usual).paint(random_mouth(random), noise(), geometry)
        assert output.shape == noise().shape


@FACES
@pytest.mark.parametrize("turn", [-25, -15, 8, 15, 25])
def test_a_tilted_face_speaks_as_the_upright_one_does(face, turn) -> None:
    """Turn, paint, turn back: the upright picture's mouth, but for what turning a picture twice blurs."""
    known = face()
    middle = tuple(known.landmarks.mean(axis=0).tolist())
    there, back = (cv2.getRotationMatrix2D(middle, angle, 1) for angle in (-turn, turn))
    tilted = turned(known.picture, there)
    geometry = measure_face(moved(known.landmarks, turn, 1, (0, 0)), known.material["lip_inset"])
    blurred = luma_difference(turned(tilted, back), known.picture)
    for mouth in VISEMES:
        output = turned(known.renderer.paint(mouth, tilted, geometry), back)
        upright = known.renderer.paint(mouth, known.picture, known.geometry)
        change = luma_difference(upright, known.picture)
        assert luma_difference(output, upright) < blurred + 0.3 + 0.15 * change
