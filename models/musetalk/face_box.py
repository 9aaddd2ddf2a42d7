"""The box of a face that MuseTalk generates, from the 68 iBUG face points.

Owns the mapping from our 468 points to the 68, the box rule, its margin and its smoothing over a video. The points may
also come from DWPose (see `dwpose`). Must not import torch.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.musetalk.jaw_mask import Box

BOTTOM_MARGIN_PX = 10  # version 1.5 shows so much more below the chin

# MediaPipe face-mesh numbers of the 68 iBUG points, in their order; "left" is the picture's left
IBUG_POINTS = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,  # 0-16 jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # 17-26 brows
    168, 197, 195, 4,  # 27-30 bridge of the nose
    98, 97, 2, 326, 327,  # 31-35 under the nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # 36-47 eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # 48-59 outer lips
    78, 81, 13, 311, 308, 402, 14, 178,  # 60-67 inner lips
)  # fmt: skip
_BRIDGE = 29  # the point of the nose's bridge that the box is symmetric about
_SMOOTHING = (1, 2, 3, 2, 1)  # frames: boxes that follow each landmark's tremor make the mouth tremble


def ibug_points(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 468, 2) face-mesh points -> (..., 68, 2) iBUG points."""
    return landmarks[..., list(IBUG_POINTS), :]


def box_of_points(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 68, 2) points -> (..., 4) left, top, right, bottom before the margin.

    As far above the nose's bridge as the lowest point is below it, so that the bridge divides the box in halves: the
    lower one is what the network is not shown.
    """
    x, y = points[..., 0].astype(np.float64), points[..., 1].astype(np.float64)
    bottom = y.max(axis=-1)
    top = np.maximum(0, 2 * y[..., _BRIDGE] - bottom)
    return np.stack([x.min(axis=-1), top, x.max(axis=-1), bottom], axis=-1)


def smoothed(boxes: NDArray[np.float64], *, loop: bool) -> NDArray[np.float64]:
    """(N, 4) boxes of a video, each averaged with two neighbours on each side; `loop`: the last meets the first."""
    padded = np.pad(boxes, ((2, 2), (0, 0)), mode="wrap" if loop else "edge")
    total = np.zeros_like(boxes)
    for shift, share in enumerate(_SMOOTHING):
        total += share * padded[shift : shift + len(boxes)]
    return total / sum(_SMOOTHING)  # whole numbers stay what they are


def with_margin(box: Sequence[float], width: int, height: int) -> Box:
    """A raw box as whole pixels inside a picture, with the margin below the chin.

    Raises `ModelError` where nothing of it is inside.
    """
    left, top, right, bottom = (int(value) for value in box)
    made = Box(max(left, 0), max(top, 0), min(right, width), min(bottom + BOTTOM_MARGIN_PX, height))
    if made.width <= 0 or made.height <= 0:
        raise ModelError(f"the face box {tuple(box)} is not inside a picture of {width} x {height}")
    return made


def video_boxes(
    points: NDArray[np.floating],
    width: int,
    height: int,
    *,
    loop: bool,
    otherwise: NDArray[np.floating] | None = None,
) -> list[Box]:
    """The boxes of a video from its (N, 68, 2) points, smoothed and with the margin.

    `otherwise`: other points of the same frames, for those where the first make no box or one beyond the left edge.
    """
    boxes = box_of_points(points)  # (N, 4)
    if otherwise is not None:
        left, top, right, bottom = boxes.T
        bad = (left < 0) | (right <= left) | (bottom <= top)  # as the reference judges its own
        boxes = np.where(bad[:, None], box_of_points(otherwise), boxes)
    return [with_margin(box, width, height) for box in smoothed(boxes, loop=loop)]
