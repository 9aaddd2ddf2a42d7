"""Cuts one long recording into base videos: where the person listens, where they speak, and where the maker said so.

Owns that choice, from the face's points alone; reads no pictures. Must not import modules that read or write files.

A quiet stretch has a mouth that is closed and still for two seconds; the longest become `idle_*`, the longest of what
lies between become `speaking_*`, and marked times become `action_*`, which play once.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.face_motion import smoothed
from models.preparation.loop_plan import SECOND, LoopFrame, plan_loop

MOST_IDLE, MOST_SPEAKING = 3, 2
MOST_LOOP_SECONDS = 8
MOST_ACTION_SECONDS = 10

_LEAST_FRAMES = 2 * SECOND
_CLOSED = 0.03  # widths of the mouth, above what it is when it is surely closed
_SURELY_CLOSED_PERCENTILE = 10
_MOST_APART = 0.15  # nobody's closed mouth
_STILL = 0.015  # widths of the mouth from frame to frame: trembling landmarks do as much
_CALM_SIGMA, _TREMBLING_SIGMA = 2.0, 1.0  # frames
_KEEP_AWAY = 5  # frames at the ends of a stretch: lips that begin to move, or come to rest


def cut_recording(
    gaps: NDArray[np.float64],
    points: Callable[[int, int], NDArray[np.float32]],
    unusable: set[int],
    actions: Mapping[str, tuple[float, float]],
    where: str,
) -> dict[str, list[LoopFrame]]:
    """The frames of each base video at 25 fps. `gaps`: (N,), see `lip_gaps`. `actions`: from and to, in seconds.

    `points(start, end)`: the face's points (end - start, 468, 2 or more) in these frames.

    Raises `PreparationError` beginning with `where` when there is no quiet stretch, or an action that cannot be.
    """
    free = np.ones(len(gaps), np.bool_)
    free[list(unusable)] = False
    videos: dict[str, list[LoopFrame]] = {}
    for name, (start_s, end_s) in actions.items():
        start, length = _action(name, start_s, end_s, free, where)
        videos[name] = [LoopFrame(index) for index in range(start, start + length)]
    for frames in videos.values():
        free[[frame.main for frame in frames]] = False
    quiet = is_quiet(gaps)
    idle = _longest(quiet & free, MOST_IDLE)
    if not idle:
        raise PreparationError(
            f"{where}: there are no {_LEAST_FRAMES // SECOND} seconds in which the mouth is closed and still; "
            "an idle video needs them."
        )
    for kind, stretches in (("idle", idle), ("speaking", _longest(~quiet & free, MOST_SPEAKING))):
        for number, (start, end) in enumerate(stretches):
            plan = plan_loop(points(start, end), where)
            videos[f"{kind}_{number}"] = [
                LoopFrame(frame.main + start, frame.faded + start if frame.share else 0, frame.share) for frame in plan
            ]
    return videos


def is_quiet(gaps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,), from gaps between the lips (N,): the mouth is closed and still, and so it is around this frame."""
    gaps = smoothed(gaps, _TREMBLING_SIGMA)
    closed = gaps < min(float(np.percentile(gaps, _SURELY_CLOSED_PERCENTILE)) + _CLOSED, _MOST_APART)
    steps = np.diff(gaps, prepend=gaps[:1])
    calm = closed & (np.sqrt(smoothed(steps**2, _CALM_SIGMA)) < _STILL)
    return smoothed(calm.astype(np.float64), 2.0) > 0.5  # a frame or two of doubt are no end


def _longest(wanted: NDArray[np.bool_], most: int) -> list[tuple[int, int]]:
    """The longest stretches, first and behind the last frame, in the order of the recording; none is too long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    stretches = []
    for start, end in edges.reshape(-1, 2).tolist():
        first, behind = start + _KEEP_AWAY, end - _KEEP_AWAY
        longest = MOST_LOOP_SECONDS * SECOND + SECOND  # a second more, for a good place to close the loop
        spare = max(0, behind - first - longest) // 2
        stretches.append((first + spare, behind - spare))
    fit = [stretch for stretch in stretches if stretch[1] - stretch[0] >= _LEAST_FRAMES]
    return sorted(sorted(fit, key=lambda stretch: stretch[0] - stretch[1])[:most])


def _action(name: str, start_s: float, end_s: float, free: NDArray[np.bool_], where: str) -> tuple[int, int]:
    """First frame and length of an action: whole seconds from its start."""
    start, end = round(start_s * SECOND), round(end_s * SECOND)
    length = (end - start) // SECOND * SECOND
    if start < 0 or end > len(free):
        raise PreparationError(
            f"{where}: {name} from {start_s:g} to {end_s:g} s lies outside the recording's {len(free) / SECOND:.1f} s."
        )
    if not SECOND <= length <= MOST_ACTION_SECONDS * SECOND:
        raise PreparationError(
            f"{where}: {name} from {start_s:g} to {end_s:g} s must last 1 to {MOST_ACTION_SECONDS} seconds."
        )
    if not free[start : start + length].all():
        raise PreparationError(f"{where}: {name} shows no usable face at each moment, or overlaps another action.")
    return start, length
