"""The speech of one session: utterances waiting to be spoken, and what each tick may do with them. Pure.

An utterance becomes `Utterance` samples (see `ws_service.audio`); this module decides *when* a frame of it is due.
It counts ticks, never reads a clock, and does not know the engine but for how far it looks ahead.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Any
from uuid import uuid4

from protocol.timing import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from ws_service.audio.rechunker import Utterance
from ws_service.errors import QueueFull

DRY_TICKS = -(-350 // FRAME_MS)  # 350 ms without audio end an utterance
MAX_UTTERANCES = 64  # in one queue, the one being spoken included


class Due(Enum):
    """What the coming tick shows of the speech."""

    NOTHING = auto()  # no speech, or none that can begin
    FRAME = auto()  # the next frame can be generated
    WAIT = auto()  # in mid-speech: the frame is there, its look-ahead is not: one tick of patience
    STARVED = auto()  # the utterance goes on, its audio does not


@dataclass(slots=True, eq=False)
class Spoken:
    """One utterance of the queue. `voice`: the engine's memory of it. `started`: the client was told that it began."""

    utterance_id: str
    audio: Utterance
    voice: Any = None
    base_video: str | None = None
    text: str | None = None
    narrated: bool = False  # the service's own voice: it says when it ends, and no client's audio goes into it
    next_frame: int = 0
    started: bool = False

    @property
    def position_ms(self) -> int:
        """Audio of the generated frames sent so far."""
        return self.next_frame * FRAME_MS


