"""Faces for the painting tests: the built-in portrait, and the same face with its mouth open, showing teeth."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import (
    INNER_LOWER_LIP,
    INNER_LOWER_ROWS,
    INNER_UPPER_LIP,
    INNER_UPPER_ROWS,
    LIP_POINTS,
    OUTER_LOWER_LIP,
    OUTER_LOWER_ROWS,
    OUTER_UPPER_LIP,
    OUTER_UPPER_ROWS,
    SKIN,
    SKIN_ROWS,
    FaceGeometry,
    measure_face,
)
from models.light.mouth_material import build_material
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import control_targets
from models.light.renderer import MouthRenderer
from models.light.scratch import Scratch

NO_INSET = np.zeros((2, LIP_POINTS), np.float32)
REST = MouthParameters(0, 0, 0, 0, 0, 0)
AA = MouthParameters(1, 0.15, 0, 0, 0, 0)
EH = MouthParameters(0.55, 0.5, 0, 0, 0, 0)
IY = MouthParameters(0.22, 0.9, 0, 0, 0, 0)
UW = MouthParameters(0.18, 0, 1, 0, 0, 0)
OH = MouthParameters(0.42, 0, 0.75, 0, 0, 0)
PBM = MouthParameters(0, 0, 0.05, 1, 0, 0)
FV = MouthParameters(0.12, 0.1, 0, 0, 1, 0)
TH = MouthParameters(0.22, 0.1, 0, 0, 0, 1)
VISEMES = (AA, EH, IY, UW, OH, PBM, FV, TH)

_FOLDER = Path(__file__).parents[2] / "golden" / "face"
_MOVING = (
    (OUTER_UPPER_LIP, OUTER_UPPER_ROWS),
    (OUTER_LOWER_LIP, OUTER_LOWER_ROWS),
    (INNER_UPPER_LIP, INNER_UPPER_ROWS),
    (INNER_LOWER_LIP, INNER_LOWER_ROWS),
    (SKIN, SKIN_ROWS),
)


class Face(NamedTuple):
    """A base picture and all that painting on it needs."""

    picture: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    geometry: FaceGeometry
    material: dict[str, NDArray]
    renderer: MouthRenderer


def face_of(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Face:
    material = build_material(picture[None], landmarks[None])
    geometry = measure_face(landmarks, material["lip_inset"])
    picture.flags.writeable = False
    return Face(picture, landmarks, geometry, material, MouthRenderer(material, geometry.face_width, Scratch()))


@cache
def portrait() -> Face:
    """Lips closed."""
    drawn = cv2.imread(str(_FOLDER / "portrait.jpg"))
    return face_of(cv2.cvtColor(drawn, cv2.COLOR_BGR2YUV_I420), np.load(_FOLDER / "portrait_landmarks.npy"))


@cache
def toothy() -> Face:
    """The portrait as it says "eh", taken for a base picture: a mouth that is open at rest."""
    closed = portrait()
    picture = closed.renderer.paint(EH, closed.picture, closed.geometry)
    landmarks = closed.landmarks.copy()
    targets = closed.geometry.to_picture(control_targets(closed.geometry, EH).points)
    for points, rows in _MOVING:
        landmarks[list(points)] = targets[rows]
    return face_of(picture, landmarks)


def moved(landmarks: NDArray[np.float32], turn_degrees: float, scale: float, shift: tuple[float, float]) -> NDArray:
    """The landmarks of a face turned in the picture about its middle, scaled and shifted."""
    turn = np.deg2rad(turn_degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = landmarks.mean(axis=0)
    return ((landmarks - middle) @ rotation.T * scale + middle + shift).astype(np.float32)
