"""Moves the inner corners of an open mouth outwards where the picture shows that its dark goes on beyond them.

Landmarkers end an open mouth a little early; the dark that is left over stays in the picture when lips close. Must not
import other modules of the project.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_CORNERS = ((78, 61), (308, 291))  # inner and outer
_INNER_LIPS = (13, 14)
_OPEN_FROM = 0.05  # gap of the lips, mouth widths
_DARKNESS = 0.5  # of the lightness at the outer corner
_STEPS, _FURTHEST = 21, 0.8  # of the way to the outer corner


def fit_corners(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The points with the inner corners where the dark of this BGR picture (H, W, 3) ends; unchanged in closed lips.

    `points`: (468, 2 or more), pixels of this picture.
    """
    width = np.linalg.norm(points[_CORNERS[1][1], :2] - points[_CORNERS[0][1], :2])
    upper, lower = points[list(_INNER_LIPS), :2]
    fitted = points.copy()
    if np.linalg.norm(lower - upper) < _OPEN_FROM * width:
        return fitted
    steps = np.linspace(0, 1, _STEPS)
    for inner, outer in _CORNERS:
        begin, end = points[inner, :2], points[outer, :2]
        way = (begin + (end - begin) * steps[:, None]).astype(np.float32)
        colours = cv2.remap(
            picture, way[None, :, 0], way[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        lightness = cv2.cvtColor(colours, cv2.COLOR_BGR2LAB)[0, :, 0].astype(np.float32)
        darkest, skin = lightness.min(), lightness[-1]
        if darkest < _DARKNESS * skin:
            dark_until = steps[np.flatnonzero(lightness < (darkest + skin) / 2)[-1]]
            fitted[inner] += (points[outer] - points[inner]) * np.float32(min(dark_until, _FURTHEST))
    return fitted
