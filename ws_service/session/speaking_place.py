"""Whether this session may speak: its place among all that do, and what becomes of speech that got none. Pure.

A place is asked for with the first audio of an utterance that nothing is queued before, and kept until the queue is
empty again. Where none is free the client is told once, and the whole utterance is dropped: to begin in its middle, as
soon as there is room, would be worse than not to. What comes after SPEAK_END or INTERRUPT, under another `utterance_id`
or after 350 ms without audio is a new utterance and asks anew.
"""

from ws_service.errors import SpeakersFull
from ws_service.session.interfaces import MouthSource, Place
from ws_service.session.speech import DRY_TICKS


class SpeakingPlace:
    """One session's place. Its methods are called by the session alone."""

    def __init__(self, source: MouthSource) -> None:
        self._source = source
        self._place: Place | None = None
        self._refusing = False
        self._refused_id: str | None = None
        self._quiet_ticks = 0

    def admits(self, utterance_id: str | None) -> bool:
        """Audio has come: may it be spoken? False: it belongs to an utterance that was refused before.

        Raises `SpeakersFull` with the first audio of an utterance that there is no place for.
        """
        if self._place is not None:
            return True
        if self._refusing and utterance_id in (None, self._refused_id):
            self._quiet_ticks = 0
            return False
        try:
            self._place = self._source.new_speaker()
        except SpeakersFull:
            self._refusing, self._refused_id, self._quiet_ticks = True, utterance_id, 0
            raise
        self._refusing = False
        return True

    def admits_narration(self) -> None:
        """The service's own voice is about to speak. Raises `SpeakersFull`; a client's utterance is not concerned."""
        if self._place is None:
            self._place = self._source.new_speaker()

    def utterance_ended(self) -> None:
        """What comes next is another utterance."""
        self._refusing = False

    def tick(self) -> None:
        """One tick has passed: an utterance that nobody ends is over after 350 ms without audio."""
        if self._refusing:
            self._quiet_ticks += 1
            self._refusing = self._quiet_ticks < DRY_TICKS

    def generates(self, deadline_s: float) -> bool:
        """The frame of this tick is to be generated; False: at half rate it shows the mouth before it."""
        return self._place is None or self._place.generates(deadline_s)

    def leave(self) -> None:
        """Nothing is left to be spoken."""
        if self._place is not None:
            self._place.leave()
            self._place = None
