"""Closes the eyes of a photographed face: skin from under the brows is drawn down over them.

Owns the warp of the lids. Must not import modules of the project besides `eye_frame`.

Each eye is worked on in a frame of its own: u from -1 at one corner to 1 at the other, v down, in pixels. Three layers:
what lies below the lid's edge stays as photographed; above it, the clean skin between crease and brow is stretched
down, column by column; onto that, darkening only, the lashes travel with the edge and flatten to a line.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preparation.eye_frame import EYES, EyeFrame

_CREASE_TRAVEL = 0.28  # of the lid's: for the landmarks
_LASH_REACH = 0.08  # lashes and shadow above the crease, in eye widths
_LASH_BREADTH = 1.25  # as far to the side, as a multiple of half the eye's width
_BROW_SHARE = 0.3  # of the way from the middle of the brow to the crease is brow, which holds still
_FLATTENED = 0.65  # of the lashes' height is gone when the eye is shut
_OPEN_FROM = 0.12  # opening over width of an eye that is open enough to blink


def eyes_are_open(points: NDArray[np.float32]) -> bool:
    """Whether both eyes of these points (468, 2 or more) are open enough for a blink to mean something."""
    for upper, lower, _, _ in EYES:
        width = np.linalg.norm(points[upper[-1], :2] - points[upper[0], :2])
        if np.linalg.norm(points[lower[4], :2] - points[upper[4], :2]) < _OPEN_FROM * width:
            return False
    return True


def close_lids(points: NDArray[np.float32], closure: float) -> NDArray[np.float32]:
    """A copy of the points with the upper lids where `close_eyes` puts them."""
    closed = points.copy()
    for upper, lower, crease, _ in EYES:
        travel = (points[list(lower)] - points[list(upper)]) * closure
        closed[list(upper)] += travel
        closed[list(crease)] += travel[1:-1] * _CREASE_TRAVEL
    return closed


def close_eyes(picture: NDArray[np.uint8], points: NDArray[np.float32], closure: float) -> NDArray[np.uint8]:
    """A copy of a BGR picture (H, W, 3) with both eyes closed by `closure` (0 as they are, 1 shut).

    `points`: (468, 2 or more), pixels of this picture.
    """
    closed = picture.copy()
    for rows in EYES:
        upper, lower, crease, brow = (points[list(row), :2].astype(np.float64) for row in rows)
        _close_eye(closed, picture, EyeFrame(upper), (upper, lower, crease, brow), closure)
    return closed


def _close_eye(
    closed: NDArray[np.uint8],
    picture: NDArray[np.uint8],
    frame: EyeFrame,
    contours: tuple[NDArray, NDArray, NDArray, NDArray],
    closure: float,
) -> None:
    every, width = np.vstack(contours), 2 * frame.half_width
    height, breadth = picture.shape[:2]
    left, top = np.clip(np.floor(every.min(axis=0) - 0.3 * width).astype(int), 0, None)
    right, bottom = np.minimum(np.ceil(every.max(axis=0) + 0.3 * width).astype(int), (breadth, height))
    x, y = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    u, v = frame.to_frame(np.stack([x, y], axis=-1))

    upper, lower, crease, brow = (
        frame.curve(contour, u, degree) for contour, degree in zip(contours, (4, 4, 2, 2), strict=True)
    )
    # the lashes reach a little beyond the corners, where the lid itself no longer moves
    taper = np.clip(1 - (u / _LASH_BREADTH) ** 2, 0, 1)
    still = brow + _BROW_SHARE * np.maximum(crease - brow, 0.1 * width)
    edge = upper + np.maximum(lower - upper, 0) * closure
    reach = np.minimum(_LASH_REACH * width, 0.6 * np.maximum(crease - still, 0))
    lashes = (np.maximum(upper - crease, 0) + reach) * np.sqrt(taper)

    # the skin that ends just above the lashes comes down to the lid's edge
    clean = upper - lashes * min(1, closure / 0.3)
    share = np.clip((v - still) / np.maximum(edge - still, 1), 0, 1)
    layer = _sample(picture, frame.to_picture(u, v - share * (edge - clean)))

    # the lashes, flattened, on the lid's edge
    flat = 1 - _FLATTENED * closure
    above = (edge - v) / flat
    dark = np.minimum(layer, _sample(picture, frame.to_picture(u, upper - above)))
    strength = np.clip((1.1 * lashes - above) / np.maximum(0.5 * lashes, 0.5), 0, 1) * np.clip(3 * taper, 0, 1)
    layer += (dark - layer) * strength[..., None]

    softness = max(0.7, 0.012 * width)
    below = np.clip((v - edge) / (2 * softness) + 0.5, 0, 1)
    unchanged = np.maximum(below, 1 - np.clip(6 * taper, 0, 1))[..., None]
    before = picture[top:bottom, left:right].astype(np.float32)
    closed[top:bottom, left:right] = np.clip(np.rint(layer + (before - layer) * unchanged), 0, 255)


def _sample(picture: NDArray[np.uint8], at: NDArray[np.float32]) -> NDArray[np.float32]:
    sampled = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
