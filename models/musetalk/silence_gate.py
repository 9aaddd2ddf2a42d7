"""Whether speech is loud enough to move a mouth: a gate with hysteresis, opened and closed in steps.

The network moves the lips a little for any sound, noise included; in a pause the base picture's own mouth is right.
Numpy only; knows neither frames of video nor the network.
"""

import math

import numpy as np
from numpy.typing import NDArray

OPENING_DBFS = -50.0  # quiet speech peaks 15 dB higher; the noise of a good microphone lies 10 dB lower
CLOSING_DBFS = -56.0
HOLD_FRAMES = 5  # 200 ms: the closure of a stop consonant is no pause
FADE_FRAMES = 3

_BLOCK_SAMPLES = 320


class SilenceGate:
    """One utterance's gate; starts closed. `weight`: 0 the base picture, 1 the mouth as generated."""

    def __init__(self) -> None:
        self.weight = 0.0
        self._open = False
        self._quiet_frames = 0
        self._steps = 0

    def step(self, samples: NDArray[np.float32]) -> float:
        """One frame further. `samples`: the frame's own and what follows, so that the mouth opens with the sound."""
        level = loudness_dbfs(samples)
        if level >= (CLOSING_DBFS if self._open else OPENING_DBFS):
            self._open, self._quiet_frames = True, 0
        elif self._open:
            self._quiet_frames += 1
            self._open = self._quiet_frames <= HOLD_FRAMES
        self._steps = min(FADE_FRAMES, self._steps + 1) if self._open else max(0, self._steps - 1)
        self.weight = self._steps / FADE_FRAMES
        return self.weight


def loudness_dbfs(samples: NDArray[np.float32]) -> float:
    """The loudest 20 ms of (n,) samples, root mean square against full scale; -inf for digital silence."""
    blocks = samples[: len(samples) // _BLOCK_SAMPLES * _BLOCK_SAMPLES].reshape(-1, _BLOCK_SAMPLES)
    loudest = float(np.einsum("ij,ij->i", blocks, blocks).max(initial=0.0)) / _BLOCK_SAMPLES
    return 10 * math.log10(loudest) if loudest > 0 else -math.inf
