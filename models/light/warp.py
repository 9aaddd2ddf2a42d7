"""Moves the pixels of a picture around the mouth: displacement fields on a coarse grid, remapped plane by plane.

Owns the grid, the feather at the region's border, and the remap of Y, U and V straight from the base picture into the
new one. Knows control points, not parameters. A displacement says where a pixel's value comes from.

The region is cut along the mouth: above the dividing curve the upper lip's field rules, below it the lower lip's. The
two fields are never averaged (in between lie the teeth); only the two warped images are, over the curve's one pixel of
edge.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import PICTURE_SIZE, Picture
from models.light.face_geometry import INNER_LOWER_ROWS, INNER_UPPER_ROWS, SHARED_POINTS, FaceGeometry
from models.light.lip_contours import fill_polygon, smooth_contour
from models.light.lip_fields import evaluate_lip_fields, fit_lip_fields
from models.light.scratch import Scratch

# The region around the mouth, in face widths from the mouth's middle.
_SIDE, _ABOVE, _BELOW = 0.60, 0.30, 0.72
_FEATHER = 0.10  # of the region's size, on each side
_NODES_ACROSS = 36
_STILL_PX = 0.04  # rows and columns that move less than this are left alone


class Planes(NamedTuple):
    """Y, U and V of one I420 picture, as views."""

    y: Picture
    u: Picture
    v: Picture


def planes_of(picture: Picture) -> Planes:
    """The planes of a contiguous (768, 512) picture: (512, 512) and twice (256, 256)."""
    half = PICTURE_SIZE // 2
    chroma = picture[PICTURE_SIZE:].reshape(2, half, half)
    return Planes(picture[:PICTURE_SIZE], chroma[0], chroma[1])


class _Nodes(NamedTuple):
    """Some rows of the grid, ring included: (rows, columns + 2, 2), where in the base picture each node looks."""

    sources: NDArray[np.float32]
    first_row: int


class _Area(NamedTuple):
    """Pixels of the region, even and half open. Between `cut_top` and `cut_bottom` both fields are needed."""

    left: int
    right: int
    top: int
    cut_top: int
    cut_bottom: int
    bottom: int

    def halved(self) -> "_Area":
        """The same area of a chroma plane."""
        return _Area(*(value // 2 for value in self))


class WarpGrid:
    """The region's grid of nodes for faces of one size. Immutable: any thread may use it.

    Node k sits at pixel (k + .5) cell - .5, so that `cv2.resize` of the nodes by `cell` makes the map; one ring of
    nodes that do not move surrounds the region.
    """

    def __init__(self, face_width: float) -> None:
        """`face_width`: pixels, typical of the avatar."""
        self._scale = 1 / face_width
        self._cell = max(2, 2 * round(face_width * _SIDE / _NODES_ACROSS))
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
        feather = np.clip(to_border, 0, 1)[..., None] / self._scale
        self._feather = np.ascontiguousarray(np.repeat(feather, 2, axis=2), np.float32)
        self._anchors = (_border_points(self._width, self._height) - self._mouth) * self._scale

    def warp(
        self, face: FaceGeometry, targets: NDArray[np.float64], base: Picture, output: Picture, scratch: Scratch
    ) -> None:
        """Write the warped region of `base` into `output`, which must be an equal copy of `base`.

        `targets`: (CONTROL_POINTS, 2), face frame, pixels: where `face.control_points` go.
        """
        corner = 2 * np.rint((face.origin - self._mouth) / 2)
        curve = self._dividing_curve(face.to_picture((targets[INNER_UPPER_ROWS] + targets[INNER_LOWER_ROWS]) / 2))
        curve -= corner
        cut_top = max(2, int(curve[:, 1].min() - 2) // 2 * 2)
        cut_bottom = min(self._height - 2, int(curve[:, 1].max() + 4) // 2 * 2)
        upper_rows = slice(0, min(self._rows, self._row_before(cut_bottom) + 2))
        lower_rows = slice(max(0, self._row_before(cut_top)), self._rows)
        upper, lower = self._displacements(face, targets, corner, upper_rows, lower_rows, scratch)
        area = self._moving_area(upper, lower, lower_rows.start, (cut_top, cut_bottom), corner)
        if area is None:
            return

        sources = self._nodes + corner.astype(np.float32)
        sides = (
            _Nodes(sources[: upper_rows.stop + 1].copy(), 0),
            _Nodes(sources[lower_rows.start + 1 :], lower_rows.start + 1),
        )
        sides[0].sources[1:, 1:-1] += upper
        sides[1].sources[:-1, 1:-1] += lower
        bases, outputs = planes_of(base), planes_of(output)
        left, top = int(corner[0]), int(corner[1])
        maps = _maps(sides, area, self._cell, scratch)
        below = self._below_curve(curve, area, scratch)
        _remap(bases.y, outputs.y, (left, top), area, maps, below, scratch)
        sides = (_halved(sides[0]), _halved(sides[1]))
        area = area.halved()
        maps = _maps(sides, area, self._cell // 2, scratch)
        below = (
            cv2.resize(below, (area.right - area.left, area.cut_bottom - area.cut_top), interpolation=cv2.INTER_AREA)
            if below.size
            else below
        )
        for source, target in ((bases.u, outputs.u), (bases.v, outputs.v)):
            _remap(source, target, (left // 2, top // 2), area, maps, below, scratch)

    def _displacements(
        self,
        face: FaceGeometry,
        targets: NDArray[np.float64],
        corner: NDArray[np.float64],
        upper_rows: slice,
        lower_rows: slice,
        scratch: Scratch,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both fields in pixels at the nodes of some rows: (rows, columns, 2) each."""
        centres = (face.to_picture(targets) - corner - self._mouth) * self._scale
        values = (face.control_points - targets) @ face.axes.T * self._scale
        still = np.zeros_like(self._anchors)
        centres = np.concatenate([centres[:SHARED_POINTS], self._anchors, centres[SHARED_POINTS:]])
        values = np.concatenate([values[:SHARED_POINTS], still, values[SHARED_POINTS:]])
        fields = fit_lip_fields(centres, values, scratch)
        upper, lower = evaluate_lip_fields(
            fields,
            centres,
            self._queries,
            slice(0, upper_rows.stop * self._columns),
            slice(lower_rows.start * self._columns, len(self._queries)),
            scratch,
        )
        return (
            upper.reshape(-1, self._columns, 2) * self._feather[upper_rows],
            lower.reshape(-1, self._columns, 2) * self._feather[lower_rows],
        )

    def _dividing_curve(self, middle: NDArray[np.float64]) -> NDArray[np.float64]:
        """The smooth curve through (11, 2) points, prolonged straight on beyond the region's sides."""
        curve = smooth_contour(middle)
        chord = curve[-1] - curve[0]
        slope = chord / max(abs(chord[0]), 1.0) * self._width
        return np.concatenate([[curve[0] - slope], curve, [curve[-1] + slope]])

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
    ) -> _Area | None:
        """The part of the region that visibly moves and lies in the picture; None where there is none."""
        moves = np.zeros((self._rows, self._columns), bool)
        moves[: len(upper)] = (np.abs(upper) > _STILL_PX).any(axis=2)
        moves[lower_start:] |= (np.abs(lower) > _STILL_PX).any(axis=2)
        rows, columns = np.flatnonzero(moves.any(axis=1)), np.flatnonzero(moves.any(axis=0))
        if not len(rows):
            return None
        cell = self._cell
        left = max((columns[0] - 1) * cell, 0, -int(corner[0]))
        right = min((columns[-1] + 2) * cell, self._width, PICTURE_SIZE - int(corner[0]))
        top = max((rows[0] - 1) * cell, 0, -int(corner[1]))
        bottom = min((rows[-1] + 2) * cell, self._height, PICTURE_SIZE - int(corner[1]))
        if left >= right or top >= bottom:
            return None
        cut_top, cut_bottom = (min(max(row, top), bottom) for row in cut)
        return _Area(left, right, top, cut_top, cut_bottom, bottom)

    def _below_curve(self, curve: NDArray[np.float64], area: _Area, scratch: Scratch) -> NDArray[np.uint8]:
        """The cut's antialiased mask: 255 where the lower field rules; (cut rows, area columns)."""
        mask = scratch.array("below", (area.cut_bottom - area.cut_top, area.right - area.left), np.uint8)
        if mask.size:
            down = np.array([0.0, 2.0 * self._height])
            outline = np.concatenate([curve, [curve[-1] + down, curve[0] + down]])
            fill_polygon(mask, outline - (area.left, area.cut_top))
        return mask


