"""Corrects landmarks with the exact curves of a drawn face.

A landmarker trained on photographs places a drawn face's lids, lips and jaw a few pixels off. Whoever drew the face
knows better: a JSON file beside the picture may hold the curves, in pixels of the picture. Owns that file's form and
the correction; must not import other modules of the project.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError

Curve = NDArray[np.float64]  # (n, 2) points along a line
Row = tuple[int, ...]

# MediaPipe face-mesh numbering; each row runs from corner to corner, "left" is the picture's left
UPPER_LID_LEFT: Row = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LOWER_LID_LEFT = (33, 7, 163, 144, 145, 153, 154, 155, 133)
UPPER_LID_RIGHT = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LOWER_LID_RIGHT = (263, 249, 390, 373, 374, 380, 381, 382, 362)
OUTER_UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)

_NAMES = (
    "lid_upper_left", "lid_lower_left", "lid_upper_right", "lid_lower_right",
    "lip_upper", "lip_line", "lip_lower", "face",
)  # fmt: skip


def read_contours(path: Path) -> dict[str, Curve]:
    """The curves of a contours file: lists of [x, y] for each of the eight names. Raises `PreparationError`."""
    try:
        loaded = json.loads(path.read_text())
        curves = {name: np.array(loaded[name], np.float64) for name in _NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PreparationError(f"{path.name}: not a contours file ({error!r}).") from error
    for name, curve in curves.items():
        if curve.ndim != 2 or curve.shape[1] != 2 or len(curve) < 3 or not np.isfinite(curve).all():
            raise PreparationError(f"{path.name}: {name} must be a list of at least three [x, y] points.")
    return curves


def correct_landmarks(points: NDArray[np.float32], curves: Mapping[str, Curve]) -> NDArray[np.float32]:
    """The points (468, 3) of a face with closed lips, with lids, lips and jaw moved onto the curves."""
    corrected = points.astype(np.float64)
    for side, upper, lower in (("left", UPPER_LID_LEFT, LOWER_LID_LEFT), ("right", UPPER_LID_RIGHT, LOWER_LID_RIGHT)):
        for name, row in (("lower", lower), ("upper", upper)):
            curve = curves[f"lid_{name}_{side}"]
            _put(corrected, points, row, curve, curve[0, 0], curve[-1, 0])
    line = curves["lip_line"]
    corners = points[[61, 291], 0]
    lips: list[tuple[Row, Curve]] = [
        (OUTER_UPPER_LIP, curves["lip_upper"]),
        (OUTER_LOWER_LIP, curves["lip_lower"]),
        (INNER_UPPER_LIP, line),
    ]
    for lip_row, curve in lips:
        _put(corrected, points, lip_row, curve, line[0, 0], line[-1, 0], *corners)
    corrected[list(INNER_LOWER_LIP), :2] = corrected[list(INNER_UPPER_LIP), :2]
    _put_jaw(corrected, points, curves["face"])
    return corrected.astype(np.float32)


def _put(
    corrected: NDArray, points: NDArray, row: Row, curve: Curve, x_first: float, x_last: float, *ends: float
) -> None:
    """Put a row of points onto a curve, each as far along it (in x) as it was between the row's `ends`."""
    indices = list(row)
    first, last = ends if ends else (points[row[0], 0], points[row[-1], 0])
    along = np.clip((points[indices, 0] - first) / (last - first), 0, 1)
    x = x_first + along * (x_last - x_first)
    order = np.argsort(curve[:, 0])
    corrected[indices, 0] = x
    corrected[indices, 1] = np.interp(x, curve[order, 0], curve[order, 1])


def _put_jaw(corrected: NDArray, points: NDArray, outline: Curve) -> None:
    """Move the jaw's points along the rays from between the eyes to the drawn outline."""
    centre = points[[33, 263], :2].mean(axis=0)
    rays = outline - centre
    angles, lengths = np.arctan2(rays[:, 0], rays[:, 1]), np.hypot(rays[:, 0], rays[:, 1])
    order = np.argsort(angles)
    for index in JAW:
        x, y = points[index, :2] - centre
        angle = float(np.arctan2(x, y))
        if angles[order[0]] < angle < angles[order[-1]]:
            length = float(np.interp(angle, angles[order], lengths[order]))
            corrected[index, :2] = centre + length * np.array([np.sin(angle), np.cos(angle)])
