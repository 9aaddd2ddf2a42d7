"""Speech as MuseTalk's audio encoder hears it: log-mel of 30 s segments, and which encoder rows belong to a frame.

Owns the features' numbers and all counting of samples, columns, rows and frames; every count is an integer. Computed
on the CPU, column by column in float32 as the reference does it: a quiet band beside a loud one carries the rounding of
the transform, so another FFT or precision differs from it by 2e-5. When the encoder runs is decided in `voice`.

    one 30 s segment   480 000 samples   3000 mel columns (10 ms)   1500 encoder rows (20 ms)   750 video frames (40 ms)

Frame f is shown with samples 640 f .. 640 f + 639 and sees the encoder rows 2 f - 4 .. 2 f + 5: its own pair, two pairs
before it and two after. Rows before the utterance and past its end are zero.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 640
ROW_SAMPLES = 320
HOP_SAMPLES = 160
FFT_SIZE = 400
MEL_BANDS = 80

SEGMENT_SAMPLES = 480_000
SEGMENT_COLUMNS = SEGMENT_SAMPLES // HOP_SAMPLES  # 3000
SEGMENT_ROWS = SEGMENT_SAMPLES // ROW_SAMPLES  # 1500

ROWS_PER_FRAME = FRAME_SAMPLES // ROW_SAMPLES
PAST_ROWS = 4
WINDOW_ROWS = 10
# Row j comes from columns 2 j - 2 .. 2 j + 2, column m from samples 160 m - 199 .. 160 m + 199: the last row of frame
# f, 2 f + 5, ends before sample 640 f + 2120.
LAST_SAMPLE_OF_WINDOW = 2120
LOOK_AHEAD_SAMPLES = LAST_SAMPLE_OF_WINDOW - FRAME_SAMPLES

_PADDING = FFT_SIZE // 2
_BLOCK_COLUMNS = 8  # analysed together, so that a column does not depend on how its samples came
_FLOOR = 1e-10  # of the mel power: silence is log10(1e-10) = -10


def frame_count(samples: int) -> int:
    """Whole video frames in an utterance of so many samples."""
    return samples // FRAME_SAMPLES


def row_count(samples: int) -> int:
    """Whole encoder rows in an utterance of so many samples."""
    return samples // ROW_SAMPLES


class RowPiece(NamedTuple):
    """Rows of one segment that go into a frame's window: `window[target:target+length] = rows[start:start+length]`."""

    segment: int
    start: int
    target: int
    length: int


def window_pieces(frame_index: int, rows: int | None) -> list[RowPiece]:
    """Where the ten rows of a frame's window come from; rows of no piece are zero.

    `rows`: how many rows the utterance has, None while that is not known.
    """
    first = frame_index * ROWS_PER_FRAME - PAST_ROWS
    begin, end = max(first, 0), first + WINDOW_ROWS
    if rows is not None:
        end = min(end, rows)
    pieces = []
    while begin < end:
        segment, start = divmod(begin, SEGMENT_ROWS)
        length = min(end - begin, SEGMENT_ROWS - start)
        pieces.append(RowPiece(segment, start, begin - first, length))
        begin += length
    return pieces


def mel_filter_bank() -> NDArray[np.float64]:
    """Triangles on Slaney's mel scale, 0 to 8000 Hz, each of unit area per Hz: (201, 80).

    The scale is linear below 1000 Hz (200/3 Hz a mel) and logarithmic above (27 mels for each factor of 6.4); from
    M. Slaney, "Auditory Toolbox", 1998. Whisper's features use it.
    """
    linear_hz, break_hz, break_mel = 200 / 3, 1000.0, 15.0
    log_step = np.log(6.4) / 27
    top_mel = break_mel + np.log(SAMPLE_RATE_HZ / 2 / break_hz) / log_step
    mels = np.linspace(0, top_mel, MEL_BANDS + 2)
    edges_hz = np.where(mels < break_mel, mels * linear_hz, break_hz * np.exp(log_step * (mels - break_mel)))
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SIZE // 2 + 1)
    rising = (bins_hz[:, None] - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz[:, None]) / (edges_hz[2:] - edges_hz[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    area: NDArray[np.float64] = triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))
    return area


