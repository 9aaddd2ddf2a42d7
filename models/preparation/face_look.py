"""What a picture says about a face besides where it is: how it is lit, and whether the lips show.

Owns these measures, of one picture at a time. Must not import other modules of the project.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_LEFT_CHEEK, _RIGHT_CHEEK = 50, 280
_LEFT_SIDE, _RIGHT_SIDE = 234, 454
_UPPER_LIP = (61, 40, 37, 0, 267, 270, 291, 310, 312, 13, 82, 80)
_LOWER_LIP = (61, 91, 84, 17, 314, 321, 291, 318, 317, 14, 87, 88)
_AROUND = (205, 425, 57, 287, 212, 432, 200, 199, 164)  # skin that a hand before the mouth covers with it
_GREY = (0.114, 0.587, 0.299)  # of B, G, R
_PATCH = 0.06  # of the face's width


@dataclass(frozen=True, slots=True)
class FaceLook:
    """`left`, `right`: brightness of the cheeks' skin, 0..255.

    `lip_contrast`: distance of the lips' colour from that of the skin around them, in CIE Lab.
    """

    left: float
    right: float
    lip_contrast: float


def look_at(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> FaceLook:
    """Measure one picture (H, W, 3), BGR, with its landmarks (468, 2 or more)."""
    width = float(np.linalg.norm(points[_RIGHT_SIDE, :2] - points[_LEFT_SIDE, :2]))
    half = max(1, round(_PATCH * width / 2))
    left, right = (float(_patch(picture, points[at], half) @ _GREY) for at in (_LEFT_CHEEK, _RIGHT_CHEEK))
    around = np.median([_patch(picture, points[at], half) for at in _AROUND], axis=0)
    return FaceLook(left, right, float(np.linalg.norm(_lab(_lips(picture, points)) - _lab(around))))


def _patch(picture: NDArray[np.uint8], at: NDArray[np.float32], half: int) -> NDArray[np.float64]:
    """Mean colour of a square around a point, as far as it lies in the picture."""
    height, width = picture.shape[:2]
    x, y = int(np.clip(round(float(at[0])), 0, width - 1)), int(np.clip(round(float(at[1])), 0, height - 1))
    square = picture[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
    return np.asarray(square.reshape(-1, 3).mean(axis=0), np.float64)


def _lips(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean colour of both lips; what lies between them does not count."""
    outlines = [points[list(lip), :2] for lip in (_UPPER_LIP, _LOWER_LIP)]
    every = np.vstack(outlines)
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(every.min(axis=0)).astype(int), 0, (width - 2, height - 2))
    right, bottom = np.ceil(every.max(axis=0)).astype(int) + 1
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline - (left, top)).astype(np.int32) for outline in outlines], 255)
    return np.array(cv2.mean(part, mask)[:3])


def _lab(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    pixel = (colour / 255).astype(np.float32).reshape(1, 1, 3)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_BGR2LAB)[0, 0], np.float64)
