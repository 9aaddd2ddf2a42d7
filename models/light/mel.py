"""Log-mel features of 16 kHz speech, in numpy, with a free batch axis.

Owns the analysis window, the mel filter bank and the scale of the features; the network was trained on exactly these.
Nothing is remembered between calls: frame k depends on samples `160 k .. 160 k + 400` alone, so a stream cut anywhere
gives the features of the whole. Must not import the network, torch or scipy.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160  # 10 ms
WINDOW_SAMPLES = 400  # 25 ms
FFT_SIZE = 512
MEL_BANDS = 40
LOWEST_HZ = 60.0
HIGHEST_HZ = 7600.0
POWER_FLOOR = 1e-5  # silence maps to log(1e-5) / 4, about -2.88
LOG_SCALE = 0.25  # keeps speech near unit range
_FRAMES_AT_ONCE = 48  # so many frames' temporaries stay in the cache: a third of the time


def _mel_filter_bank() -> NDArray[np.float32]:
    """Triangles on the mel scale of O'Shaughnessy (2595 log10(1 + f / 700)), each of unit sum. (257, 40)."""
    lowest, highest = 2595 * np.log10(1 + np.array([LOWEST_HZ, HIGHEST_HZ]) / 700)
    edges_hz = 700 * (10 ** (np.linspace(lowest, highest, MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE_HZ / FFT_SIZE
    rising = (bins_hz - edges_hz[:-2, None]) / (edges_hz[1:-1] - edges_hz[:-2])[:, None]
    falling = (edges_hz[2:, None] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.ascontiguousarray((triangles / triangles.sum(axis=1, keepdims=True)).T, dtype=np.float32)


_FILTER_BANK = _mel_filter_bank()
_HANN = np.hanning(WINDOW_SAMPLES).astype(np.float32)


def frame_count(samples: int) -> int:
    """How many feature frames `samples` samples give; 0 when there are fewer than one window."""
    return max(0, 1 + (samples - WINDOW_SAMPLES) // HOP_SAMPLES)


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel features of every whole window.

    Args:
        samples: (..., n) float32, 16 kHz, -1..1.

    Returns:
        (..., frames, 40) float32: `log(mel power + 1e-5) / 4`. Frame k is centred at sample `160 k + 200`.

    Raises:
        ValueError: fewer samples than one window (400).
    """
    if samples.shape[-1] < WINDOW_SAMPLES:
        raise ValueError(f"{samples.shape[-1]} samples are less than one window of {WINDOW_SAMPLES}")
    flat = np.ascontiguousarray(samples).reshape(-1, samples.shape[-1])
    frames = frame_count(samples.shape[-1])
    features = np.empty((len(flat), frames, MEL_BANDS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(flat, WINDOW_SAMPLES, axis=-1)[:, ::HOP_SAMPLES]
    rows = max(1, _FRAMES_AT_ONCE // frames)
    for start in range(0, len(flat), rows):
        spectrum = np.fft.rfft(windows[start : start + rows] * _HANN, FFT_SIZE)  # (rows, frames, 257) complex64
        power = spectrum.real**2 + spectrum.imag**2
        np.matmul(power, _FILTER_BANK, out=features[start : start + rows])
    features += np.float32(POWER_FLOOR)
    np.log(features, out=features)
    features *= np.float32(LOG_SCALE)
    return features.reshape(*samples.shape[:-1], *features.shape[1:])
