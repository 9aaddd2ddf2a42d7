"""How the region around a mouth moves: two displacement fields on a coarse grid of nodes.

Owns the region, its grid, and which control points make which field. Knows control points, not parameters, and no
pixels: `models.light.warp` moves those. A displacement says where a pixel's value comes from.

The region is cut along the mouth: above the dividing curve the upper lip's field rules, below it the lower lip's. They
must not be averaged there, for in between lie the teeth; only beside the mouth do they pass into one another.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.interface import PICTURE_SIZE
from models.light.face_geometry import (
    CHIN,
    INNER_LOWER_ROWS,
    INNER_UPPER_ROWS,
    JAW,
    NOSE_ROWS,
    OUTER_LOWER_ROWS,
    OUTER_UPPER_ROWS,
    SKIN,
    SKIN_ROWS,
    FaceGeometry,
)
from models.light.lip_contours import smooth_contour
from models.light.radial_basis import evaluate_field, fit_field
from models.light.scratch import Scratch

Floats = NDArray[np.floating]

# The region around the mouth, in face widths from the mouth's middle.
_SIDE, _ABOVE, _BELOW = 0.54, 0.24, 0.62
_FEATHER = 0.10  # of the region's size, on each side
_CELL = 0.036  # distance of the grid's nodes, face widths
_BEYOND_SIDE_PX = 2  # how far the dividing curve goes on beyond the region, for the mask's soft edge
_STILL_PX = 0.04  # rows and columns that move less than this are left alone

# A field has a kink along the inner lip, where its last points are. Shadow points this far beyond it, which move as
# the lip does, take the kink away from the edge that one sees. Face widths, a little more than the nodes' distance.
_SHADOW = 0.04
_JAW_BESIDE_MOUTH = (132, 58, 361, 288)


class Nodes(NamedTuple):
    """Some rows of the grid, ring included: (rows, columns + 2, 2) float32, where in the picture each node looks."""

    sources: NDArray[np.float32]
    first_row: int


class Area(NamedTuple):
    """Pixels of the region, even and half open. Between `cut_top` and `cut_bottom` both fields are needed."""

    left: int
    right: int
    top: int
    cut_top: int
    cut_bottom: int
    bottom: int

    def halved(self) -> "Area":
        """The same area of a chroma plane."""
        return Area(*(value // 2 for value in self))


class Motion(NamedTuple):
    """How one picture's region moves.

    `left`, `top`: where the region lies in the picture, even. `cell`: pixels between nodes. `upper`, `lower`: the two
    fields. `curve`: (n, 2) the dividing curve in pixels of the region, from beyond its left to beyond its right side.
    `area`: the part that moves; it lies within the picture.
    """

    left: int
    top: int
    cell: int
    upper: Nodes
    lower: Nodes
    curve: NDArray[np.float64]
    area: Area


class _Lip(NamedTuple):
    """What one lip's field is made of: rows of the control points, still points, and where its shadow points lie."""

    inner: slice
    rows: NDArray[np.intp]
    anchors: NDArray[np.float64]
    still: NDArray[np.float64]  # the anchors' values
    shadow: float


