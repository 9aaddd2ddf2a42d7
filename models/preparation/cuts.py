"""Notices a cut in a clip: one step of the face or of the whole picture that the frames around it do not share.

Owns that judgement. Must not import other modules of the project.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TIMES_OTHERS = 3.0
_AROUND = 3  # frames each way: a clip that shows each frame two or three times has several such steps among them
# A head in motion speeds up over several frames; what steps alone by so much was cut.
_MIN_FACE_STEP = 0.03  # in face widths
_MAX_FACE_STEP = 0.4  # in face widths, whatever the frames around do
_MIN_PICTURE_STEP = 8.0  # of 256 levels of grey, mean: no step of a face alone
_THUMBNAIL = 32
_LEFT_SIDE, _RIGHT_SIDE = 234, 454


class CutFinder:
    """Sees a clip frame by frame, none twice, and keeps two numbers of each: how far the face and the picture moved."""

    def __init__(self) -> None:
        self._before: _Shown | None = None
        self._face_steps: list[float] = []
        self._picture_steps: list[float] = []

    def see(self, points: NDArray[np.float32] | None, picture: NDArray[np.uint8]) -> None:
        """The next frame: its landmarks (468, 2 or more), None without a face, and itself (H, W, 3), BGR."""
        before, self._before = self._before, None if points is None else _Shown.of(points, picture)
        face_step = picture_step = 0.0  # to and from a frame that will not be shown
        if before is not None and self._before is not None:
            face_step = _face_step(before, self._before)
            picture_step = float(np.abs(self._before.thumbnail - before.thumbnail).mean())
        self._face_steps.append(face_step)
        self._picture_steps.append(picture_step)

    def cuts(self) -> list[int]:
        """The frames after a cut, counted in those that were seen."""
        if not self._face_steps:
            return []
        face_steps = np.array(self._face_steps)
        is_cut = _alone(face_steps, _MIN_FACE_STEP) | (face_steps > _MAX_FACE_STEP)
        is_cut |= _alone(np.array(self._picture_steps), _MIN_PICTURE_STEP)
        return [int(index) for index in np.flatnonzero(is_cut)]


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A frame: `face` (468, 2), its width, and `thumbnail` (32, 32), grey."""

    face: NDArray[np.float64]
    width: float
    thumbnail: NDArray[np.float64]

    @classmethod
    def of(cls, points: NDArray[np.float32], picture: NDArray[np.uint8]) -> "_Shown":
        face = points[:, :2].astype(np.float64)
        small = cv2.resize(picture, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float64)
        return cls(face, float(np.linalg.norm(face[_RIGHT_SIDE] - face[_LEFT_SIDE])), grey)


def _face_step(before: _Shown, now: _Shown) -> float:
    """How far half of the points move, in face widths; so neither a blink nor a mouth that opens counts."""
    moved = np.median(np.linalg.norm(now.face - before.face, axis=-1))
    return float(moved) / min(now.width, before.width)


def _alone(steps: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Which steps are larger than `least` and several times larger than those around them."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, _AROUND), 2 * _AROUND + 1).copy()
    around[:, _AROUND] = 0
    return np.asarray((steps > least) & (steps > _TIMES_OTHERS * around.max(axis=-1)))
