"""One eye's landmarks and a frame of reference of its own.

Owns the lists of the eyes' points. Must not import modules of the project besides `contours`.

The frame's u runs from -1 at the corner at the picture's left to 1 at the other; v is down, in pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.preparation.contours import LOWER_LID_LEFT, LOWER_LID_RIGHT, UPPER_LID_LEFT, UPPER_LID_RIGHT, Row

EYES: tuple[tuple[Row, Row, Row, Row], ...] = (  # upper lid, lower lid, crease, lower edge of the brow
    (UPPER_LID_LEFT, LOWER_LID_LEFT, (247, 30, 29, 27, 28, 56, 190), (46, 53, 52, 65, 55)),
    (UPPER_LID_RIGHT, LOWER_LID_RIGHT, (467, 260, 259, 257, 258, 286, 414), (276, 283, 282, 295, 285)),
)


@dataclass(frozen=True, slots=True, init=False)
class EyeFrame:
    """The frame of one eye; `right` and `down` are unit vectors in the picture."""

    centre: NDArray
    half_width: float
    right: NDArray
    down: NDArray

    def __init__(self, upper: NDArray) -> None:
        first, last = sorted((upper[0], upper[-1]), key=lambda corner: float(corner[0]))
        half = (last - first) / 2
        object.__setattr__(self, "centre", (first + last) / 2)
        object.__setattr__(self, "half_width", float(np.hypot(*half)))
        object.__setattr__(self, "right", half / np.hypot(*half))
        object.__setattr__(self, "down", np.array([-self.right[1], self.right[0]]))

    def to_frame(self, points: NDArray) -> tuple[NDArray, NDArray]:
        """u and v of points (..., 2) of the picture."""
        offset = points - self.centre
        return offset @ self.right / self.half_width, offset @ self.down

    def to_picture(self, u: NDArray, v: NDArray) -> NDArray[np.float32]:
        """The points (..., 2) of the picture with these u and v."""
        point = self.centre + u[..., None] * self.half_width * self.right + v[..., None] * self.down
        return point.astype(np.float32)

    def curve(self, contour: NDArray, at: NDArray, degree: int) -> NDArray:
        """v of a smooth curve through a contour, at these u; beyond the corners it goes on level."""
        u, v = self.to_frame(contour)
        return np.polyval(np.polyfit(u, v, degree), np.clip(at, max(u.min(), -1), min(u.max(), 1)))
