"""Moves the head of a still picture a little: sway, turn, nod, tilt, breath, brows.

Owns the displacement field and the transport of landmarks through it; *when* to move how is for `idle_motion` and
`actions`. Must not import modules of the project besides `crop`.

The field is a sum of fixed planes (the head, its depth, the torso, the brows), each times a coefficient of the pose;
the picture is sampled once, by bicubic interpolation, from the cut-out with its margin.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preparation.crop import MARGIN, PICTURE_SIZE

_CELL = 4  # pixels between the nodes of the field
_NODES = PICTURE_SIZE // _CELL
_EDGE = 0.08 * PICTURE_SIZE  # over this distance the motion fades towards the end of the source picture
_DEPTH_SIGMA = 0.06  # of the face's width
_FAR = -0.25  # depth where the mesh says nothing
_LEFT_SIDE, _RIGHT_SIDE, _FOREHEAD, _CHIN = 234, 454, 10, 152
_LEFT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
_RIGHT_BROW = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is, relative to the still picture.

    `right`, `down`: shift, in face widths. `roll`: radians, clockwise, about the base of the neck. `yaw`, `nod`: small
    turns to the picture's right and downwards, as depth times radians. `breath`: -1 out, 1 in. `brows`: raised by
    this, in face widths.
    """

    right: float = 0.0
    down: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    nod: float = 0.0
    breath: float = 0.0
    brows: float = 0.0


class HeadWarp:
    """The field's planes for one still picture; read only once made."""

    def __init__(self, points: NDArray[np.float32], space: tuple[float, float, float, float]) -> None:
        """`points`: (468, 3) in the 512x512 cut-out. `space`: real picture beyond its left, top, right and bottom."""
        xy = points[:, :2].astype(np.float64)
        self._face_width = float(np.linalg.norm(xy[_RIGHT_SIDE] - xy[_LEFT_SIDE]))
        nodes = ((np.arange(_NODES) + 0.5) * _CELL - 0.5).astype(np.float32)
        x, y = np.meshgrid(nodes, nodes)
        width, chin = self._face_width, xy[_CHIN]
        centre = (xy[_FOREHEAD] + chin) / 2
        distance = np.hypot((x - centre[0]) / width, (y - centre[1] + 0.1 * width) / (1.15 * width))
        head = 1 / (1 + np.exp((distance - 1.25) / 0.22))
        torso = _smoothstep((y - chin[1]) / width)
        edge = _edge(x, y, space)
        x, y = x - chin[0], y - chin[1] - 0.9 * width  # from the base of the neck
        planes = (
            head,
            head * x,
            head * y,
            head * width * _depth(points, self._face_width, nodes),
            torso,
            torso * x / width,
            head * _brows(xy, width, nodes),
        )
        self._planes = np.stack([plane * edge for plane in planes]).astype(np.float32)

    def picture(self, source: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
        """The picture (512, 512, 3) in this pose; `source`: the cut-out with its margin, (576, 576, 3)."""
        field = cv2.resize(self._field(pose), (PICTURE_SIZE, PICTURE_SIZE), interpolation=cv2.INTER_LINEAR)
        column = np.arange(MARGIN, MARGIN + PICTURE_SIZE, dtype=np.float32)
        x, y = column - field[..., 0], column[:, None] - field[..., 1]
        return np.asarray(cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def landmarks(self, points: NDArray[np.float32], pose: Pose) -> NDArray[np.float32]:
        """The still's points (n, 2 or more), as (n, 2), where the picture in this pose shows them."""
        field = self._field(pose)
        start = points[:, :2].astype(np.float32)
        moved = start
        for _ in range(4):  # the field says where a pixel comes from; solve for where a point goes
            at = ((moved + 0.5) / _CELL - 0.5).astype(np.float32)
            shift = cv2.remap(field, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            moved = start + shift[:, 0]
        return np.asarray(moved, np.float32)

    def _field(self, pose: Pose) -> NDArray[np.float32]:
        """(nodes, nodes, 2): how far the content at each node has moved."""
        width = self._face_width
        breath = pose.breath * 0.010 * width
        across = (pose.right * width, 0, -pose.roll, pose.yaw, 0, 0.4 * breath, 0)
        down = (pose.down * width, pose.roll, 0, pose.nod, -breath, 0, -pose.brows * width)
        return np.tensordot(self._planes, np.array([across, down], np.float32), (0, 1))


def _smoothstep(values: NDArray) -> NDArray:
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def _edge(x: NDArray, y: NDArray, space: tuple[float, float, float, float]) -> NDArray:
    """1 inside, 0 where the source ends at the left, right or top: the background stays, the torso goes off below."""
    left, top, right, _ = (min(room, float(MARGIN)) for room in space)
    last = PICTURE_SIZE - 1
    return _smoothstep(np.minimum(np.minimum(x + left, last - x + right), y + top) / _EDGE)


def _depth(points: NDArray[np.float32], width: float, nodes: NDArray) -> NDArray:
    """How near each node is, in face widths: the mesh's depth, spread out by a Gaussian."""
    near = -(points[:, 2].astype(np.float64) - np.median(points[:, 2])) / width
    reach = 2 * (_DEPTH_SIGMA * width) ** 2
    across = np.exp(-((nodes[:, None] - points[None, :, 0]) ** 2) / reach)  # (nodes, 468)
    down = np.exp(-((nodes[:, None] - points[None, :, 1]) ** 2) / reach)
    few = 1e-4
    return ((down * near) @ across.T + few * _FAR) / (down @ across.T + few)


def _brows(xy: NDArray, width: float, nodes: NDArray) -> NDArray:
    """1 on each brow, fading out before the eye."""
    plane = np.zeros((len(nodes), len(nodes)))
    for brow in (_LEFT_BROW, _RIGHT_BROW):
        x, y = xy[list(brow)].mean(axis=0)
        across, down = ((nodes - x) / (0.17 * width)) ** 2, ((nodes - y + 0.02 * width) / (0.085 * width)) ** 2
        plane = np.maximum(plane, np.exp(-across[None, :] - down[:, None]))
    return plane
