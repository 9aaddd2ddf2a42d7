"""Which requests make the next batch, and when it starts. Pure: requests and the time in, a batch or a time out.

Earliest deadline first, at most one frame of each voice: a batch is one frame from each of many sessions. A batch that
is not full waits for company until its first deadline is near, nearer the quicker the card is (`BatchTimes.slack_s`):
sessions tick at different moments, so waiting is what brings them together. However urgent, it follows the last batch
by some ms: on a machine that is behind all frames are urgent, and batches of one would put it further behind.

Dropped are requests that nobody waits for any more: interrupted ones, and expired ones. A request is expired when its
session has shown its tick, the grace included, and its batch had not started. The session then holds the last mouth on
the base picture, consumes no audio and asks for the same frame again, for the base picture of the next tick, *under the
deadline that the frame had first*.

That last rule is why nobody is starved. A session has one request at a time, and what it asks for after it was served
has a deadline later than all that have passed. So a frame that is late is behind at most one request of each other
session, and after `ceil(sessions / batch size)` batches it is on its way. Asked again under the next tick's deadline it
could be passed over for ever by sessions whose ticks fall a little better.
"""

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Generic, Protocol, TypeVar

from ws_service.generation.batch_times import BatchTimes

INTERVAL_S = 0.008
"""From the start of a batch to the start of the next that is not full: less than a late frame's grace."""


class Job(Protocol):
    """What the policy looks at."""

    deadline_s: float

    @property
    def dropped(self) -> bool:
        """Nobody waits for it: to be forgotten."""
        ...

    @property
    def voice(self) -> object:
        """Whose frame it is; told apart by identity."""
        ...


J = TypeVar("J", bound=Job)


class BatchPolicy(Generic[J]):
    """The waiting requests. `times`: what batches take, replaced once it is measured.

    `max_batch` is asked for each time, because an engine that runs out of memory takes smaller ones from then on.
    """

    def __init__(self, times: BatchTimes | None = None) -> None:
        self.times = times or BatchTimes()
        self._order = count()
        self._waiting: list[tuple[float, int, J]] = []
        self._started_s = -inf

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: J) -> None:
        """A new request."""
        heappush(self._waiting, (job.deadline_s, next(self._order), job))

    def starts_s(self, max_batch: int) -> float | None:
        """When the next batch should start; None when nothing waits. A full batch starts at once (time 0)."""
        while self._waiting and self._waiting[0][2].dropped:
            heappop(self._waiting)
        limit = self.times.limit(max_batch)
        if len(self._waiting) >= limit:
            self._forget_dropped()  # looked through only where it decides: a batch is about to go
        if not self._waiting:
            return None
        if len(self._waiting) >= limit:
            return 0.0
        urgent_s = self._waiting[0][0] - self.times.slack_s(len(self._waiting))
        return max(urgent_s, self._started_s + INTERVAL_S)

    def started(self, now_s: float) -> None:
        """A batch is on its way."""
        self._started_s = now_s

    def take(self, max_batch: int) -> list[J]:
        """The next batch, most urgent first; removed from the waiting ones."""
        self._forget_dropped()
        size = self.times.size(len(self._waiting), max_batch)
        batch: list[J] = []
        voices: set[int] = set()
        later: list[tuple[float, int, J]] = []
        while self._waiting and len(batch) < size:
            entry = heappop(self._waiting)
            voice = id(entry[2].voice)
            if voice in voices:
                later.append(entry)
            else:
                voices.add(voice)
                batch.append(entry[2])
        for entry in later:
            heappush(self._waiting, entry)
        return batch

    def _forget_dropped(self) -> None:
        if any(job.dropped for _, _, job in self._waiting):
            self._waiting = [entry for entry in self._waiting if not entry[2].dropped]
            heapify(self._waiting)
