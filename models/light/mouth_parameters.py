"""The six mouth parameters, and the smoothing that makes a network's estimates a mouth's movement.

Owns the meaning and order of the parameters and the filter an utterance's estimates pass through, one picture after
the other. Must not import the network, the renderer or anything above.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PARAMETER_NAMES = ("open", "wide", "pucker", "close", "fv", "tongue")
PARAMETERS = len(PARAMETER_NAMES)


class MouthParameters(NamedTuple):
    """The shape of a mouth, each value 0..1, in the order of every parameter array of this package."""

    open: float  # jaw
    wide: float  # lips spread
    pucker: float  # lips rounded and forward
    close: float  # lips pressed, as for p, b, m
    fv: float  # lower lip against the upper teeth
    tongue: float  # tongue tip up


# Regression hedges towards the mean, so its estimates are stretched again; fitted on the voices of training/score.py.
_GAIN = (1.15, 1.2, 1.2, 1.0, 1.0, 1.2)
# evidence that begins to count, and the span to full; a lower threshold closes lips that should be open
_CLOSE_FROM, _CLOSE_SPAN = 0.25, 0.60
_FV_FROM, _FV_SPAN = 0.10, 0.70
_OPEN_DEAD_ZONE = 0.04  # below this the jaw rests: breath and room noise do not move it
# share of the way to the new value taken per 40 ms picture
_OPEN_ATTACK, _OPEN_RELEASE = 0.75, 0.70
_SHAPE_RATE = 0.65  # wide and pucker: the lips' shape is slower than the jaw
_CLOSURE_RATE = 0.70  # close, fv and tongue
_CLOSURE_AT_ONCE = 0.5  # a clear closure is a few tens of ms long: no smoothing
_REST = 0.01  # less than this is nothing to be seen: exactly rest


class MouthFilter:
    """One utterance's smoothing: estimates in, the mouth's movement out, at 25 pictures a second.

    Starts from the closed, resting mouth. Deterministic: the same estimates give the same movement.
    """

    def __init__(self) -> None:
        self._state = [0.0] * PARAMETERS

    def step(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next picture's parameters from the network's estimate of them.

        Args:
            raw: (6,) estimates, 0..1, in the order of `PARAMETER_NAMES`.

        Returns:
            (6,) float32 in 0..1; at rest exactly zero.
        """
        # plain floats: six values are too few for array arithmetic to pay
        goal = [min(1.0, value * gain) for value, gain in zip(raw.tolist(), _GAIN, strict=True)]
        goal[0] = max(0.0, (goal[0] - _OPEN_DEAD_ZONE) / (1.0 - _OPEN_DEAD_ZONE))
        goal[3] = _ramp(goal[3], _CLOSE_FROM, _CLOSE_SPAN)
        goal[4] = _ramp(goal[4], _FV_FROM, _FV_SPAN) * (1.0 - goal[3])

        jaw = _OPEN_ATTACK if goal[0] > self._state[0] else _OPEN_RELEASE
        closing = 1.0 if goal[3] > _CLOSURE_AT_ONCE else _CLOSURE_RATE
        rates = (jaw, _SHAPE_RATE, _SHAPE_RATE, closing, _CLOSURE_RATE, _CLOSURE_RATE)
        for index, (rate, wanted) in enumerate(zip(rates, goal, strict=True)):
            value = self._state[index] + rate * (wanted - self._state[index])
            self._state[index] = 0.0 if value < _REST and wanted < _REST else value
        return np.array(self._state, np.float32)


def _ramp(value: float, start: float, span: float) -> float:
    return min(1.0, max(0.0, (value - start) / span))