def _border_points(width: int, height: int) -> NDArray[np.float64]:
    """Points along the region's border, which hold the fields at rest there."""
    along = np.linspace(0, 1, 7)
    sides = [(x * width, y) for x in along for y in (0, height)]
    return np.array(sides + [(x, y * height) for y in along[1:-1] for x in (0, width)], np.float64)


def _halved(nodes: _Nodes) -> _Nodes:
    """The same nodes in pixels of a chroma plane, whose pixel k covers luma pixels 2k and 2k + 1."""
    return _Nodes(nodes.sources * 0.5 - 0.25, nodes.first_row)


def _maps(sides: tuple[_Nodes, _Nodes], area: _Area, cell: int, scratch: Scratch) -> tuple[NDArray, NDArray]:
    """Where each pixel looks: for rows top..cut_bottom in the upper field, for cut_top..bottom in the lower."""
    columns = area.left, area.right
    return (
        _map(sides[0], (area.top, area.cut_bottom), columns, cell, scratch, "upper_map"),
        _map(sides[1], (area.cut_top, area.bottom), columns, cell, scratch, "lower_map"),
    )


def _map(
    nodes: _Nodes, rows: tuple[int, int], columns: tuple[int, int], cell: int, scratch: Scratch, name: str
) -> NDArray[np.float32]:
    """Nodes interpolated at pixels of the region; (rows, columns, 2)."""
    # Only the nodes around these pixels; + 1 for the ring.
    first_row, first_column = (int(start / cell + 0.5 + 0.5 / cell) for start in (rows[0], columns[0]))
    last_row, last_column = (int((stop - 1) / cell + 0.5 + 0.5 / cell) + 1 for stop in (rows[1], columns[1]))
    used = nodes.sources[first_row - nodes.first_row : last_row + 1 - nodes.first_row, first_column : last_column + 1]
    height, width = used.shape[0] * cell, used.shape[1] * cell
    whole = scratch.array(name, (height, width, 2))
    cv2.resize(used, (width, height), dst=whole, interpolation=cv2.INTER_LINEAR)
    top, left = rows[0] + cell - first_row * cell, columns[0] + cell - first_column * cell
    return whole[top : top + rows[1] - rows[0], left : left + columns[1] - columns[0]]


def _remap(
    base: Picture,
    output: Picture,
    corner: tuple[int, int],
    area: _Area,
    maps: tuple[NDArray, NDArray],
    below: NDArray[np.uint8],
    scratch: Scratch,
) -> None:
    """Warp one plane's `area`; `corner`: the region's left and top in the plane."""
    x, y = corner
    target = output[y + area.top : y + area.bottom, x + area.left : x + area.right]
    cut, end = area.cut_top - area.top, area.cut_bottom - area.top
    upper_map, lower_map = maps
    options = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    if end > 0:
        cv2.remap(base, upper_map, None, dst=target[:end], **options)
    if end > cut:
        lower = scratch.array("cut", (end - cut, area.right - area.left), np.uint8)
        cv2.remap(base, lower_map[: end - cut], None, dst=lower, **options)
        share = scratch.array("share", lower.shape)
        np.multiply(below, np.float32(1 / 255), out=share)
        target[cut:end] = cv2.blendLinear(target[cut:end], lower, 1 - share, share)
    if len(target) > end:
        cv2.remap(base, lower_map[end - cut :], None, dst=target[end:], **options)
