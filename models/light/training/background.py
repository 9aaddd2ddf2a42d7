"""Sounds that are no speech and must not move the mouth: room noise, hum, hiss, ticks.

Owns how they are made. They are quiet, as behind a microphone nobody speaks into; loud ones could be speech.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.light.mel import SAMPLE_RATE_HZ
from models.light.training.phones import Segment
from models.light.training.utterance import Utterance

_QUIETEST_DB, _LOUDEST_DB = -75, -31  # full scale
_LENGTH_S = 6.0


def background_utterances(minutes: float, seed: int) -> Iterator[Utterance]:
    """Six seconds each of a random mixture at a random level, one segment of silence to the labels."""
    rng = np.random.default_rng(seed)
    length = int(_LENGTH_S * SAMPLE_RATE_HZ)
    for _ in range(int(minutes * 60 / _LENGTH_S)):
        sound = _noise(length, rng)
        if rng.random() < 0.4:
            sound = rng.uniform(0, 0.5) * sound + _hum(length, rng)
        if rng.random() < 0.3:
            sound = sound + _ticks(length, rng)
        level = 10 ** (rng.uniform(_QUIETEST_DB, _LOUDEST_DB) / 20)
        samples = (sound * level / (sound.std() + 1e-9)).astype(np.float32)
        yield Utterance("background/mixed", samples, [Segment(0.0, _LENGTH_S, "sil")], "")


def _noise(length: int, rng: Generator) -> NDArray[np.float64]:
    """Noise whose spectrum falls by a random slope, its level wandering or steady, sometimes in one band."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequencies_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 30)
    spectrum /= frequencies_hz ** rng.uniform(-0.1, 1.2)
    if rng.random() < 0.4:
        centre_hz = np.exp(rng.uniform(np.log(150), np.log(6000)))
        spectrum /= 1 + (np.log2(frequencies_hz / centre_hz) / rng.uniform(0.3, 1.5)) ** 4
    noise = np.fft.irfft(spectrum, length)
    noise /= noise.std()
    if rng.random() < 0.5:
        knots = np.arange(0, length + 8000, 8000)
        noise *= np.exp(0.5 * np.interp(np.arange(length), knots, rng.standard_normal(len(knots))))
    return noise


def _hum(length: int, rng: Generator) -> NDArray[np.float64]:
    """Mains or a fan: a low tone and its harmonics."""
    base_hz = rng.choice([50, 60, 100, 120, rng.uniform(40, 400)])
    phase = 2 * np.pi * base_hz * np.arange(length) / SAMPLE_RATE_HZ
    decay = rng.uniform(0.3, 2.0)
    tones = range(1, 1 + int(min(30, 7000 // base_hz)))
    return sum(np.sin(k * phase + rng.uniform(0, 6.28)) * rng.uniform(0.2, 1) / k**decay for k in tones)


def _ticks(length: int, rng: Generator) -> NDArray[np.float64]:
    """Keyboard and mouse: short bursts now and then."""
    ticks = np.zeros(length)
    for start in rng.integers(0, length - 800, rng.integers(1, 12)):
        burst = int(rng.uniform(30, 800))
        ticks[start : start + burst] += (
            rng.standard_normal(burst) * np.exp(-np.arange(burst) / burst * 5) * rng.uniform(1, 6)
        )
    return ticks
