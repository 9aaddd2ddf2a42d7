"""Makes sound that is enough like speech to load a server: voiced syllables of changing vowels, hiss, pauses.

Owns no file; deterministic by its seed. It is no language and is not meant to be looked at for lip-sync.
"""

import numpy as np
from numpy.typing import NDArray

from protocol.timing import SAMPLE_RATE_HZ
from test_client.audio_file import Speech

# first three formants in Hz of a, e, i, o, u for a male voice (Peterson and Barney, 1952, rounded)
_VOWEL_FORMANTS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
_FORMANT_WIDTH_HZ = 90.0
_HARMONICS = 30
_SYLLABLE_S = 0.2
_CONSONANT_S = 0.05


def make_speech(seconds: float, seed: int = 0) -> Speech:
    """Speech-like sound, 16 kHz mono."""
    random = np.random.default_rng(seed)
    pieces: list[NDArray[np.float64]] = []
    left = max(round(seconds * SAMPLE_RATE_HZ), 1)
    pitch_hz = random.uniform(95, 210)
    while left > 0:
        if random.random() < 0.12:  # a breath between phrases
            piece = np.zeros(round(random.uniform(0.12, 0.3) * SAMPLE_RATE_HZ))
        else:
            piece = _syllable(random, pitch_hz * random.uniform(0.9, 1.15))
        pieces.append(piece[:left])
        left -= piece.size
    samples = np.concatenate(pieces)
    return Speech((samples * 0.3 * 32767).astype("<i2").tobytes(), SAMPLE_RATE_HZ, 1)


def _syllable(random: np.random.Generator, pitch_hz: float) -> NDArray[np.float64]:
    """A consonant's hiss, then a vowel as a sum of harmonics under a formant envelope. -1..1."""
    hiss = random.standard_normal(round(_CONSONANT_S * SAMPLE_RATE_HZ)) * random.choice([0.0, 0.08, 0.2])
    size = round(_SYLLABLE_S * random.uniform(0.7, 1.3) * SAMPLE_RATE_HZ)
    seconds = np.arange(size) / SAMPLE_RATE_HZ
    harmonics = np.arange(1, _HARMONICS + 1)
    frequencies_hz = harmonics * pitch_hz
    formants = np.array(_VOWEL_FORMANTS_HZ[random.integers(len(_VOWEL_FORMANTS_HZ))])
    distance = (frequencies_hz[:, None] - formants) / _FORMANT_WIDTH_HZ
    weights = (1 / (1 + distance**2)).sum(axis=1) / np.sqrt(harmonics)
    vowel = weights @ np.sin(2 * np.pi * np.outer(frequencies_hz, seconds))
    vowel *= np.hanning(size) / np.abs(vowel).max()
    return np.concatenate([np.clip(hiss, -1, 1), vowel])
