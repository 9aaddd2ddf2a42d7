"""Chooses how a clip becomes a loop without a seam, from the face's points alone.

Owns that choice; reads no pictures. Must not import other modules of the project but the errors.

Two ways: *forward*, cut where a later pose comes near to an earlier one, the last frames cross-faded into those before
the first; or, where no two poses are near enough, *to and fro*, which turns back at its ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError

SECOND = 25  # frames: loops are whole seconds
MIN_FRAMES = SECOND + 1
FADE_FRAMES = 8

_MIN_FORWARD_SECONDS = 2
_MAX_TO_AND_FRO_SECONDS = 5  # each way
_NEAR = 0.008  # mean distance of the face's points, in face widths, at which a cross-fade shows no double image
_PER_SECOND = 0.0004  # how much nearer a loop must be to be worth a second less
_LEFT_SIDE, _RIGHT_SIDE = 234, 454


@dataclass(frozen=True, slots=True)
class LoopFrame:
    """One frame of the loop: frame `main` of the clip, with frame `faded` mixed in by `share` (0: not at all)."""

    main: int
    faded: int = 0
    share: float = 0.0


def plan_loop(points: NDArray[np.float32], where: str) -> list[LoopFrame]:
    """The loop for a clip with these points (N, 468, 2 or more) at 25 fps; a multiple of 25 frames.

    Raises `PreparationError` beginning with `where` when the clip is too short.
    """
    count = len(points)
    if count < MIN_FRAMES:
        frames = "1 frame at 25 fps is" if count == 1 else f"{count} frames at 25 fps are"
        raise PreparationError(f"{where}: {frames} too short a clip; at least {MIN_FRAMES} are needed.")
    face = points[..., :2].astype(np.float64)
    face /= np.median(np.linalg.norm(face[:, _RIGHT_SIDE] - face[:, _LEFT_SIDE], axis=1))
    return _forward(face) or _to_and_fro(face)


def _forward(face: NDArray) -> list[LoopFrame] | None:
    best: tuple[float, int, int] | None = None
    for length in range(_MIN_FORWARD_SECONDS * SECOND, len(face) - FADE_FRAMES + 1, SECOND):
        # apart[i]: how far frame i + length is from frame i
        apart = np.linalg.norm(face[length:] - face[: len(face) - length], axis=-1).mean(axis=-1)
        worst = np.lib.stride_tricks.sliding_window_view(apart, FADE_FRAMES).max(axis=-1)
        first = int(worst.argmin())
        if worst[first] < _NEAR:
            cost = float(worst[first]) - _PER_SECOND * length / SECOND
            best = min(best or (cost, first, length), (cost, first, length))
    if best is None:
        return None
    _, fade, length = best
    start, whole = fade + FADE_FRAMES, length - FADE_FRAMES
    frames = [LoopFrame(start + index) for index in range(whole)]
    for index in range(FADE_FRAMES):
        share = (index + 1) / (FADE_FRAMES + 1)
        frames.append(LoopFrame(start + whole + index, fade + index, share * share * (3 - 2 * share)))
    return frames


def _to_and_fro(face: NDArray) -> list[LoopFrame]:
    """Turn where the face moves least, so that the turn is not a jerk."""
    way = min((len(face) - 1) // SECOND, _MAX_TO_AND_FRO_SECONDS) * SECOND
    speed = np.linalg.norm(np.gradient(face, axis=0), axis=-1).mean(axis=-1)
    start = int((speed[: len(face) - way] + speed[way:]).argmin())
    there = [LoopFrame(start + index) for index in range(way + 1)]
    return there + there[-2:0:-1]
