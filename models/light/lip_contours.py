"""Smooth lip contours and their antialiased masks.

Owns how eleven landmarks become a drawn curve. Nothing here knows a face or a picture's planes.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import LIP_POINTS

_STEPS = 3  # drawn segments between two landmarks
_SUBPIXEL_BITS = 4


def _catmull_rom(points: int, steps: int) -> NDArray[np.float64]:
    """((points - 1) steps + 1, points): each row makes one point of the curve through the given ones.

    Catmull and Rom, "A Class of Local Interpolating Splines", 1974; end tangents by repeating the end points.
    """
    rows = np.zeros(((points - 1) * steps + 1, points))
    for row, position in enumerate(np.arange(len(rows)) / steps):
        left = min(int(position), points - 2)
        t = position - left
        weights = 0.5 * np.array(
            [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
        )
        for offset, weight in zip(range(-1, 3), weights, strict=True):
            rows[row, np.clip(left + offset, 0, points - 1)] += weight
    return rows


_SMOOTHING = _catmull_rom(LIP_POINTS, _STEPS)


def smooth_contour(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 11, 2) -> (..., 31, 2), a curve through the same points."""
    return _SMOOTHING @ points


def fill_polygon(mask: NDArray[np.uint8], points: NDArray[np.floating]) -> None:
    """Clear `mask` and fill a polygon (n, 2) into it, with antialiased edges; pixel centres at whole numbers.

    OpenCV's soft edge adds about half a pixel all round.
    """
    mask[:] = 0
    corners = np.rint(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_line(mask: NDArray[np.uint8], points: NDArray[np.floating], thickness: int) -> None:
    """Clear `mask` and draw an open, antialiased line through (n, 2) points."""
    mask[:] = 0
    corners = np.rint(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(mask, [corners], False, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
