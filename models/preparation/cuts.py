"""Notices a cut in a clip: one step of the face or of the whole picture that the frames around it do not share.

Owns that judgement. Must not import other modules of the project.
"""

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
_BLOCK = 500  # frames: a long recording in float64 would take its memory twice
_LEFT_SIDE, _RIGHT_SIDE = 234, 454


def grey_thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(32, 32), grey: what `find_cut` wants to know of a picture (H, W, 3), BGR."""
    small = cv2.resize(picture, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def find_cut(points: NDArray[np.float32], thumbnails: NDArray[np.uint8]) -> int | None:
    """The first frame after a cut, or None where there is no cut.

    `points`: (N, 468, 2 or more); `thumbnails`: (N, 32, 32); of the clip's own frames, none twice.
    """
    if len(points) < 2:
        return None
    face_steps = _face_steps(points)
    is_cut = _alone(face_steps, _MIN_FACE_STEP) | (face_steps > _MAX_FACE_STEP)
    picture_steps = np.abs(np.diff(thumbnails.astype(np.float64), axis=0)).mean(axis=(1, 2))
    is_cut |= _alone(picture_steps, _MIN_PICTURE_STEP)
    return int(is_cut.argmax()) + 1 if is_cut.any() else None


def _face_steps(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N - 1,): how far half of the points move, in face widths; so neither a blink nor a mouth that opens counts."""
    blocks = [_steps_of(points[start : start + _BLOCK + 1, :, :2]) for start in range(0, len(points) - 1, _BLOCK)]
    return np.concatenate(blocks)


def _steps_of(points: NDArray[np.float32]) -> NDArray[np.float64]:
    face = points.astype(np.float64)
    widths = np.linalg.norm(face[:, _RIGHT_SIDE] - face[:, _LEFT_SIDE], axis=-1)
    moved = np.median(np.linalg.norm(np.diff(face, axis=0), axis=-1), axis=-1)
    return np.asarray(moved / np.minimum(widths[1:], widths[:-1]))


def _alone(steps: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Which steps are larger than `least` and several times larger than those around them."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, _AROUND), 2 * _AROUND + 1).copy()
    around[:, _AROUND] = 0
    return np.asarray((steps > least) & (steps > _TIMES_OTHERS * around.max(axis=-1)))
