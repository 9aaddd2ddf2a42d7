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
_STILL_PX = 0.04  # a mouth that moves less than this is left alone

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
    `area`: the part of the region that lies within the picture.
    """

    left: int
    top: int
    cell: int
    upper: Nodes
    lower: Nodes
    curve: NDArray[np.float64]
    area: Area


class _Lip(NamedTuple):
    """What one lip's field is made of: control points, some of them once more as shadow points, and still points."""

    rows: NDArray[np.intp]  # of the control points, those of the shadow points last
    shadow: NDArray[np.float64]  # (rows, 1) how far down each lies from its control point, face widths
    anchors: NDArray[np.float64]
    still: NDArray[np.float64]  # the anchors' values


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
        self._upper_lip = _lip(upper, INNER_UPPER_ROWS, _SHADOW, above)
        self._lower_lip = _lip(lower, INNER_LOWER_ROWS, -_SHADOW, below)

    def motion(self, face: FaceGeometry, targets: NDArray[np.float64], scratch: Scratch) -> Motion | None:
        """How the region must move to bring `face.control_points` to `targets`; None where nothing visibly moves.

        `targets`: (CONTROL_POINTS, 2), face frame, pixels.
        """
        moves = face.control_points - targets
        if np.abs(moves).max() < _STILL_PX:
            return None
        corner = 2 * np.rint((face.origin - self._mouth) / 2)
        left, top = int(corner[0]), int(corner[1])
        lips = smooth_contour(face.to_picture((targets[INNER_UPPER_ROWS] + targets[INNER_LOWER_ROWS]) / 2) - corner)
        curve = self._prolonged(lips)
        area = self._area(curve, left, top)
        if area is None:
            return None
        upper_rows = slice(0, min(self._rows, self._row_before(area.cut_bottom) + 2))
        lower_rows = slice(max(0, self._row_before(area.cut_top)), self._rows)

        to_region = face.axes.T * self._scale
        centres = targets @ to_region + (face.origin - corner - self._mouth) * self._scale
        values = moves @ to_region
        down = face.axes[:, 1]
        upper = self._displacement(self._upper_lip, upper_rows, centres, values, down, scratch)
        lower = self._displacement(self._lower_lip, lower_rows, centres, values, down, scratch)
        self._join_beside(upper[lower_rows.start :], lower[: upper_rows.stop - lower_rows.start], lips)
        return Motion(
            left=left,
            top=top,
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
        centres_of_lip = np.concatenate([centres[lip.rows] + lip.shadow * down, lip.anchors])
        values_of_lip = np.concatenate([values[lip.rows], lip.still])
        field = fit_field(centres_of_lip, values_of_lip, scratch)
        queries = self._queries[rows.start * self._columns : rows.stop * self._columns]
        nodes = evaluate_field(field, centres_of_lip, queries, scratch).reshape(-1, self._columns, 2)
        nodes *= self._feather[rows]
        return nodes

    def _join_beside(self, upper: NDArray[np.float32], lower: NDArray[np.float32], lips: NDArray[np.float64]) -> None:
        """Let the fields pass into one another beside the mouth, in place; both: the rows of nodes that they share.

        There is no slit there, so that a step between them would show in the cheeks.
        """
        left, right, run_out = lips[0, 0], lips[-1, 0], 2 * self._cell
        beside = np.interp(self._nodes[0, 1:-1, 0], [left - run_out, left, right, right + run_out], [1, 0, 0, 1])
        downwards = np.arange(len(upper), dtype=np.float32) / max(1, len(upper) - 1)
        difference = lower - upper
        difference *= beside.astype(np.float32)[:, None]
        share = difference * downwards[:, None, None]
        upper += share
        share -= difference
        lower += share

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

    def _row_before(self, pixel: int) -> int:
        """The row of nodes at or above a row of the region's pixels; -1 is the ring."""
        return int(pixel / self._cell + 0.5 + 0.5 / self._cell) - 1

    def _area(self, curve: NDArray[np.float64], left: int, top: int) -> Area | None:
        """The part of the region that lies in the picture, cut where the curve passes; None where there is none."""
        first_column, first_row = max(0, -left), max(0, -top)
        last_column, last_row = min(self._width, PICTURE_SIZE - left), min(self._height, PICTURE_SIZE - top)
        if first_column >= last_column or first_row >= last_row:
            return None
        heights = curve[:, 1]
        cut = int(heights.min() - 2) // 2 * 2, int(heights.max() + 4) // 2 * 2
        within = (min(max(row, 2), self._height - 2) for row in cut)  # each field keeps some of the region's rows
        cut_top, cut_bottom = (min(max(row, first_row), last_row) for row in within)
        return Area(first_column, last_column, first_row, cut_top, cut_bottom, last_row)


def _lip(rows: NDArray[np.intp], inner: slice, shadow: float, anchors: NDArray[np.float64]) -> _Lip:
    """`inner`: the control points that cast shadows, but for the first and the last: the mouth's corners."""
    casting = np.arange(inner.start + 1, inner.stop - 1)
    offsets = np.repeat([0.0, shadow], [len(rows), len(casting)])[:, None]
    return _Lip(np.concatenate([rows, casting]), offsets, anchors, np.zeros_like(anchors))


def _border_points(width: int, height: int) -> NDArray[np.float64]:
    """Points along the region's border, which hold the fields at rest there."""
    along = np.linspace(0, 1, 4)
    sides = [(x * width, y) for x in along for y in (0, height)]
    return np.array(sides + [(x, y * height) for y in along[1:-1] for x in (0, width)], np.float64)
