"""One utterance: PCM in whatever pieces a client sends -> whole 40 ms frames and the audio around each.

Owns the utterance's samples, at 16 kHz, for as long as frames may ask for them. Plain and synchronous; when a frame is
due is decided elsewhere. Must not import asyncio or the models.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from protocol.timing import FRAME_BYTES, FRAME_SAMPLES
from ws_service.audio.resampler import Resampler

KEPT_FRAMES = 25  # frames behind the newest window that can still be asked for
_STEP_BYTES = 16_384  # of client PCM resampled at a time: a burst is resampled as it is read, not as it comes
_STEPS_PER_CHANGE = 4  # of older audio resampled at a change of rate: no single push does it all, nothing piles up


class Utterance:
    """Push audio, then read frames by their index from 0. What is read does not depend on how the audio was cut.

    Old samples are let go as windows move on, so memory is bounded by what was pushed and not yet read.
    """

    def __init__(self) -> None:
        self._pcm = bytearray()  # s16le mono 16 kHz, from sample `_first` on
        self._first = 0
        self._samples = 0
        self._ended = False
        self._resampler: Resampler | None = None
        self._waiting: deque[tuple[Resampler, memoryview]] = deque()  # client PCM that is not resampled yet
        self._waiting_bytes = 0
        self._resampler_bytes = 0  # all that this resampler was given or will be
        self._samples_before = 0  # what came before this resampler

    @property
    def samples(self) -> int:
        """16 kHz samples received so far, those already let go included."""
        return self._samples

    @property
    def ended(self) -> bool:
        """No audio will follow."""
        return self._ended

    @property
    def total_frames(self) -> int | None:
        """ceil(samples / 640) once ended, else None."""
        return -(-self._samples // FRAME_SAMPLES) if self._ended else None

    @property
    def all_read(self) -> bool:
        """Nothing waits to be resampled."""
        return not self._waiting

    @property
    def held_bytes(self) -> int:
        """Memory taken by the samples."""
        return len(self._pcm) + self._waiting_bytes

    def push(self, pcm: bytes, sample_rate_hz: int, channels: int) -> int:
        """Add s16le audio, any number of bytes; none change nothing. Returns the 16 kHz samples it gave.

        A change of rate or channels within an utterance starts a new resampler. Raises `ValueError` after `end`.
        """
        if self._ended:
            raise ValueError("the utterance has ended")
        if not pcm:
            return 0
        resampler = self._resampler
        if resampler is None or (resampler.sample_rate_hz, resampler.channels) != (sample_rate_hz, channels):
            resampler = self._resampler = Resampler(sample_rate_hz, channels)
            for _ in range(min(_STEPS_PER_CHANGE, len(self._waiting))):
                self._resample_step()
            self._resampler_bytes, self._samples_before = 0, self._samples
        self._waiting.append((resampler, memoryview(pcm)))
        self._waiting_bytes += len(pcm)
        self._resampler_bytes += len(pcm)
        before = self._samples
        self._samples = self._samples_before + resampler.samples_of(self._resampler_bytes)
        return self._samples - before

    def end(self) -> None:
        """No audio will follow: the last frame may be shorter than 640 samples. Idempotent."""
        self._ended = True

    def frames_ready(self, future_samples: int) -> int:
        """How many frames from 0 on have their own samples and `future_samples` of look-ahead (all, once ended)."""
        if self._ended:
            return -(-self._samples // FRAME_SAMPLES)
        return max(0, self._samples - future_samples) // FRAME_SAMPLES

    def frame_complete(self, frame_index: int, future_samples: int) -> bool:
        """`frame_index` is among the frames ready."""
        return frame_index < self.frames_ready(future_samples)

    def read_ahead(self) -> bool:
        """Resample a step, about a millisecond of work, before it is asked for; False when nothing waited."""
        if not self._waiting:
            return False
        self._resample_step()
        return True

    def window(self, frame_index: int, past_samples: int, future_samples: int) -> NDArray[np.float32]:
        """-> (past_samples + 640 + future_samples,) float32, -1..1; the frame's own samples begin at `past_samples`.

        Zero before the utterance and after what is there. Raises `ValueError` for a frame let go already.
        """
        start = frame_index * FRAME_SAMPLES - past_samples
        window = np.zeros(past_samples + FRAME_SAMPLES + future_samples, np.float32)
        pcm = self._read(max(start, 0), start + window.size)
        offset = max(0, -start)
        # exact: a power of two
        np.multiply(np.frombuffer(pcm, "<i2"), np.float32(1 / 32768), out=window[offset : offset + len(pcm) // 2])
        self._let_go(start - KEPT_FRAMES * FRAME_SAMPLES)
        return window

    def frame_pcm(self, frame_index: int) -> bytes:
        """The frame's own 640 samples, s16le, zero after what is there. Raises `ValueError` for one let go already."""
        start = frame_index * FRAME_SAMPLES
        return self._read(start, start + FRAME_SAMPLES).ljust(FRAME_BYTES, b"\0")

    def _read(self, start: int, end: int) -> bytes:
        if start < self._first:
            raise ValueError(f"sample {start} is gone, the first one kept is {self._first}")
        self._resample_until(end)
        return bytes(self._pcm[2 * (start - self._first) : 2 * (max(start, end) - self._first)])

    def _resample_until(self, end: int) -> None:
        while self._waiting and self._first + len(self._pcm) // 2 < end:
            self._resample_step()

    def _resample_step(self) -> None:
        resampler, piece = self._waiting.popleft()
        if len(piece) > _STEP_BYTES:
            self._waiting.appendleft((resampler, piece[_STEP_BYTES:]))
        step = bytes(piece[:_STEP_BYTES])
        self._waiting_bytes -= len(step)
        self._pcm += resampler.push(step).astype("<i2", copy=False).tobytes()

    def _let_go(self, before: int) -> None:
        drop = min(before - self._first, len(self._pcm) // 2)
        if drop > 0:
            del self._pcm[: 2 * drop]
            self._first += drop
