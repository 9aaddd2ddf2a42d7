"""What the engine remembers of one utterance: its sound so far, and how far its mouth is open to it.

An utterance is heard in one of two ways. *Whole*: its samples were all there before its first frame, so every segment
is encoded once and the tokens are those of the offline reference. *Live*: frame f is generated from exactly the samples
up to 640 f + 2120, encoded from the last 30 s boundary on and padded with silence; positions and segments are those of
the reference, only the future is missing. Which of the two a voice is shows with its first frame and does not change.

Owns that bookkeeping; the encoder itself runs in `listening`, for many voices at once.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from models.errors import ModelError
from models.interface import Samples, SpeechFrame
from models.musetalk.audio_features import (
    FRAME_SAMPLES,
    LOOK_AHEAD_SAMPLES,
    SEGMENT_ROWS,
    SEGMENT_SAMPLES,
    LogMel,
    RowPiece,
    SegmentMel,
    row_count,
    utterance_mels,
    window_pieces,
)
from models.musetalk.silence_gate import SilenceGate

PAST_SAMPLES = 2 * FRAME_SAMPLES  # up to two frames may be left out between two that are generated
_GATE_SAMPLES = 3 * FRAME_SAMPLES  # the frame's own and two more: a mouth that takes three frames to open is on time


@dataclass(slots=True, eq=False)
class Segment:
    """30 s of a voice. `settled`: its sound will not change any more. `hidden`: its encoded rows, once settled."""

    mel: SegmentMel
    settled: bool = False
    rows: int = SEGMENT_ROWS  # of the utterance that lie in this segment
    hidden: torch.Tensor | None = None  # (rows, 5, 384)
    on_device: torch.Tensor | None = field(default=None, repr=False)  # (80, 3000), a copy of `mel.log_mel`


@dataclass(frozen=True, slots=True, eq=False)
class HeardFrame:
    """One frame's window: which rows of which segments; `weight`: how far its mouth is to be seen, 0..1."""

    weight: float
    pieces: tuple[tuple[Segment, RowPiece], ...]


class MuseTalkVoice:
    """See the module. Changed by the engine's thread alone."""

    def __init__(self, analysis: LogMel) -> None:
        self._analysis = analysis
        self._gate = SilenceGate()
        self._segments: dict[int, Segment] = {}
        self._next_index = 0
        self._whole = False
        self._samples: int | None = None  # the utterance's length
        self._final_until = 0  # samples before this one were no look-ahead and stay as they are

    def check(self, frame: SpeechFrame) -> int:
        """The frame's number, where `hear` would take it now.

        Raises `ModelError` where the window has another size or the frame was heard before.
        """
        index = self._next_index if frame.index is None else frame.index
        if index < self._next_index:
            raise ModelError(f"frame {index} comes after frame {self._next_index - 1} of the same voice")
        if len(frame.window) != PAST_SAMPLES + FRAME_SAMPLES + LOOK_AHEAD_SAMPLES:
            raise ModelError(f"a window of {len(frame.window)} samples does not fit this engine")
        return index

    def hear(self, frame: SpeechFrame) -> HeardFrame:
        """Take in a frame's sound and say which encoder rows it needs. Raises as `check` does, with nothing heard."""
        index = self.check(frame)
        if frame.utterance is not None and self._next_index == 0:
            self._hear_all(frame.utterance)
        if self._samples is None:
            self._samples = frame.utterance_samples
        if not self._whole:
            self._hear_window(index, frame.window)
        passed = index + 1 - self._next_index
        self._next_index = index + 1
        rows = None if self._samples is None else row_count(self._samples)
        pieces = window_pieces(index, rows)
        self._forget_before(pieces[0].segment if pieces else 0)
        self._step_gate(frame.window, passed)
        return HeardFrame(self._gate.weight, tuple((self._segment(piece.segment), piece) for piece in pieces))

    def _step_gate(self, window: Samples, passed: int) -> None:
        """Step over the frames that were left out, too, so that fades last as long as at full rate."""
        for back in reversed(range(min(passed, 1 + PAST_SAMPLES // FRAME_SAMPLES))):
            start = PAST_SAMPLES - back * FRAME_SAMPLES
            self._gate.step(window[start : start + _GATE_SAMPLES])

    def _hear_all(self, utterance: Samples) -> None:
        self._whole, self._samples = True, len(utterance)
        rows = row_count(len(utterance))
        for number, mel in enumerate(utterance_mels(utterance, self._analysis)):
            inside = min(SEGMENT_ROWS, rows - number * SEGMENT_ROWS)
            self._segments[number] = Segment(mel, settled=True, rows=inside)

    def _hear_window(self, index: int, window: Samples) -> None:
        """Write what is new: all from the last frame's own samples on, because look-ahead may have been missing."""
        origin = index * FRAME_SAMPLES - PAST_SAMPLES
        start, end = max(origin, self._final_until), origin + len(window)
        self._final_until = (index + 1) * FRAME_SAMPLES
        known_end = end if self._samples is None else min(end, max(start, self._samples))
        while start < known_end:
            number, offset = divmod(start, SEGMENT_SAMPLES)
            count = min(known_end - start, SEGMENT_SAMPLES - offset)
            segment = self._segment(number)
            if not segment.settled:
                segment.mel.write(offset, window[start - origin : start - origin + count])
            start += count
        for number, segment in self._segments.items():
            boundary = (number + 1) * SEGMENT_SAMPLES
            all_here = self._samples is not None and end >= self._samples
            segment.settled = segment.settled or all_here or self._final_until >= boundary
            if self._samples is not None:
                segment.rows = min(SEGMENT_ROWS, max(0, row_count(self._samples) - number * SEGMENT_ROWS))

    def _segment(self, number: int) -> Segment:
        if number not in self._segments:
            self._segments[number] = Segment(SegmentMel(self._analysis))
        return self._segments[number]

    def _forget_before(self, number: int) -> None:
        for old in [known for known in self._segments if known < number]:
            del self._segments[old]


def zero_window() -> Samples:
    """A window of silence of the size that `MuseTalkVoice.hear` takes."""
    return np.zeros(PAST_SAMPLES + FRAME_SAMPLES + LOOK_AHEAD_SAMPLES, np.float32)
