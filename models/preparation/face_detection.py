"""Finds the faces in a picture: MediaPipe's short-range face detector, run by OpenCV.

Owns the detector's anchors, its decoding and the search over scales. Knows nothing of landmarks; must not import other
modules of the project.

The net looks at 128x128 pixels and finds faces from about a tenth of that width, so a picture is shown to it several
times: with a margin around it, as it is, and in overlapping tiles.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_NET_FILE = Path(__file__).parent / "nets" / "face_detection.onnx"
_NET_SIZE = 128
_MIN_SCORE = 0.5
_SAME_FACE_OVERLAP = 0.3
_MARGIN = 1.6  # the widest view, as a multiple of the picture: a face that fills the picture needs room around it


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face, in pixels of the picture, pixel centres at whole numbers.

    `box`: left, top, right, bottom. `eyes`: (2, 2), the eye at the picture's left and the one at its right.
    """

    score: float
    box: tuple[float, float, float, float]
    eyes: NDArray[np.float32]

    @property
    def width(self) -> float:
        """Width of the box; about that of the face between its ears."""
        return self.box[2] - self.box[0]


class FaceDetector:
    """The net, loaded. Not thread-safe: one instance per thread."""

    def __init__(self) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(_NET_FILE))
        self._anchors = _anchors()

    def find(self, picture: NDArray[np.uint8], *, thorough: bool = True) -> list[DetectedFace]:
        """Every face of a BGR picture (H, W, 3), the best score first; not `thorough`: those large enough at one look.

        A thorough search goes down to tiles of a quarter of the picture as long as it has found nothing.
        """
        height, width = picture.shape[:2]
        faces: list[DetectedFace] = []
        for views in _searches(width, height) if thorough else [[(width / 2, height / 2, max(width, height))]]:
            for x, y, size in views:
                faces += self._look(picture, x, y, size)
            if faces and size < max(width, height):
                break
        return _without_repeats(faces)

    def _look(self, picture: NDArray[np.uint8], x: float, y: float, size: float) -> list[DetectedFace]:
        """The faces in the square of this centre and size, which may reach beyond the picture."""
        side = max(round(size), 1)
        left, top = round(x - size / 2), round(y - size / 2)
        view = _resized(_square(picture, left, top, side))
        self._net.setInput(cv2.dnn.blobFromImage(view, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True))
        boxes, scores = self._net.forward(["boxes", "scores"])
        logits = np.clip(scores.reshape(-1), -80, 80)
        chosen = np.flatnonzero(logits > math.log(_MIN_SCORE / (1 - _MIN_SCORE)))
        # a row: centre x, y, width, height, then six points (x, y); all but the size relative to the anchor
        rows = boxes.reshape(-1, 16)[chosen] / _NET_SIZE
        points = (
            (rows[:, [0, 1, 4, 5, 6, 7]].reshape(-1, 3, 2) + self._anchors[chosen, None]) * side + (left, top) - 0.5
        )
        halves = rows[:, 2:4] * side / 2
        return [
            DetectedFace(
                float(1 / (1 + math.exp(-logit))),
                (float(c[0] - h[0]), float(c[1] - h[1]), float(c[0] + h[0]), float(c[1] + h[1])),
                np.array([first, second], np.float32),
            )
            for logit, (c, first, second), h in zip(logits[chosen], points, halves, strict=True)
        ]


def _square(picture: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """A square of the picture, black where it reaches beyond."""
    height, width = picture.shape[:2]
    inside = picture[max(top, 0) : min(top + side, height), max(left, 0) : min(left + side, width)]
    beyond = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    return np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_CONSTANT), np.uint8)


def _resized(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    interpolation = cv2.INTER_AREA if square.shape[0] > _NET_SIZE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (_NET_SIZE, _NET_SIZE), interpolation=interpolation), np.uint8)


def _anchors() -> NDArray[np.float32]:
    """(896, 2) centres, 0..1: 2 at each of 16x16 cells, then 6 at each of 8x8 (MediaPipe's SsdAnchorsCalculator)."""
    layers = []
    for cells, count in ((16, 2), (8, 6)):
        y, x = np.mgrid[0:cells, 0:cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        layers.append(np.repeat(centres, count, axis=0))
    return np.concatenate(layers).astype(np.float32)


def _searches(width: int, height: int) -> Iterator[list[tuple[float, float, float]]]:
    """Ever finer lists of square views: centre x, y and size."""
    size = float(max(width, height))
    yield [(width / 2, height / 2, _MARGIN * size), (width / 2, height / 2, size)]
    for tile in (size / 2, size / 4):
        yield [
            (tile / 2 + column, tile / 2 + row, tile)
            for row in np.arange(0, max(height - tile, 0) + 1, tile / 2)
            for column in np.arange(0, max(width - tile, 0) + 1, tile / 2)
        ]


def _without_repeats(faces: list[DetectedFace]) -> list[DetectedFace]:
    """The best of each group of boxes that overlap; a box inside another's is the same face seen from a tile."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face.box, other.box) < _SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection as a share of the smaller box."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
