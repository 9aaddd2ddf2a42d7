"""When the next frame is due: a 40 ms grid on the monotonic clock. Pure; the actor waits, the pacer counts."""

from protocol.timing import FRAME_MS

PERIOD_S = FRAME_MS / 1000


class Pacer:
    """Deadline n is `start + n * 40 ms`, so nothing drifts.

    Late by less than two periods, the grid holds and the next frames come a little sooner. Later than that, the grid
    starts anew from now: the deadlines that were missed are counted, nothing bursts, no frame is skipped.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._tick = 0

    @property
    def deadline_s(self) -> float:
        """When the next frame is due, in seconds of the clock that `start_s` was read from."""
        return self._start_s + self._tick * PERIOD_S

    def advance(self, now_s: float) -> int:
        """The frame that was due is being made at `now_s`; returns how many deadlines were missed for good."""
        late_s = now_s - self.deadline_s
        if late_s < 2 * PERIOD_S:
            self._tick += 1
            return 0
        self._start_s = now_s
        self._tick = 1
        return int(late_s / PERIOD_S)
