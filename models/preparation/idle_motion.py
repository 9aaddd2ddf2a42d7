"""How somebody who waits and listens moves: the poses and blinks of the loops made from one photo.

Owns the loops' timing. Must not import modules of the project besides `head_warp`.

Every motion is a sum of sines with whole periods per loop, so that the loop closes by itself.
"""

import math

import numpy as np

from models.preparation.head_warp import Pose

LOOP_FRAMES = 150
_SECOND = 25  # frames; the service changes between videos at whole seconds

# How closed the eyes are, frame by frame: down in two frames, up in three.
BLINK = (0.4, 1.0, 1.0, 0.75, 0.4, 0.15)

# First frames of the blinks. None reaches over a whole second, so a change of video never cuts a blink.
IDLE_BLINKS = (38, 112)
SPEAKING_BLINKS = (7, 80, 132)
# Middle frame and height (face widths) of the brow raises while speaking.
_BROW_RAISES = ((36, 0.014), (62, 0.010), (112, 0.016))
_BROW_RAISE_HALF_FRAMES = 11


def idle_pose(index: int) -> Pose:
    """The head at this frame of the loop."""
    t = 2 * math.pi * index / LOOP_FRAMES
    breath = math.sin(2 * t - 1)
    return Pose(
        right=0.018 * math.sin(t + 0.4) + 0.006 * math.sin(3 * t + 1),
        down=0.004 * math.sin(2 * t + 0.7) - 0.006 * breath,
        roll=math.radians(0.55 * math.sin(t + 2.2) + 0.3 * math.sin(2 * t)),
        yaw=0.035 * math.sin(t + 0.4) + 0.018 * math.sin(2 * t + 1.9),
        nod=0.018 * math.sin(2 * t + 0.7) + 0.008 * math.sin(3 * t),
        breath=breath,
    )


def speaking_brows(index: int) -> float:
    """How far the brows are raised at this frame while speaking, in face widths; 0 at whole seconds."""
    return sum(
        height * math.cos((index - middle) / _BROW_RAISE_HALF_FRAMES * math.pi / 2) ** 2
        for middle, height in _BROW_RAISES
        if abs(index - middle) < _BROW_RAISE_HALF_FRAMES
    )


def closures(length: int, blinks: tuple[int, ...]) -> list[float]:
    """How closed the eyes are (0 open, 1 shut) at each of `length` frames, for blinks that begin at these frames."""
    closed = np.zeros(length)
    for first in blinks:
        closed[first : first + len(BLINK)] = BLINK[: max(0, length - first)]
    return [float(value) for value in closed]