class LogMel:
    """Window and filter bank, ready to use; it keeps nothing between calls."""

    def __init__(self) -> None:
        self._window = torch.hann_window(FFT_SIZE)  # periodic
        self._bank = torch.from_numpy(mel_filter_bank().astype(np.float32))  # (201, 80)

    def columns(self, padded: torch.Tensor) -> torch.Tensor:
        """Samples (160 (8 n - 1) + 400,) float32 -> 8 n columns (80, 8 n) of log10 mel power, at least -10."""
        windows = padded.unfold(0, FFT_SIZE, HOP_SAMPLES)  # (8 n, 400)
        power = torch.fft.rfft(windows * self._window).abs() ** 2  # (8 n, 201)
        # products of one shape always: a matrix product rounds otherwise when it has other numbers of rows
        blocks = power.view(-1, _BLOCK_COLUMNS, power.shape[1])  # (n, 8, 201)
        mel = torch.bmm(blocks, self._bank.expand(len(blocks), -1, -1))  # (n, 8, 80)
        return mel.flatten(0, 1).clamp(min=_FLOOR).log10().T  # (80, 8 n)


class SegmentMel:
    """The log10 mel power of one 30 s segment, kept up as its samples come; what has not come is silence.

    `log_mel`: (80, 3000) float32 on the CPU, without the clamp that depends on the whole segment (see `normalised`).
    """

    def __init__(self, analysis: LogMel) -> None:
        self.log_mel = torch.full((MEL_BANDS, SEGMENT_COLUMNS), math.log10(_FLOOR))
        self._analysis = analysis
        self._padded = torch.zeros(SEGMENT_SAMPLES + 2 * _PADDING)  # sample i at i + 200, mirrored at both ends
        self._changed = (SEGMENT_COLUMNS, 0)

    def write(self, start: int, samples: NDArray[np.float32]) -> None:
        """Put samples at `start` of the segment, over what was there. Raises `ValueError` where they do not fit."""
        stop = start + len(samples)
        if start < 0 or stop > SEGMENT_SAMPLES:
            raise ValueError(f"samples {start}..{stop} do not fit into a segment of {SEGMENT_SAMPLES}")
        if start == stop:
            return
        padded = self._padded
        padded[_PADDING + start : _PADDING + stop] = torch.tensor(samples)
        first = max(0, -(-(_PADDING + start - FFT_SIZE + 1) // HOP_SAMPLES))
        end = min(SEGMENT_COLUMNS, (_PADDING + stop - 1) // HOP_SAMPLES + 1)
        if start <= _PADDING:
            padded[:_PADDING] = padded[_PADDING + 1 : 2 * _PADDING + 1].flip(0)
            first = 0
        if stop >= SEGMENT_SAMPLES - _PADDING:
            padded[-_PADDING:] = padded[-2 * _PADDING - 1 : -_PADDING - 1].flip(0)
            end = SEGMENT_COLUMNS
        first = first // _BLOCK_COLUMNS * _BLOCK_COLUMNS
        end = -(-end // _BLOCK_COLUMNS) * _BLOCK_COLUMNS  # the segment's 3000 columns are whole blocks
        span = padded[first * HOP_SAMPLES : (end - 1) * HOP_SAMPLES + FFT_SIZE]
        self.log_mel[:, first:end] = self._analysis.columns(span)
        self._changed = (min(self._changed[0], first), max(self._changed[1], end))

    def take_changed(self) -> slice:
        """The columns written since the last call."""
        first, end = self._changed
        self._changed = (SEGMENT_COLUMNS, 0)
        return slice(first, max(first, end))


def normalised(log_mel: torch.Tensor) -> torch.Tensor:
    """(B, 80, 3000) log10 mel power -> the encoder's input: at most 8 decades below its loudest, near -1..1."""
    loudest = log_mel.amax(dim=(1, 2), keepdim=True)  # (B, 1, 1)
    return (torch.maximum(log_mel, loudest - 8) + 4) / 4


def utterance_mels(samples: NDArray[np.float32], analysis: LogMel) -> list[SegmentMel]:
    """The segments of a whole utterance (n,), each padded with silence to 30 s."""
    segments = []
    for start in range(0, len(samples), SEGMENT_SAMPLES):
        segment = SegmentMel(analysis)
        segment.write(0, samples[start : start + SEGMENT_SAMPLES])
        segments.append(segment)
    return segments
