"""Whether lips are to be seen for themselves: how they differ from chin and skin and from each other.

Owns these measures, of one picture at a time. Pixels are compared, not means: those of a patterned cloth differ by
chance, too. Must not import modules of the project besides landmark lists.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import INNER_LOWER_LIP, INNER_UPPER_LIP, OUTER_LOWER_LIP, OUTER_UPPER_LIP

_SIZE_PX = 128  # width of the face at which lips are looked at
_UNDER_NOSE, _CHIN = 2, 152
_NEAR, _FAR_BELOW, _FAR_ABOVE = 0.02, 0.12, 0.09  # what is beside a lip, from its outer contour on; face widths
_HALVES, _MIDDLE = (slice(1, 6), slice(5, 10)), slice(2, 9)  # of the contours
_LIP_FROM, _LIP_TO = 0.3, 0.9  # of the way from the inner to the outer contour
_NOISE = 2.0  # CIE Lab

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class LipLook:
    """`distinct`: how surely a pixel of the lower lip is told from one below it by its colour; 0.5, by chance, to 1.

    `chin_off`: distance of the colour below the lip from the skin's, in CIE Lab's plane of a and b, where light and
    shade do not count. `lips_differ`: there, too, the distance of upper and lower lip. `upper_lip_contrast`: distance
    of the upper lip's colour from what is above it, in CIE Lab. `distinct` and `upper_lip_contrast` are those of that
    half of the mouth where they are less.
    """

    distinct: float = 1.0
    chin_off: float = 0.0
    lips_differ: float = 0.0
    upper_lip_contrast: float = 10.0


def look_at_lips(picture: NDArray[np.uint8], points: NDArray[np.float32], face_width: float, skin: Floats) -> LipLook:
    """Measure one picture (H, W, 3), BGR, with its landmarks (468, 2 or more); `skin`: above the mouth, CIE Lab."""
    places = points[:, :2].astype(np.float64)
    down = places[_CHIN] - places[_UNDER_NOSE]
    down *= face_width / max(float(np.hypot(*down)), 1e-3)
    inner_lower, outer_lower, inner_upper, outer_upper = (
        places[list(lip)] for lip in (INNER_LOWER_LIP, OUTER_LOWER_LIP, INNER_UPPER_LIP, OUTER_UPPER_LIP)
    )
    upper, lower, above, below = (
        _strip(inner_upper, outer_upper),
        _strip(inner_lower, outer_lower),
        (outer_upper - _NEAR * down, outer_upper - _FAR_ABOVE * down),
        (outer_lower + _NEAR * down, outer_lower + _FAR_BELOW * down),
    )
    view = _View(picture, np.vstack([*upper, *lower, *above, *below]), _SIZE_PX / max(face_width, 1.0))
    halves = [[view.pixels(strip, half) for strip in (upper, lower, above, below)] for half in _HALVES]
    upper_lip, lower_lip, under = (np.median(view.pixels(strip, _MIDDLE), axis=0) for strip in (upper, lower, below))
    return LipLook(
        distinct=min(_told_apart(lip, chin) for _, lip, _, chin in halves),
        chin_off=float(np.hypot(*(under - skin)[1:])),
        lips_differ=float(np.hypot(*(upper_lip - lower_lip)[1:])),
        upper_lip_contrast=min(
            float(np.linalg.norm(np.median(lip, axis=0) - np.median(over, axis=0))) for lip, _, over, _ in halves
        ),
    )


class _View:
    """The part of a picture about some points, in CIE Lab, at a given scale."""

    def __init__(self, picture: NDArray[np.uint8], points: Floats, scale: float) -> None:
        height, width = picture.shape[:2]
        self._corner = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, (width - 2, height - 2))
        self._scale = scale
        (left, top), (right, bottom) = self._corner, np.ceil(points.max(axis=0)).astype(int) + 3
        part = picture[top : max(bottom, top + 2), left : max(right, left + 2)]
        size = max(round(part.shape[1] * scale), 2), max(round(part.shape[0] * scale), 2)
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        self._lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)

    def pixels(self, strip: tuple[Floats, Floats], columns: slice) -> Floats:
        """(n, 3), what lies between these columns of two curves; one pixel where nothing does."""
        outline = (np.vstack([strip[0][columns], strip[1][columns][::-1]]) - self._corner) * self._scale
        mask = np.zeros(self._lab.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
        inside = self._lab[mask > 0]
        return inside if len(inside) else self._lab[:1, 0]


def _strip(inner: Floats, outer: Floats) -> tuple[Floats, Floats]:
    """A lip without its edges."""
    return inner + (outer - inner) * _LIP_FROM, inner + (outer - inner) * _LIP_TO


def _told_apart(one: Floats, other: Floats) -> float:
    """The share of pairs that Fisher's direction (1936) puts in order, one of each (n, 3)."""
    within = np.cov(one.T, bias=True) + np.cov(other.T, bias=True) + 2 * _NOISE**2 * np.eye(3)
    direction = np.linalg.solve(within, one.mean(axis=0) - other.mean(axis=0))
    values, against = one @ direction, np.sort(other @ direction)
    below = np.searchsorted(against, values, "left") + np.searchsorted(against, values, "right")
    return float(below.mean() / (2 * len(against)))
