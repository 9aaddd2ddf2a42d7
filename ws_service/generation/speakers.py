"""Who speaks now, and at what rate. Pure; the scheduler says how many the card carries.

Up to `full_rate` speakers, each frame is generated. Up to twice as many, every second frame of each: the other one
shows the mouth before it, and half of the speakers have their turn in even ticks, half in odd ones. Beyond that, new
speech is refused. Whoever does not speak needs no place, and a place once had is kept until its speech is over.
"""

from ws_service.errors import SpeakersFull
from ws_service.generation.batch_times import TICK_S


class Speakers:
    """The places of one engine. `full_rate`: how many it carries at 25 frames a second; None: not known, no limit."""

    def __init__(self) -> None:
        self.full_rate: int | None = None
        self.refused_total = 0
        self._count = 0
        self._of_parity = [0, 0]  # speakers whose frames are generated in even and in odd ticks

    def __len__(self) -> int:
        return self._count

    @property
    def limit(self) -> int | None:
        """How many may speak, at whatever rate."""
        return None if self.full_rate is None else 2 * self.full_rate

    @property
    def at_half_rate(self) -> bool:
        """More speak than the card carries at the full rate."""
        return self.full_rate is not None and self._count > self.full_rate

    def enter(self, *, asked_before: bool = False) -> "SpeakerPlace":
        """A place for a session that begins to speak. Raises `SpeakersFull`.

        `asked_before`: for the same speech, whose refusal has been counted.
        """
        limit = self.limit
        if limit is not None and self._count >= limit:
            self.refused_total += not asked_before
            raise SpeakersFull(
                f"{limit} sessions speak now and no more can; this utterance is dropped, try again with the next one",
                {"speakers_limit": limit},
            )
        self._count += 1
        return SpeakerPlace(self)

    def _leave(self, parity: int | None) -> None:
        self._count -= 1
        if parity is not None:
            self._of_parity[parity] -= 1

    def _parity(self, present: int | None) -> int:
        """Even or odd ticks for a speaker: as it is, unless the others' are fuller by more than one."""
        of = self._of_parity
        if present is not None and of[present] <= of[1 - present] + 1:
            return present
        if present is not None:
            of[present] -= 1
        chosen = 0 if of[0] <= of[1] else 1
        of[chosen] += 1
        return chosen


class SpeakerPlace:
    """One session's place. `leave` it when its speech is over."""

    def __init__(self, speakers: Speakers) -> None:
        self._speakers = speakers
        self._origin_s: float | None = None  # one of the session's ticks; all others lie whole ticks from it
        self._parity: int | None = None
        self._left = False

    def generates(self, deadline_s: float) -> bool:
        """The frame of this tick is to be generated, not held.

        Ticks are told apart by the clock that all sessions share, so that at half rate the load is even.
        """
        if not self._speakers.at_half_rate:
            return True
        if self._origin_s is None:
            self._origin_s = deadline_s
        self._parity = self._speakers._parity(self._parity)
        origin_tick = int(self._origin_s / TICK_S)
        tick = origin_tick + round((deadline_s - self._origin_s) / TICK_S)
        return tick % 2 == self._parity

    def leave(self) -> None:
        """Give the place up; again is free."""
        if not self._left:
            self._left = True
            self._speakers._leave(self._parity)
