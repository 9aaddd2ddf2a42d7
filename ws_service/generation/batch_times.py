"""How long batches take on this very card, and what follows for their sizes and for when they start.

Pure arithmetic over what `capacity` has measured; before that nothing is known and nothing is limited.
"""

from bisect import bisect_left
from dataclasses import dataclass

from protocol.timing import FRAME_MS

BUCKETS = (1, 2, 4, 8, 16, 32)  # the sizes that engines compute; a batch in between costs as much as the next one
TICK_S = FRAME_MS / 1000
LONGEST_BATCH_S = 0.025
"""Who asks just after a batch began waits for it and then for his own: two of them fit into a tick and its grace."""

COMPANY = 4  # speakers from which on it pays to wait for each other
TURN_IN_COMPANY_S = 0.028
"""What live speech among others begins with: sixteen ms before each of its ticks, and the grace of a tick.

With less than that its frames would each make a batch of their own, and alone one costs a CPU three times as much.
"""

SLACK_UNMEASURED_S = 0.016  # of a 40 ms tick; enough for engines that take a few ms
_SLACK_RESERVE_S = 0.004  # the event loop and the encoder want their turn, too
_SLACK_FACTOR = 1.25
_WORTH_SPLITTING_S = 0.004  # handing over a batch more would cost about what a shorter one could save


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """`sizes`: those that were measured, ascending; `seconds`: how long a batch of each took. Both may be empty."""

    sizes: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    def expected_s(self, frames: int) -> float:
        """How long a batch of so many frames takes: as the next size measured, beyond the largest in proportion.

        0 where nothing is known.
        """
        if not self.sizes:
            return 0.0
        place = bisect_left(self.sizes, frames)
        if place < len(self.sizes):
            return self.seconds[place]
        return self.seconds[-1] * frames / self.sizes[-1]

    def slack_s(self, frames: int) -> float:
        """How long before the first deadline a batch of so many frames must start: for a quick engine, just before.

        Each batch reads all weights anew, so that on a CPU six frames together cost what two do alone.
        """
        return _SLACK_FACTOR * self.expected_s(frames) + _SLACK_RESERVE_S if self.sizes else SLACK_UNMEASURED_S

    def turn_s(self, frames: int) -> float:
        """From asking for a frame to its mouth, where so many frames share a batch: the batch in work, and its own.

        Among several speakers at least so long that others can come into the batch.
        """
        turn_s = 2 * min(self.expected_s(frames), LONGEST_BATCH_S)
        return max(turn_s, TURN_IN_COMPANY_S) if self.sizes and frames >= COMPANY else turn_s

    def limit(self, max_batch: int) -> int:
        """The largest batch that may be made: at most `max_batch` frames, within `LONGEST_BATCH_S`; at least 1."""
        if not self.sizes:
            return max_batch
        short = [size for size, seconds in zip(self.sizes, self.seconds, strict=True) if seconds <= LONGEST_BATCH_S]
        largest = short[-1] if short else 1
        return min(largest, max_batch)

    def size(self, waiting: int, max_batch: int) -> int:
        """How many of the frames that wait go into the next batch.

        All that may, unless a full smaller size makes more frames a second than a larger one that would be filled up:
        the rest then soon follow with others. Short batches are never split.
        """
        frames = min(waiting, self.limit(max_batch))
        if not self.sizes:
            return frames
        place = bisect_left(self.sizes, frames)
        if place == 0 or place == len(self.sizes) or self.sizes[place] == frames:
            return frames
        if self.seconds[place] < _WORTH_SPLITTING_S:
            return frames
        smaller = self.sizes[place - 1]
        return smaller if smaller * self.seconds[place] > frames * self.seconds[place - 1] else frames

    def frames_per_tick(self, max_batch: int) -> float | None:
        """The most frames that 40 ms suffice for, in batches that may be made; None where nothing is known."""
        if not self.sizes:
            return None
        limit = self.limit(max_batch)
        rates = [size / seconds for size, seconds in zip(self.sizes, self.seconds, strict=True) if size <= limit]
        return TICK_S * max(rates, default=1 / self.expected_s(1))
