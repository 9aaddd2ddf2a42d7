"""Times work on a device: nothing is queued when the clock starts, all is done when it stops.

Works that are to be compared run in turns, so that a card that grows warm or a machine that is busy for a while slows
them all alike; the median of each is what counts.
"""

import statistics
import time
from collections.abc import Callable

import torch

Work = Callable[[], object]

_WARM_UP_RUNS = {"cuda": 3, "cpu": 1}  # a GPU picks kernels and fills caches first
_LEAST_RUNS = 3


class DeviceClock:
    """Runs works in turns, at most `most_runs` times each and for about `budget_s` each, but three times at least."""

    def __init__(self, device: torch.device, budget_s: float = 1.0, most_runs: int = 50) -> None:
        self.device = device
        self._budget_s = budget_s
        self._most_runs = most_runs

    def once_ms(self, work: Work) -> float:
        """Wall-clock time of one run, from an idle device to an idle device."""
        self._wait()
        began_s = time.perf_counter()
        work()
        self._wait()
        return (time.perf_counter() - began_s) * 1000

    def medians_ms(self, *works: Work) -> list[float]:
        """The median time of each work, after a warm-up; they run in turns."""
        for _ in range(_WARM_UP_RUNS[self.device.type]):
            for work in works:
                self.once_ms(work)
        seen: list[list[float]] = [[] for _ in works]
        until_s = time.perf_counter() + self._budget_s * len(works)
        while len(seen[0]) < _LEAST_RUNS or (len(seen[0]) < self._most_runs and time.perf_counter() < until_s):
            for times, work in zip(seen, works, strict=True):
                times.append(self.once_ms(work))
        return [statistics.median(times) for times in seen]

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
