"""The One-Euro filter: a low-pass that opens as the signal gets faster, so that rest is calm and movement has no lag.

Owns the filter. Must not import other modules of the project.

For samples x_i at a rate of r Hz (Casiez, Roussel, Vogel: "1 Euro Filter: A Simple Speed-based Low-pass Filter for
Noisy Input in Interactive Systems", CHI 2012):

    alpha(f)  = 1 / (1 + r / (2 pi f))
    speed_i   = alpha(f_d) * (x_i - x_(i-1)) * r + (1 - alpha(f_d)) * speed_(i-1)       f_d = 1 Hz
    f_i       = f_min + beta * |speed_i|
    y_i       = alpha(f_i) * x_i + (1 - alpha(f_i)) * y_(i-1)

Here the whole recording is known, so the filter runs once in each direction and the mean is taken: no lag at all.
"""

import math

import numpy as np
from numpy.typing import NDArray

_SPEED_CUTOFF_HZ = 1.0


def one_euro(track: NDArray[np.floating], rate_hz: float, min_cutoff_hz: float, beta: float) -> NDArray[np.float64]:
    """(N, D) samples -> (N, D), each column filtered, without lag. `beta`: Hz per unit of the track and second."""
    values = np.asarray(track, np.float64)
    return (
        _forward(values, rate_hz, min_cutoff_hz, beta) + _forward(values[::-1], rate_hz, min_cutoff_hz, beta)[::-1]
    ) / 2


def _forward(values: NDArray[np.float64], rate_hz: float, min_cutoff_hz: float, beta: float) -> NDArray[np.float64]:
    filtered = values.copy()
    speed = np.zeros(values.shape[1:])
    speed_share = _alpha(_SPEED_CUTOFF_HZ, rate_hz)
    for index in range(1, len(values)):
        speed += speed_share * ((values[index] - values[index - 1]) * rate_hz - speed)
        share = _alpha(min_cutoff_hz + beta * np.abs(speed), rate_hz)
        filtered[index] = filtered[index - 1] + share * (values[index] - filtered[index - 1])
    return filtered


def _alpha(cutoff_hz: NDArray[np.float64] | float, rate_hz: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + rate_hz / (2 * math.pi * cutoff_hz)))
