"""Rooms, microphones, noise and other speakers' sizes, so that the network hears more than clean synthesis.

Owns what is done to the wave (tempo and pitch, equaliser, room, noise, band limit, level) and to the features (vocal
tract length, masks). Every function draws from the generator it is given.
"""

from math import gcd

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from models.light.mel import MEL_BANDS, SAMPLE_RATE_HZ
from models.light.training.phones import Segment
from models.light.training.utterance import SPEECH_RMS, Utterance, with_level

_EQUALISER_HZ = np.array([0, 150, 400, 900, 1800, 3200, 5000, 8000.0])


def augment(utterance: Utterance, rng: Generator) -> Utterance:
    """One random recording of the utterance; its segments move with the tempo and the silence put before it."""
    samples, segments = _change_speed(utterance, rng.uniform(0.82, 1.22))
    lead_s, tail_s = rng.uniform(0.02, 0.4), rng.uniform(0.1, 0.4)
    samples = np.concatenate([_silence(lead_s), with_level(samples), _silence(tail_s)])

    samples = _equalise(samples, rng)
    if rng.random() < 0.5:
        samples = _reverberate(samples, rng)
    samples = with_level(samples)
    if rng.random() < 0.8:
        samples = samples + _noise(len(samples), rng) * SPEECH_RMS * 10 ** (-rng.uniform(6, 42) / 20)
    samples = _limit_band(samples, rng)
    samples = samples * 10 ** (rng.uniform(-14, 12) / 20)
    if rng.random() < 0.1:
        samples = np.clip(samples, -0.25, 0.25)  # an overdriven microphone

    # digital silence around it: an utterance begins and ends so in the service
    before_s, after_s = rng.uniform(0, 0.4) * (rng.random() < 0.7), rng.uniform(0.05, 0.3)
    samples = np.concatenate([_silence(before_s), samples, _silence(after_s)]).astype(np.float32)
    shift_s = before_s + lead_s
    moved = [Segment(s.start_s + shift_s, s.end_s + shift_s, s.phone_class) for s in segments]
    end_s = len(samples) / SAMPLE_RATE_HZ
    moved = [Segment(0.0, shift_s, "sil"), *moved, Segment(moved[-1].end_s, end_s, "sil")]
    return Utterance(utterance.voice, samples, moved, utterance.text)


def _silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)


def _change_speed(utterance: Utterance, factor: float) -> tuple[NDArray[np.float32], list[Segment]]:
    """Plays it `factor` times as fast (tempo and pitch together), in steps of 1 %."""
    percent = round(100 * factor)
    divisor = gcd(percent, 100)
    samples = resample_poly(utterance.samples, 100 // divisor, percent // divisor).astype(np.float32)
    scale = 100 / percent
    return samples, [Segment(s.start_s * scale, s.end_s * scale, s.phone_class) for s in utterance.segments]


def _equalise(samples: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    gains_db = np.cumsum(rng.normal(0, 2.2, len(_EQUALISER_HZ)))
    gains_db += rng.uniform(-4, 4) * np.linspace(-1, 1, len(_EQUALISER_HZ)) - gains_db.mean()
    size = _fft_size(len(samples))
    frequencies_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    response = 10 ** (np.interp(frequencies_hz, _EQUALISER_HZ, gains_db) / 20)
    return np.fft.irfft(np.fft.rfft(samples, size) * response.astype(np.float32), size)[: len(samples)]


def _reverberate(samples: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    length = int(rng.uniform(0.08, 0.5) * SAMPLE_RATE_HZ)
    room = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length) * rng.uniform(0.02, 0.25)
    room[0] = 1
    return fftconvolve(samples, room.astype(np.float32))[: len(samples)]


def _noise(length: int, rng: Generator) -> NDArray[np.float32]:
    """White, pink, brown, or fluctuating noise of unit variance."""
    kind = rng.integers(4)
    noise = rng.standard_normal(length).astype(np.float32)
    if kind == 0:
        return noise
    size = _fft_size(length)
    frequencies_hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 30)
    slope = (0.5, 1.0, 0.8)[kind - 1]
    noise = np.fft.irfft(np.fft.rfft(noise, size) / (frequencies_hz**slope).astype(np.float32), size)[:length]
    if kind == 3:
        knots = np.arange(0, length + 3200, 3200)
        noise = noise * (0.3 + np.abs(np.interp(np.arange(length), knots, rng.standard_normal(len(knots)))))
    return (noise / (noise.std() + 1e-9)).astype(np.float32)


def _limit_band(samples: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    draw = rng.random()
    if draw < 0.25:  # a telephone
        samples = sosfilt(butter(6, rng.uniform(3300, 4000), fs=SAMPLE_RATE_HZ, output="sos"), samples)
    elif draw < 0.45:
        samples = sosfilt(butter(4, rng.uniform(4500, 7500), fs=SAMPLE_RATE_HZ, output="sos"), samples)
    if rng.random() < 0.3:
        samples = sosfilt(butter(2, rng.uniform(60, 300), "hp", fs=SAMPLE_RATE_HZ, output="sos"), samples)
    return samples


def _fft_size(length: int) -> int:
    """A length the FFT likes: a multiple of 2048."""
    return -(-length // 2048) * 2048


def vocal_tract_warps(count: int, strength: float, rng: Generator) -> NDArray[np.float32]:
    """Matrices that stretch the mel axis as a longer or shorter vocal tract does. (count, 40, 40), rows sum to 1."""
    warps = np.zeros((count, MEL_BANDS, MEL_BANDS), np.float32)
    for warp in warps:
        stretch, shift = 1 + rng.uniform(-strength, strength), rng.uniform(-1, 1)
        position = np.clip(np.arange(MEL_BANDS) * stretch + shift, 0, MEL_BANDS - 1.001)
        below = position.astype(int)
        warp[np.arange(MEL_BANDS), below] = 1 - (position - below)
        warp[np.arange(MEL_BANDS), below + 1] += position - below
    return warps
