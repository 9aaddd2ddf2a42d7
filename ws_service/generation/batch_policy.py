"""Which requests make the next batch, and when it starts. Pure: requests and the time in, a batch or a time out.

Earliest deadline first. A session has at most one frame in work, so a batch holds at most one frame of each. A batch
that is not full waits for company until the earliest deadline is `slack_s` away: sessions tick at different moments,
so waiting is what brings them together.
"""

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar


class Job(Protocol):
    """What the policy looks at."""

    deadline_s: float

    @property
    def dropped(self) -> bool:
        """Cancelled: to be forgotten."""
        ...


J = TypeVar("J", bound=Job)


class BatchPolicy(Generic[J]):
    """The waiting requests. `slack_s`: how long before its deadline a request must be on its way."""

    def __init__(self, max_batch: int, slack_s: float) -> None:
        self._max_batch = max_batch
        self._slack_s = slack_s
        self._order = count()
        self._waiting: list[tuple[float, int, J]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: J) -> None:
        """A new request."""
        heappush(self._waiting, (job.deadline_s, next(self._order), job))

    def starts_s(self) -> float | None:
        """When the next batch should start; None when nothing waits. A full batch starts at once (time 0)."""
        self._forget_dropped()
        if not self._waiting:
            return None
        if len(self._waiting) >= self._max_batch:
            return 0.0
        return self._waiting[0][0] - self._slack_s

    def take(self) -> list[J]:
        """The next batch, most urgent first; removed from the waiting ones."""
        self._forget_dropped()
        return [heappop(self._waiting)[2] for _ in range(min(self._max_batch, len(self._waiting)))]

    def _forget_dropped(self) -> None:
        if any(job.dropped for _, _, job in self._waiting):
            self._waiting = [entry for entry in self._waiting if not entry[2].dropped]
            heapify(self._waiting)
