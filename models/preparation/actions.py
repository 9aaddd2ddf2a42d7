"""What the avatar does on request: a nod and a friendly tilt of the head.

Owns the actions' timing. Must not import modules of the project besides `head_warp` and `idle_motion`.

An action leaves from the loop's first pose and comes back to it: the frame before the first and the frame after the
last are that pose, because the loop goes on at its first frame.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from models.preparation.head_warp import Pose

ACTION_FRAMES = 50


@dataclass(frozen=True, slots=True)
class Action:
    """`pose(rest, progress)`: the head at 0 < progress < 1. `blinks`: the frames at which a blink begins."""

    name: str
    pose: Callable[[Pose, float], Pose]
    blinks: tuple[int, ...]

    def poses(self, rest: Pose) -> list[Pose]:
        """The head at each frame, leaving from `rest` and coming back to it."""
        return [self.pose(rest, (index + 1) / (ACTION_FRAMES + 1)) for index in range(ACTION_FRAMES)]


def _bump(progress: float, middle: float, half_width: float) -> float:
    """A smooth rise to 1 and back to 0."""
    distance = (progress - middle) / half_width
    return math.cos(distance * math.pi / 2) ** 2 if abs(distance) < 1 else 0.0


def _smoothstep(value: float) -> float:
    clipped = min(max(value, 0.0), 1.0)
    return clipped * clipped * (3 - 2 * clipped)


def _nod(rest: Pose, progress: float) -> Pose:
    """Down and up, then once more, smaller; the head rises a little between."""
    down = _bump(progress, 0.26, 0.24) - 0.18 * _bump(progress, 0.46, 0.14) + 0.62 * _bump(progress, 0.66, 0.22)
    breath = _bump(progress, 0.5, 0.5)
    return replace(
        rest,
        down=rest.down + 0.046 * down,
        nod=rest.nod + 0.150 * down,
        breath=rest.breath + 0.8 * breath,
        brows=rest.brows + 0.010 * _bump(progress, 0.46, 0.3),
    )


def _tilt(rest: Pose, progress: float) -> Pose:
    """The head leans to a shoulder, brows up, stays a moment and comes back."""
    held = _smoothstep(progress / 0.34) - _smoothstep((progress - 0.62) / 0.36)
    brows = _smoothstep((progress - 0.08) / 0.22) - _smoothstep((progress - 0.56) / 0.28)
    return replace(
        rest,
        roll=rest.roll + math.radians(3.8) * held,
        right=rest.right + 0.010 * held,
        nod=rest.nod - 0.030 * held,
        yaw=rest.yaw - 0.020 * held,
        breath=rest.breath + 0.8 * _bump(progress, 0.5, 0.5),
        brows=rest.brows + 0.026 * brows,
    )


ACTIONS = (Action("action_1", _nod, blinks=(8,)), Action("action_2", _tilt, blinks=(31,)))
