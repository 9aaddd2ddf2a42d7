"""PCM of any rate from 8 to 48 kHz, mono or stereo, cut anywhere -> mono 16 kHz s16. Owns the state between chunks.

A causal polyphase filter (windowed sinc). Output sample m needs the input up to the moment m / 16 kHz and no further,
so a chunk of 40 ms gives 640 samples at once and nothing is left to flush. The price is a constant delay of
16 periods of the slower rate: 1 ms, 2 ms from 8 kHz; the utterance's last 1 to 2 ms are not heard. 16 kHz passes
as it is. Must not import asyncio or the models.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from protocol.timing import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ

Samples16 = NDArray[np.int16]

_HALF_PERIODS = 16  # of the slower rate, on each side of the sinc's peak: the delay
_CUTOFF = 0.90  # of the slower rate's Nyquist frequency, where the filter is at -6 dB
_KAISER_BETA = 7.0  # about 70 dB of stop band
_MAX_COEFFICIENTS = 1 << 15  # of one bank: all usual rates fit with every phase of theirs, see `filter_bank`
_PER_PERIOD = 512  # points of the prototype; linear between them is exact to about 1e-6 of its peak
_UNIT = 1 << 20  # coefficients are whole numbers of 2**-20: every sum is exact in float64, in whatever order
_BLOCK_SAMPLES = 256  # output samples per step: small enough for memory that is reused, not mapped anew


class Resampler:
    """One source's PCM to mono 16 kHz. The output is the same, bit for bit, however the input was cut.

    N input samples (per channel) give exactly ceil(N * 16000 / rate) output samples.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        """Raises `ValueError` outside 8000..48000 Hz and 1..2 channels."""
        if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
            raise ValueError(f"sample rate is {MIN_SAMPLE_RATE_HZ}..{MAX_SAMPLE_RATE_HZ} Hz, not {sample_rate_hz}")
        if channels not in (1, 2):
            raise ValueError(f"channels are 1 or 2, not {channels}")
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self._rest = b""
        self._converter = None if sample_rate_hz == SAMPLE_RATE_HZ else _RateConverter(sample_rate_hz)

    def samples_of(self, size_bytes: int) -> int:
        """How many 16 kHz samples the first `size_bytes` pushed give."""
        return -(-(size_bytes // (2 * self.channels)) * SAMPLE_RATE_HZ // self.sample_rate_hz)

    def push(self, data: bytes) -> Samples16:
        """`data`: s16le, interleaved, any number of bytes; a part of a sample is kept for the next call. -> (n,)."""
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % (2 * self.channels)
        self._rest = data[whole:]
        samples = np.frombuffer(data, "<i2", whole // 2)
        if self.channels == 2:
            pairs = samples.reshape(-1, 2)
            samples = ((pairs[:, 0].astype(np.int32) + pairs[:, 1]) >> 1).astype(np.int16)
        return samples if self._converter is None else self._converter.push(samples)


class _RateConverter:
    """Output m is the filter's value at input position m * rate / 16000, minus the delay."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._bank = filter_bank(sample_rate_hz)  # (phases, taps) float64, whole numbers
        self._phases, self._taps = self._bank.shape
        self._history = np.zeros(self._taps - 1, np.int16)  # the input just before the next sample
        self._received = 0
        self._made = 0

    def push(self, samples: Samples16) -> Samples16:
        if not samples.size:
            return samples
        signal = np.concatenate((self._history, samples))  # signal[i] is input sample received + i - (taps - 1)
        first = self._received
        self._received += samples.size
        self._history = signal[-(self._taps - 1) :].copy()
        end = -(-self._received * SAMPLE_RATE_HZ // self._rate_hz)
        made = [
            self._make(signal, first, m, min(m + _BLOCK_SAMPLES, end)) for m in range(self._made, end, _BLOCK_SAMPLES)
        ]
        self._made = end
        return np.concatenate(made) if made else np.empty(0, np.int16)

    def _make(self, signal: Samples16, first: int, start: int, end: int) -> Samples16:
        position = np.arange(start, end, dtype=np.int64) * self._rate_hz
        newest = position // SAMPLE_RATE_HZ  # the last input sample this output may see
        phase = (position % SAMPLE_RATE_HZ) * self._phases // SAMPLE_RATE_HZ
        low = int(newest[0]) - first
        part = signal[low : int(newest[-1]) - first + self._taps].astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(part, self._taps)
        steps = newest - newest[0]
        if self._phases == 1:
            sums = windows[:: self._rate_hz // SAMPLE_RATE_HZ] @ self._bank[0]
        else:
            sums = np.einsum("ij,ij->i", windows[steps], self._bank[phase])
        made: Samples16 = np.clip(np.rint(sums / _UNIT), -32768, 32767).astype(np.int16)
        return made


@lru_cache(maxsize=32)
def filter_bank(sample_rate_hz: int) -> NDArray[np.float64]:
    """Windowed-sinc low-pass for each fraction of an input sample, (phases, taps), oldest input first.

    Every phase sums to 2**20 exactly, so a constant stays that constant. A rate whose own phases are too many takes
    fewer, evenly spaced: at most half of one away from the true moment. So any rate costs less than a millisecond.
    """
    slower = min(1.0, SAMPLE_RATE_HZ / sample_rate_hz)  # the slower rate, in units of the input's
    half = _HALF_PERIODS / slower  # in input samples
    taps = 2 * int(np.ceil(half)) + 1
    phases = SAMPLE_RATE_HZ // gcd(sample_rate_hz, SAMPLE_RATE_HZ)
    centre = 0.0
    if phases * taps > _MAX_COEFFICIENTS:
        phases, centre = _MAX_COEFFICIENTS // taps, 0.5
    fraction = (np.arange(phases)[:, None] + centre) / phases
    # distance of each input sample from the delayed output position, in periods of the slower rate
    distance = ((np.arange(taps)[None, :] - (taps - 1)) - fraction + half) * slower
    place = np.minimum(np.abs(distance), _HALF_PERIODS) * _PER_PERIOD
    below = place.astype(np.intp)
    values, rises = _prototype()
    bank = values[below] + rises[below] * (place - below)
    whole: NDArray[np.float64] = np.rint(bank * (_UNIT / bank.sum(axis=1, keepdims=True)))
    peak = np.abs(whole).argmax(axis=1)
    whole[np.arange(phases), peak] += _UNIT - whole.sum(axis=1)
    return whole


@lru_cache(maxsize=1)
def _prototype() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The right half of the filter that all rates share, and its rise to the next point, `_PER_PERIOD` a period.

    Source: Kaiser window design, Oppenheim & Schafer, Discrete-Time Signal Processing, section 7.5.3.
    """
    periods = np.arange(_HALF_PERIODS * _PER_PERIOD + 1) / _PER_PERIOD
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (periods / _HALF_PERIODS) ** 2))
    window[-1] = 0  # at its edge the filter sees nothing
    values = np.sinc(periods * _CUTOFF) * window
    return values, np.append(np.diff(values), 0)