class MouthGrid:
    """The region's grid for faces of one size. Immutable: any thread may use it.

    Node k sits at pixel (k + .5) cell - .5 of the region, so that `cv2.resize` of the nodes by `cell` makes the map;
    one ring of nodes that do not move surrounds the region.
    """

    def __init__(self, face_width: float) -> None:
        """`face_width`: pixels, typical of the avatar."""
        self._scale = 1 / face_width
        self._cell = max(2, 2 * round(face_width * _CELL / 2))
        self._columns = round(face_width * 2 * _SIDE / self._cell)
        self._rows = round(face_width * (_ABOVE + _BELOW) / self._cell)
        self._width, self._height = self._columns * self._cell, self._rows * self._cell
        self._mouth = np.array([self._width / 2, self._height * _ABOVE / (_ABOVE + _BELOW)])

        x = (np.arange(-1, self._columns + 1) + 0.5) * self._cell - 0.5
        y = (np.arange(-1, self._rows + 1) + 0.5) * self._cell - 0.5
        self._nodes = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
        inner = self._nodes[1:-1, 1:-1].astype(np.float64)
        points = (inner.reshape(-1, 2) - self._mouth) * self._scale
        squares = (points * points).sum(axis=1, keepdims=True)
        queries = np.concatenate([np.ones_like(squares), points, squares], axis=1)
        self._queries = np.ascontiguousarray(queries, np.float32)
        size = np.array([self._width - 1, self._height - 1])
        to_border = (np.minimum(inner, size - inner) / (_FEATHER * size)).min(axis=-1)
        feather = np.clip(to_border, 0, 1)[..., None] * face_width  # back to pixels
        self._feather = np.ascontiguousarray(np.repeat(feather, 2, axis=2), np.float32)

        border = (_border_points(self._width, self._height) - self._mouth) * self._scale
        beside = [row for row, point in enumerate(SKIN) if point not in CHIN + JAW or point in _JAW_BESIDE_MOUTH]
        upper = np.r_[OUTER_UPPER_ROWS, INNER_UPPER_ROWS, NOSE_ROWS, np.add(beside, SKIN_ROWS.start)]
        lower = np.r_[OUTER_LOWER_ROWS, INNER_LOWER_ROWS, SKIN_ROWS]
        above, below = border[border[:, 1] < border[:, 1].max()], border[border[:, 1] > border[:, 1].min()]
        self._upper_lip = _Lip(INNER_UPPER_ROWS, upper, above, np.zeros_like(above), _SHADOW)
        self._lower_lip = _Lip(INNER_LOWER_ROWS, lower, below, np.zeros_like(below), -_SHADOW)

    def motion(self, face: FaceGeometry, targets: NDArray[np.float64], scratch: Scratch) -> Motion | None:
        """How the region must move to bring `face.control_points` to `targets`; None where nothing visibly moves.

        `targets`: (CONTROL_POINTS, 2), face frame, pixels.
        """
        corner = 2 * np.rint((face.origin - self._mouth) / 2)
        lips = smooth_contour(face.to_picture((targets[INNER_UPPER_ROWS] + targets[INNER_LOWER_ROWS]) / 2) - corner)
        curve = self._prolonged(lips)
        cut_top, cut_bottom = self._cut_rows(curve)
        upper_rows = slice(0, min(self._rows, self._row_before(cut_bottom) + 2))
        lower_rows = slice(max(0, self._row_before(cut_top)), self._rows)

        centres = (face.to_picture(targets) - corner - self._mouth) * self._scale
        values = (face.control_points - targets) @ face.axes.T * self._scale
        down = face.axes[:, 1]
        upper = self._displacement(self._upper_lip, upper_rows, centres, values, down, scratch)
        lower = self._displacement(self._lower_lip, lower_rows, centres, values, down, scratch)
        self._join_beside(upper[lower_rows.start :], lower[: upper_rows.stop - lower_rows.start], lips)
        area = self._moving_area(upper, lower, lower_rows.start, (cut_top, cut_bottom), corner)
        if area is None:
            return None
        return Motion(
            left=int(corner[0]),
            top=int(corner[1]),
            cell=self._cell,
            upper=self._moved_nodes(upper_rows, upper, corner),
            lower=self._moved_nodes(lower_rows, lower, corner),
            curve=curve,
            area=area,
        )

    def _displacement(
        self,
        lip: _Lip,
        rows: slice,
        centres: NDArray[np.float64],
        values: NDArray[np.float64],
        down: Floats,
        scratch: Scratch,
    ) -> NDArray[np.float32]:
        """One lip's field in pixels at the nodes of some rows: (rows, columns, 2).

        `centres`, `values`: of all control points; `down`: the face's direction. Lengths in face widths.
        """
        shadow = centres[lip.inner][1:-1] + down * lip.shadow
        centres_of_lip = np.concatenate([centres[lip.rows], shadow, lip.anchors])
        values_of_lip = np.concatenate([values[lip.rows], values[lip.inner][1:-1], lip.still])
        field = fit_field(centres_of_lip, values_of_lip, scratch)
        queries = self._queries[rows.start * self._columns : rows.stop * self._columns]
        nodes = evaluate_field(field, centres_of_lip, queries, scratch)
        return nodes.reshape(-1, self._columns, 2) * self._feather[rows]

    def _join_beside(self, upper: NDArray[np.float32], lower: NDArray[np.float32], lips: NDArray[np.float64]) -> None:
        """Let the fields pass into one another beside the mouth, in place; both: the rows of nodes that they share.

        There is no slit there, so that a step between them would show in the cheeks.
        """
        x = self._nodes[0, 1:-1, 0]
        beyond = np.maximum(lips[0, 0] - x, x - lips[-1, 0]) / (2 * self._cell)
        beside = np.clip(beyond, 0, 1)[:, None]
        downwards = (np.arange(len(upper), dtype=np.float32) / max(1, len(upper) - 1))[:, None, None]
        difference = (lower - upper) * beside
        upper += difference * downwards
        lower -= difference * (1 - downwards)

    def _moved_nodes(self, rows: slice, displacement: NDArray[np.float32], corner: Floats) -> Nodes:
        """Some rows of nodes and one more row on either side: at the region's border the ring, else never looked at."""
        sources = self._nodes[rows.start : rows.stop + 2] + corner.astype(np.float32)
        sources[1:-1, 1:-1] += displacement
        return Nodes(sources, rows.start)

    def _prolonged(self, lips: NDArray[np.float64]) -> NDArray[np.float64]:
        """The lips' curve led straight on to just beyond the region's sides.

        No further: in a tilted face every column more makes the cut higher, and in the cut the work is double.
        """
        chord = lips[-1] - lips[0]
        along = chord / max(abs(chord[0]), 1.0)
        to_left, to_right = lips[0, 0] + _BEYOND_SIDE_PX, self._width + _BEYOND_SIDE_PX - lips[-1, 0]
        return np.concatenate([[lips[0] - along * max(to_left, 0)], lips, [lips[-1] + along * max(to_right, 0)]])

    def _cut_rows(self, curve: NDArray[np.float64]) -> tuple[int, int]:
        """The even rows of pixels, half open, that the curve passes through; they lie within the region."""
        first, last = int(curve[:, 1].min() - 2) // 2 * 2, int(curve[:, 1].max() + 4) // 2 * 2
        least, most = 2, self._height - 2
        return min(max(first, least), most), min(max(last, least), most)

    def _row_before(self, pixel: int) -> int:
        """The row of nodes at or above a row of the region's pixels; -1 is the ring."""
        return int(pixel / self._cell + 0.5 + 0.5 / self._cell) - 1

    def _moving_area(
        self,
        upper: NDArray[np.float32],
        lower: NDArray[np.float32],
        lower_start: int,
        cut: tuple[int, int],
        corner: NDArray[np.float64],
    ) -> Area | None:
        """The part of the region that visibly moves and lies in the picture; None where there is none."""
        upper_moves, lower_moves = np.abs(upper), np.abs(lower)
        by_row = np.zeros(self._rows)
        by_row[: len(upper)] = upper_moves.reshape(len(upper), -1).max(axis=1)
        by_row[lower_start:] = np.maximum(by_row[lower_start:], lower_moves.reshape(len(lower), -1).max(axis=1))
        by_column = np.maximum(upper_moves.max(axis=0), lower_moves.max(axis=0)).max(axis=1)
        rows, columns = np.flatnonzero(by_row > _STILL_PX), np.flatnonzero(by_column > _STILL_PX)
        if not len(rows):
            return None
        cell = self._cell
        left = max(int(columns[0] - 1) * cell, 0, -int(corner[0]))
        right = min(int(columns[-1] + 2) * cell, self._width, PICTURE_SIZE - int(corner[0]))
        top = max(int(rows[0] - 1) * cell, 0, -int(corner[1]))
        bottom = min(int(rows[-1] + 2) * cell, self._height, PICTURE_SIZE - int(corner[1]))
        if left >= right or top >= bottom:
            return None
        cut_top, cut_bottom = (min(max(row, top), bottom) for row in cut)
        return Area(left, right, top, cut_top, cut_bottom, bottom)


def _border_points(width: int, height: int) -> NDArray[np.float64]:
    """Points along the region's border, which hold the fields at rest there."""
    along = np.linspace(0, 1, 4)
    sides = [(x * width, y) for x in along for y in (0, height)]
    return np.array(sides + [(x, y * height) for y in along[1:-1] for x in (0, width)], np.float64)
