"""When a broken engine is made anew, how long to wait before that, and when to give up. Pure; reads no clock.

An engine that keeps breaking gets ever longer waits and in the end none at all: then only a new process can help. One
that has worked for a while in between starts with a clean record, so that a fault once a day never adds up.
"""

from collections.abc import Sequence

REBUILD_WAITS_S = (0.0, 1.0, 2.0, 5.0, 10.0)
SOUND_BATCHES = 50  # two seconds of speech


class RebuildPlan:
    """Counts breaks since the engine last worked well."""

    def __init__(self, waits_s: Sequence[float] = REBUILD_WAITS_S, sound_batches: int = SOUND_BATCHES) -> None:
        """`waits_s`: before each attempt; their number is that of the attempts."""
        self._waits_s = tuple(waits_s)
        self._sound_batches = sound_batches
        self._attempts = 0
        self._batches = 0

    @property
    def attempts(self) -> int:
        """How often the engine was made anew, or was tried to be, since it last worked well."""
        return self._attempts

    def worked(self) -> None:
        """The engine made a batch."""
        self._batches += 1
        if self._batches >= self._sound_batches:
            self._attempts = 0

    def broke(self) -> float | None:
        """It broke, or could not be made: seconds to wait before it is made again; None: give up."""
        self._batches = 0
        if self._attempts >= len(self._waits_s):
            return None
        wait_s = self._waits_s[self._attempts]
        self._attempts += 1
        return wait_s
