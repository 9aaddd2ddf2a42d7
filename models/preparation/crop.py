"""Chooses the square of a picture that the avatar shows, and cuts it out at 512x512.

Owns the framing of a face. Must not import other modules of the project.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PICTURE_SIZE = 512
MARGIN = PICTURE_SIZE // 16  # pixels around the cut-out that a moving head may bring into view

_FACE_WIDTHS = 2.55  # side of the square, in face widths: head, hair and shoulders
_FEWEST_FACE_WIDTHS = 2.1  # before pictures' ends are shown, where a clip was steadied
_RISE = 0.06  # of the square's centre above the face's, in face widths
_SIDE_STEP = 16  # so that the margin is a whole number of source pixels
_FOREHEAD, _CHIN, _LEFT_SIDE, _RIGHT_SIDE = 10, 152, 234, 454


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a source picture of `width` x `height`: its left, top and side in source pixels."""

    left: int
    top: int
    side: int
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels of the cut-out per source pixel."""
        return PICTURE_SIZE / self.side

    def cut(self, picture: NDArray[np.uint8], moved: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
        """The square at 512x512; `picture`: (H, W, 3). `moved`: of the picture after this affine map (2, 3)."""
        if moved is None:
            return _resized(picture[self.top : self.top + self.side, self.left : self.left + self.side], PICTURE_SIZE)
        to_square = moved.copy()
        to_square[:, 2] -= (self.left, self.top)
        size = (self.side, self.side)
        square = cv2.warpAffine(picture, to_square, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return _resized(square, PICTURE_SIZE)

    def cut_with_margin(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square and `MARGIN` pixels on each side; where the source ends, its border is repeated."""
        margin = self.side // 16
        missing = [max(0, -space) for space in self._space_source_px(margin)]
        left, top, right, bottom = self.left - margin, self.top - margin, self.left + self.side, self.top + self.side
        inside = picture[max(top, 0) : bottom + margin, max(left, 0) : right + margin]
        left, top, right, bottom = missing
        framed = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
        return _resized(framed, PICTURE_SIZE + 2 * MARGIN)

    def space(self) -> tuple[float, float, float, float]:
        """Real picture beyond the left, top, right and bottom of the square, in pixels of the cut-out."""
        left, top, right, bottom = (space * self.scale for space in self._space_source_px(0))
        return left, top, right, bottom

    def _space_source_px(self, margin: int) -> tuple[int, int, int, int]:
        right, bottom = self.width - self.left - self.side, self.height - self.top - self.side
        return self.left - margin, self.top - margin, right - margin, bottom - margin

    def place(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (..., 2 or 3) of the source in pixels of the cut-out; both count pixel centres from 0."""
        placed = points.astype(np.float64)
        placed[..., :2] = (placed[..., :2] + 0.5 - (self.left, self.top)) * self.scale - 0.5
        placed[..., 2:] *= self.scale
        return placed.astype(np.float32)


def choose_crop(
    points: NDArray[np.float32], width: int, height: int, area: tuple[float, float, float, float] | None = None
) -> Crop:
    """The square for a face with these points in a picture of this size, as large as the framing wants and there is.

    `points`: (468, 2 or more), or (N, 468, 2 or more) for a clip: one square that suits all N pictures. `area`: left,
    top, right and bottom of what all pictures cover, unless they cover the whole; it is left only for a large face.
    """
    every = points.reshape(-1, *points.shape[-2:])[..., :2].astype(np.float64)
    face_width = float(np.median(np.linalg.norm(every[:, _RIGHT_SIDE] - every[:, _LEFT_SIDE], axis=1)))
    centres = every[:, [_FOREHEAD, _CHIN, _LEFT_SIDE, _RIGHT_SIDE]]
    x = float(np.median(centres[:, 2:, 0].mean(axis=1)))
    y = float(np.median(centres[:, :2, 1].mean(axis=1))) - _RISE * face_width
    low_x, low_y, high_x, high_y = area or (0, 0, width, height)
    inside = max(min(high_x - low_x, high_y - low_y), _FEWEST_FACE_WIDTHS * face_width)
    side = int(min(round(_FACE_WIDTHS * face_width), inside, width, height)) // _SIDE_STEP * _SIDE_STEP
    left = _between(x - side / 2, low_x, high_x - side, width - side)
    top = _between(y - side / 2, low_y, high_y - side, height - side)
    return Crop(left, top, side, width, height)


def _between(wanted: float, low: float, high: float, most: int) -> int:
    """A whole number near `wanted`, from `low` to `high` if it can be, and from 0 to `most`."""
    if high < low:
        low = high = (low + high) / 2
    return min(max(round(min(max(wanted, low), high)), 0), most)


def _resized(picture: NDArray, size: int) -> NDArray[np.uint8]:
    interpolation = cv2.INTER_AREA if picture.shape[0] >= size else cv2.INTER_CUBIC
    resized = cv2.resize(picture, (size, size), interpolation=interpolation)
    return resized.astype(np.uint8, copy=False)
