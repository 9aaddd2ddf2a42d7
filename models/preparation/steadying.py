"""Takes the shake of a hand-held camera out of a clip: where the face was, and where it is to be instead.

Owns the three ways (each can be left out) and the figures that tell what they brought:

- *box filter*: the face's place and roll go through a One-Euro filter, so that it moves as before but does not shake;
- *scale lock*: the face keeps the size it had in the first second;
- *tracking*: where it is comes from Lucas-Kanade between the frames, a tenth of the landmarks' trembling.

Pictures are then moved by fractions of a pixel. Reads and writes no pictures itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.preparation.face_motion import FaceMotion, face_motion, smoothed
from models.preparation.one_euro import one_euro

_RATE_HZ = 25.0
_MIN_CUTOFF_HZ, _BETA = 0.5, 1.0  # beta: Hz per face width (or radian) and second
_FIRST_FRAMES = 25  # whose median is the size that is kept
_STILL = 0.0015  # face widths: a camera that moves the face by less stands on something; its pictures stay as they are
_STILL_SIZE = 0.005  # spread of the size, as a share
_JITTER_SIGMA = 4.0  # frames: what is faster than this is jitter
_TREMBLING, _TREMBLING_SIGMA = 0.006, 1.3  # of the landmarks: face widths; frames


@dataclass(frozen=True, slots=True)
class Steadying:
    """What is done against a shaking camera."""

    box_filter: bool = True
    scale_lock: bool = True
    tracking: bool = True


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How a face moves: `jitter_px`, root mean square of its fast movement; `scale_spread`: 90 % of its sizes."""

    jitter_px: float
    scale_spread: float


def steadiness(motion: FaceMotion) -> Steadiness:
    """The figures of a motion, in its pixels; the spread as a share of the median."""
    fast = motion.track[:, :2] - smoothed(motion.track[:, :2], _JITTER_SIGMA)
    low, high = np.percentile(motion.track[:, 2], [5, 95])
    return Steadiness(float(np.sqrt((fast**2).sum(axis=1).mean())), float(np.exp(high - low) - 1))


def measured_motion(
    points: NDArray[np.float32], steps: list[NDArray[np.float64] | None], face_width: float, ways: Steadying
) -> FaceMotion:
    """Where the face is; see `face_motion`. Without tracking, what may be the landmarks' trembling is averaged away."""
    if ways.tracking:
        return face_motion(points, steps)
    motion = face_motion(points, None)
    if steadiness(motion).jitter_px < _TREMBLING * face_width:
        return FaceMotion(smoothed(motion.track, _TREMBLING_SIGMA))
    return motion


def steady_motion(motion: FaceMotion, face_width: float, ways: Steadying) -> FaceMotion:
    """Where the face is to be. The same motion when nothing is to be done, or nothing is to be gained."""
    before = steadiness(motion)
    if not (ways.box_filter or ways.scale_lock):
        return motion
    if before.jitter_px < _STILL * face_width and before.scale_spread < _STILL_SIZE:
        return motion
    track = motion.track.copy()
    if ways.box_filter:
        unit = np.array([face_width, face_width, 1, 1])
        track = one_euro(track / unit, _RATE_HZ, _MIN_CUTOFF_HZ, _BETA) * unit
    if ways.scale_lock:
        track[:, 2] = np.median(motion.track[:_FIRST_FRAMES, 2])
    return FaceMotion(track)


def steady_points(points: NDArray[np.float32], motion: FaceMotion, target: FaceMotion) -> NDArray[np.float32]:
    """Landmarks (N, 468, 3) of a face that moves by `motion`, as they lie when it moves by `target`.

    Their trembling is averaged away in the face's own frame, so that this takes nothing from the head's movement.
    """
    rest = FaceMotion(np.repeat(np.median(target.track, axis=0, keepdims=True), len(points), axis=0))
    at_rest = moved(points, motion.map_to(rest))
    return moved(smoothed(at_rest, _TREMBLING_SIGMA).astype(np.float32), rest.map_to(target))


def moved(points: NDArray[np.float32], maps: NDArray[np.float64]) -> NDArray[np.float32]:
    """Points (N, P, 3) by similarities (N, 2, 3); the depth grows with the size."""
    placed = np.empty_like(points)
    placed[..., :2] = np.einsum("nij,npj->npi", maps[:, :, :2], points[..., :2]) + maps[:, None, :, 2]
    placed[..., 2] = points[..., 2] * np.sqrt(np.linalg.det(maps[:, :, :2]))[:, None]
    return placed


def common_area(maps: NDArray[np.float64], width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what every picture of `width` x `height` still covers once it was moved."""
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    there = np.einsum("nij,pj->npi", maps[:, :, :2], corners) + maps[:, None, :, 2]
    (x, y) = there[..., 0], there[..., 1]
    return (
        float(x[:, [0, 3]].max()) + 0.5,
        float(y[:, [0, 1]].max()) + 0.5,
        float(x[:, [1, 2]].min()) + 0.5,
        float(y[:, [2, 3]].min()) + 0.5,
    )
