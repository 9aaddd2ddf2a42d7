"""Turns the head of a picture in space by its landmarks' own depth.

Owns that rotation. Behind the face the head recedes evenly; shoulders and background stay where they are. What a turned
head hides is left out, what it would uncover is stretched from beside it.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_RINGS = ((1.15, 0.10), (1.3, 0.18), (1.5, 0.24), (1.75, 0.26), (2.0, 0.26))  # size, and depth in face widths
_NODE_PX = 8
_SPREAD = 0.045  # of the face's width


def turned(picture: Picture, points: NDArray[np.float32], yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Picture:
    """The picture (H, W, 3) with its head turned to the picture's right and upwards by so much.

    `points`: (468, 3) of the picture.
    """
    if yaw_deg:
        picture = _about_vertical(picture, points, math.radians(yaw_deg))
    if pitch_deg:
        across = np.ascontiguousarray(picture.transpose(1, 0, 2))
        swapped = _about_vertical(across, points[:, [1, 0, 2]], math.radians(-pitch_deg))
        picture = np.ascontiguousarray(swapped.transpose(1, 0, 2))
    return picture


def _about_vertical(picture: Picture, points: NDArray[np.float32], angle: float) -> Picture:
    """Turned about the second axis of the points."""
    height, width = picture.shape[:2]
    axis = (points[234] + points[454]).astype(np.float64) / 2
    near, share = _head(points, width, height)
    columns = np.arange(width, dtype=np.float64)
    turned_x = axis[0] + (columns - axis[0]) * math.cos(angle) + near * math.sin(angle)
    moved = columns + (turned_x - columns) * share
    # what goes behind a nearer part takes no room
    if angle > 0:
        moved = np.maximum.accumulate(moved, axis=1)
    else:
        moved = np.minimum.accumulate(moved[:, ::-1], axis=1)[:, ::-1]
    source = np.stack([np.interp(columns, row, columns) for row in moved]).astype(np.float32)
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    return np.asarray(cv2.remap(picture, source, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _head(points: NDArray[np.float32], width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each pixel: how near it is, in pixels from the head's axis, and how much it belongs to the head, 0..1."""
    face = float(np.linalg.norm(points[454, :2] - points[234, :2]))
    oval = points[list(_OVAL)].astype(np.float64)
    middle = oval.mean(axis=0)
    every = [points.astype(np.float64)]
    for grown, depth in _RINGS:
        ring = middle + (oval - middle) * (grown, grown, 1)
        ring[:, 2] += depth * face
        every.append(ring)
    known = np.vstack(every)
    near = points[[234, 454], 2].mean() - known[:, 2]
    x, y = np.arange(0, width, _NODE_PX) + 0.5 * _NODE_PX - 0.5, np.arange(0, height, _NODE_PX) + 0.5 * _NODE_PX - 0.5
    reach = 2 * (_SPREAD * face) ** 2
    across = np.exp(-((x[:, None] - known[None, :, 0]) ** 2) / reach) + 1e-9
    down = np.exp(-((y[:, None] - known[None, :, 1]) ** 2) / reach) + 1e-9
    depth_px = ((down * near) @ across.T) / (down @ across.T)
    size = np.ptp(oval[:, :2], axis=0)
    distance = np.hypot(*np.meshgrid((x - middle[0]) / size[0], (y - middle[1]) / size[1]))
    share = np.clip((1.05 - distance) / 0.45, 0, 1)
    share = share * share * (3 - 2 * share)
    return tuple(cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in (depth_px, share))