class SpeechQueue:
    """Utterances in order; the first is the one being spoken, the client's last the one that its audio is added to."""

    def __init__(self, future_samples: int, limit_samples: int) -> None:
        self._future_samples = future_samples
        self._start_patience = -(-future_samples // FRAME_SAMPLES) + 1
        self._limit_samples = limit_samples
        self._queue: deque[Spoken] = deque()
        self._queued_samples = 0
        self._patience = self._start_patience
        self._impatient = False
        self._dry_ticks = 0

    @property
    def current(self) -> Spoken | None:
        """The utterance that is spoken now or next."""
        return self._queue[0] if self._queue else None

    @property
    def queued_samples(self) -> int:
        """16 kHz samples that no frame has consumed yet; what is complete counts in whole frames, as it is played."""
        return self._queued_samples

    def push(
        self, pcm: bytes, sample_rate_hz: int, channels: int, utterance_id: str | None, base_video: str | None
    ) -> Spoken:
        """Add audio to the open utterance, or begin one. Returns the utterance.

        A push without a byte begins none: what it returns then is not in the queue.
        Raises `QueueFull` with the bytes taken and refused; what was taken stays.
        """
        open_one = self._open
        room_samples = self._limit_samples - self._queued_samples
        step = channels * 2
        excess = len(pcm) - max(0, room_samples) * sample_rate_hz // SAMPLE_RATE_HZ * step
        refused = min(len(pcm), max(0, -(-excess // step) * step))  # whole samples: what comes later stays aligned
        taken = pcm[: len(pcm) - refused]
        if open_one is None:
            if not taken and refused:
                raise _queue_full(self._limit, 0, refused)
            open_one = Spoken(utterance_id or str(uuid4()), Utterance())
            if not taken:
                return open_one
            if len(self._queue) >= MAX_UTTERANCES:
                raise _queue_full(f"{MAX_UTTERANCES} utterances", 0, len(pcm))
            self._queue.append(open_one)
            if len(self._queue) == 1:
                self._begin()
        if base_video is not None:
            open_one.base_video = base_video
        if taken:
            self._queued_samples += open_one.audio.push(taken, sample_rate_hz, channels)
            self._impatient = False
            self._dry_ticks = 0
        if refused:
            raise _queue_full(self._limit, len(taken), refused)
        return open_one

    def begin_narrated(self, utterance_id: str, text: str) -> Spoken:
        """Begin an utterance of the service's own voice, behind all that is queued; the client's open one stays open.

        Raises `QueueFull`.
        """
        if len(self._queue) >= MAX_UTTERANCES or self._queued_samples >= self._limit_samples:
            limit = self._limit if len(self._queue) < MAX_UTTERANCES else f"{MAX_UTTERANCES} utterances"
            raise QueueFull(f"The session's audio queue is full ({limit})")
        spoken = Spoken(utterance_id, Utterance(), text=text, narrated=True)
        self._queue.append(spoken)
        if len(self._queue) == 1:
            self._begin()
        return spoken

    def push_narrated(self, spoken: Spoken, pcm: bytes, sample_rate_hz: int) -> None:
        """Add mono s16le to it. Its source waits for room by `samples_through`, so that nothing need be refused."""
        self._queued_samples += spoken.audio.push(pcm, sample_rate_hz, 1)
        if spoken is self.current:
            self._impatient = False
            self._dry_ticks = 0

    def end_narrated(self, spoken: Spoken) -> None:
        """It is complete."""
        self._close(spoken)

    def samples_through(self, spoken: Spoken) -> int:
        """16 kHz samples to be played before more of this utterance is needed; 0 when it is not queued."""
        if spoken not in self._queue:
            return 0
        return sum(_samples_left(queued) for queued in islice(self._queue, self._queue.index(spoken) + 1))

    def end(self) -> None:
        """The open utterance is complete; nothing happens when none is open. One without a sample is forgotten."""
        if self._open is not None:
            self._close(self._open)

    def clear(self) -> Spoken | None:
        """Drop everything; returns the utterance that was being spoken, if the client was told that it began."""
        current = self.current
        self._queue.clear()
        self._queued_samples = 0
        self._begin()
        return current if current is not None and current.started else None

    def frame_ready(self) -> bool:
        """The next frame and all that it looks ahead to are there."""
        current = self.current
        return current is not None and current.audio.frame_complete(current.next_frame, self._future_samples)

    def due(self) -> Due:
        """What this tick does; called once a tick, because patience and dryness are counted in ticks."""
        current = self.current
        if current is None:
            return Due.NOTHING
        if self.frame_ready():
            self._dry_ticks = 0
            return Due.FRAME
        if current.audio.frame_complete(current.next_frame, 0):
            self._dry_ticks = 0
            if self._impatient or self._patience == 0:
                self._impatient = True  # no audio came while waiting: the frames behind this one need not wait again
                return Due.FRAME
            self._patience -= 1
            return Due.WAIT if current.started else Due.NOTHING
        self._dry_ticks += 1
        if self._dry_ticks >= DRY_TICKS and not current.narrated:
            self._close(current)
            if self.frame_ready():
                return Due.FRAME
        return Due.STARVED if current.started else Due.NOTHING

    def consume(self) -> Spoken:
        """The next frame has been sent."""
        current = self._queue[0]
        before = _samples_left(current)
        current.next_frame += 1
        self._queued_samples += _samples_left(current) - before
        self._patience = 1
        self._dry_ticks = 0
        return current

    def finished(self) -> Spoken | None:
        """The current utterance, removed, when its last frame has been sent and no audio can follow; else None."""
        current = self.current
        if current is None or not current.audio.ended or current.audio.frame_complete(current.next_frame, 0):
            return None
        self._queue.popleft()
        self._begin()
        return current

    @property
    def _open(self) -> Spoken | None:
        latest = next((queued for queued in reversed(self._queue) if not queued.narrated), None)
        return latest if latest is not None and not latest.audio.ended else None

    @property
    def _limit(self) -> str:
        return f"{self._limit_samples // SAMPLE_RATE_HZ} s"

    def _close(self, spoken: Spoken) -> None:
        before = _samples_left(spoken)
        spoken.audio.end()
        self._queued_samples += _samples_left(spoken) - before
        if not spoken.audio.samples:
            self._queue.remove(spoken)
            if not self._queue:
                self._begin()

    def _begin(self) -> None:
        self._patience = self._start_patience
        self._impatient = False
        self._dry_ticks = 0


def _samples_left(spoken: Spoken) -> int:
    frames = spoken.audio.total_frames
    samples = spoken.audio.samples if frames is None else frames * FRAME_SAMPLES
    return max(0, samples - spoken.next_frame * FRAME_SAMPLES)


def _queue_full(limit: str, taken: int, refused: int) -> QueueFull:
    return QueueFull(
        f"The session's audio queue is full ({limit}): {taken} bytes taken, {refused} refused",
        {"bytes_taken": taken, "bytes_refused": refused},
    )
