"""Finds out that the engine is lost or hangs: then no session of this process can speak any more.

The decision is a plain class; `engine_failure` is the loop around it. Ends nothing itself.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

LOOK_INTERVAL_S = 0.5
REBUILD_TIMEOUT_S = 600.0  # gigabytes of weights from a slow disk


class Watchdog:
    """For how long has one piece of work been in hand?

    Only time that was watched counts: where the whole process stood still (a paused machine, a debugger), the work did
    so too and gets its time once both go on.
    """

    def __init__(self, timeout_s: float, look_interval_s: float = LOOK_INTERVAL_S) -> None:
        self._timeout_s = timeout_s
        self._most_per_look_s = 2 * look_interval_s
        self._work_since_s: float | None = None
        self._looked_s = 0.0
        self._watched_s = 0.0

    def overdue(self, now_s: float, busy_since_s: float | None) -> bool:
        """Look once. `busy_since_s`: when the work in hand was begun; None: there is none."""
        if busy_since_s is None or busy_since_s != self._work_since_s:
            self._watched_s = 0.0
        else:
            self._watched_s += min(now_s - self._looked_s, self._most_per_look_s)
        self._work_since_s = busy_since_s
        self._looked_s = now_s
        return self._watched_s >= self._timeout_s


class WatchedEngine(Protocol):
    """What the engine says of itself."""

    @property
    def lost(self) -> str | None:
        """Why it is lost for good, or None."""
        ...

    @property
    def rebuilding_since_s(self) -> float | None:
        """When the making of another engine was begun."""
        ...


async def engine_failure(
    engine: WatchedEngine,
    busy_since_s: Callable[[], float | None],
    batch_timeout_s: float,
    rebuild_timeout_s: float = REBUILD_TIMEOUT_S,
    clock: Callable[[], float] = monotonic,
) -> str:
    """Returns, once it is so, why the engine will not speak again in this process.

    `busy_since_s`: when the batch in work was begun, by `clock`.
    """
    batch, rebuild = Watchdog(batch_timeout_s), Watchdog(rebuild_timeout_s)
    while True:
        if engine.lost is not None:
            return f"the engine is lost: {engine.lost}"
        now_s = clock()
        if batch.overdue(now_s, busy_since_s()):
            return f"the engine hangs: a batch has taken more than {batch_timeout_s:g} s (ENGINE_TIMEOUT_S)"
        if rebuild.overdue(now_s, engine.rebuilding_since_s):
            return f"the engine hangs: making it anew has taken more than {rebuild_timeout_s:g} s"
        await asyncio.sleep(LOOK_INTERVAL_S)
