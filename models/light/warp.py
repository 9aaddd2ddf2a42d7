"""Moves a picture's pixels: Y, U and V are remapped straight from the base picture into the new one.

Owns pixels only: how they move is `models.light.mouth_grid`'s. Along the dividing curve each field warps the picture
once, and the two pictures are joined over the one pixel of the curve's edge.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import PICTURE_SIZE, Picture
from models.light.lip_contours import fill_polygon
from models.light.mouth_grid import Area, Motion, Nodes
from models.light.scratch import Scratch


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


def warp_picture(motion: Motion, base: Picture, output: Picture, scratch: Scratch) -> None:
    """Write what moves of `base` into `output`, which must be an equal copy of `base`."""
    bases, outputs = planes_of(base), planes_of(output)
    area, corner = motion.area, (motion.left, motion.top)
    below: NDArray = _below_curve(motion, scratch) * np.float32(1 / 255)
    _warp_planes(((bases.y, outputs.y),), corner, area, (motion.upper, motion.lower), motion.cell, below, scratch)

    # Chroma: half the size, half the displacement; its pixel k covers luma pixels 2k and 2k + 1.
    area, corner = area.halved(), (motion.left // 2, motion.top // 2)
    sides = tuple(Nodes(nodes.sources * 0.5 - 0.25, nodes.first_row) for nodes in (motion.upper, motion.lower))
    if below.size:
        below = cv2.resize(
            below, (area.right - area.left, area.cut_bottom - area.cut_top), interpolation=cv2.INTER_AREA
        )
    chroma = ((bases.u, outputs.u), (bases.v, outputs.v))
    _warp_planes(chroma, corner, area, sides, motion.cell // 2, below, scratch)


def _below_curve(motion: Motion, scratch: Scratch) -> NDArray[np.uint8]:
    """The cut's antialiased mask: 255 where the lower field rules; (cut rows, area columns)."""
    area = motion.area
    mask = scratch.array("below", (area.cut_bottom - area.cut_top, area.right - area.left), np.uint8)
    if mask.size:
        down = np.array([0.0, 2.0 * PICTURE_SIZE])
        outline = np.concatenate([motion.curve, [motion.curve[-1] + down, motion.curve[0] + down]])
        fill_polygon(mask, outline - (area.left, area.cut_top))
    return mask


def _warp_planes(
    planes: tuple[tuple[Picture, Picture], ...],
    corner: tuple[int, int],
    area: Area,
    sides: tuple[Nodes, ...],
    cell: int,
    below: NDArray,
    scratch: Scratch,
) -> None:
    """Warp planes of one size; `planes`: pairs of base and output; `corner`: the region's left and top in them."""
    columns = area.left, area.right
    upper_map = _map(sides[0], (area.top, area.cut_bottom), columns, cell, scratch, "upper_map")
    lower_map = _map(sides[1], (area.cut_top, area.bottom), columns, cell, scratch, "lower_map")
    cut, end = area.cut_top - area.top, area.cut_bottom - area.top
    above = 1 - below
    x, y = corner
    for base, output in planes:
        target = output[y + area.top : y + area.bottom, x + area.left : x + area.right]
        if end > 0:
            _remap(base, upper_map, target[:end])
        if end > cut:
            lower = scratch.array("cut", below.shape, np.uint8)
            _remap(base, lower_map[: end - cut], lower)
            target[cut:end] = cv2.blendLinear(target[cut:end], lower, above, below)
        if len(target) > end:
            _remap(base, lower_map[end - cut :], target[end:])


def _remap(base: Picture, where: NDArray[np.float32], target: Picture) -> None:
    # a two-channel map stands alone, which OpenCV's type stubs do not know
    cv2.remap(base, where, None, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def _map(
    nodes: Nodes, rows: tuple[int, int], columns: tuple[int, int], cell: int, scratch: Scratch, name: str
) -> NDArray[np.float32]:
    """Nodes interpolated at pixels of the region: (rows, columns, 2), where in the base picture each pixel looks."""
    if rows[0] == rows[1]:  # where the curve lies beyond the picture, only one of the fields has any
        return scratch.array(name, (0, columns[1] - columns[0], 2))
    # Only the nodes around these pixels; the ring is row and column 0.
    first_row, first_column = (int(start / cell + 0.5 + 0.5 / cell) for start in (rows[0], columns[0]))
    last_row, last_column = (int((stop - 1) / cell + 0.5 + 0.5 / cell) + 1 for stop in (rows[1], columns[1]))
    used = nodes.sources[first_row - nodes.first_row : last_row + 1 - nodes.first_row, first_column : last_column + 1]
    height, width = used.shape[0] * cell, used.shape[1] * cell
    whole = scratch.array(name, (height, width, 2))
    cv2.resize(used, (width, height), dst=whole, interpolation=cv2.INTER_LINEAR)
    top, left = rows[0] + cell - first_row * cell, columns[0] + cell - first_column * cell
    return whole[top : top + rows[1] - rows[0], left : left + columns[1] - columns[0]]
