"""How many speakers this very card carries: what to measure, and what follows from it.

Before the service is ready, loud noise is generated in batches of every size on the engine's own thread. A fifth of
what the card can do is kept back: batches do not fall together as they would for the best rate, and other work wants
its turn. Owns the arithmetic and the order of the measurement; the scheduler runs the batches.
"""

from dataclasses import dataclass, field
from statistics import median

import numpy as np

from models.interface import FRAME_SAMPLES, BaseFrame, LipSyncEngine, SpeechFrame, Voice
from models.prepared_avatar import PreparedAvatar
from ws_service.generation.batch_times import BUCKETS, TICK_S, BatchTimes

KEPT_BACK = 0.2
TIMED_RUNS = 3
_SLOW_RUN_S = 0.1  # one such run says enough
_NOISE_AMPLITUDE = 0.3  # loud: silence may cost an engine nothing


def full_rate_speakers(times: BatchTimes, max_batch: int) -> int | None:
    """How many sessions may speak at 25 generated frames a second; at least 1; None where nothing was measured."""
    frames = times.frames_per_tick(max_batch)
    return None if frames is None else max(1, int(frames * (1 - KEPT_BACK) + 1e-6))


@dataclass(slots=True)
class Measurement:
    """Which batch to run next, given what the ones before took. Ascending sizes, each run once for nothing first.

    Sizes that take longer than a tick end it: larger ones would never be used. So it is over in a fraction of a second,
    or, where an engine is as slow as that, after two batches.
    """

    max_batch: int
    _sizes: list[int] = field(init=False)
    _runs_s: list[float] = field(init=False, default_factory=list)  # of the present size, the first one included
    _measured: dict[int, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._sizes = [size for size in BUCKETS if size < self.max_batch] + [self.max_batch]

    @property
    def next_size(self) -> int | None:
        """Frames of the next batch; None when all is measured."""
        return self._sizes[0] if self._sizes else None

    def took(self, seconds: float) -> None:
        """That batch took so long."""
        self._runs_s.append(seconds)
        timed_s = self._runs_s[1:]
        if len(timed_s) == TIMED_RUNS or (timed_s and timed_s[0] >= _SLOW_RUN_S):
            result_s = median(timed_s)
            self._measured[self._sizes.pop(0)] = max(result_s, 1e-6)
            self._runs_s = []
            if result_s > TICK_S:
                self._sizes = []

    def times(self) -> BatchTimes:
        """What was found; a size never takes less than a smaller one."""
        seconds = np.maximum.accumulate(list(self._measured.values())).tolist()
        return BatchTimes(tuple(self._measured), tuple(seconds))


class NoiseSource:
    """Frames of loud noise on an avatar, each of a voice of its own: an engine works on them as it does on speech."""

    def __init__(self, engine: LipSyncEngine, avatar: PreparedAvatar) -> None:
        self._engine = engine
        self._avatar = avatar
        self._video = next(iter(avatar.videos.values()))
        self._random = np.random.default_rng(0)
        self._voices: list[Voice] = []

    def frames(self, count: int) -> list[SpeechFrame]:
        """The next frame of each of `count` voices."""
        self._voices += [self._engine.new_voice() for _ in range(count - len(self._voices))]
        samples = self._engine.past_samples + FRAME_SAMPLES + self._engine.future_samples
        noise = self._random.uniform(-_NOISE_AMPLITUDE, _NOISE_AMPLITUDE, (count, samples)).astype(np.float32)
        pictures = len(self._video.pictures)
        return [
            SpeechFrame(voice, window, self._avatar, BaseFrame(self._video.name, place % pictures))
            for place, (voice, window) in enumerate(zip(self._voices[:count], noise, strict=True))
        ]
