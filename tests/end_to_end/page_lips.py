"""Lips against sound as a page plays them: on painted pictures and on the sound that was captured with them."""

import numpy as np

from tests.end_to_end.browser import Recording
from tests.end_to_end.lip_measure import Clip

HEARD_SAMPLES = 6400  # of the clip are looked for at a time
LEAST_PIECES = 12  # of the 25 in a clip of 5 s


def lips_after_sound_ms(seen: Recording, opening: np.ndarray, clip: Clip) -> float:
    """By how much the lips follow the phonemes of what is heard; positive: they are late.

    `opening`: of the lips in each recorded picture; `clip`: what the page spoke. Where it lies in what
    the page sounded is found anew each 0.2 s: a hitch moves all that comes after it.
    Infinite where so little was heard in one piece, or the lips moved so differently, that nothing can be said.
    """
    sound = np.frombuffer(clip.pcm, "<i2") / np.float32(32768)
    heard_s, said_s = [], []
    for start in range(0, len(seen.sound) - HEARD_SAMPLES, HEARD_SAMPLES // 2):
        piece = seen.sound[start : start + HEARD_SAMPLES]
        if (at := place_in(sound, piece)) is not None:
            middle = np.linspace(0.25, 0.75, 20, endpoint=False) * HEARD_SAMPLES
            heard_s.append(seen.sound_starts_s + (start + middle) / 16000)
            said_s.append((at + middle) / 16000)
    if len(heard_s) < LEAST_PIECES:
        return np.inf
    seen_opening = np.interp(np.concatenate(heard_s), seen.heard_s + 0.02, opening)  # a picture stays for 40 ms
    lags_s = np.arange(-0.3, 0.301, 0.005)
    said = np.concatenate(said_s)
    agreement = [np.corrcoef(seen_opening, clip.opening(said - lag_s))[0, 1] for lag_s in lags_s]
    return float(1000 * lags_s[np.argmax(agreement)]) if max(agreement) > 0.5 else np.inf


def place_in(sound: np.ndarray, piece: np.ndarray) -> int | None:
    """Where in the sound these samples are; None where they are silent or not whole."""
    energy = float(piece @ piece)
    if energy < 0.1:
        return None
    size = 1 << (len(sound) + len(piece)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size))
    agreement = np.fft.irfft(spectrum)[: len(sound) - len(piece)]
    at = int(np.argmax(agreement))
    part = sound[at : at + len(piece)]
    return at if agreement[at] > 0.95 * np.sqrt(energy * float(part @ part)) else None
