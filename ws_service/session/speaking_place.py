"""Whether this session may speak: its place among all that do, and what becomes of speech that got none. Pure.

A place is asked for with the first audio of an utterance that nothing is queued before, and kept until the queue is
empty again. Where none is free the client is told once, and the whole utterance is dropped: to begin in its middle, as
soon as there is room, would be worse than not to. What comes after SPEAK_END or INTERRUPT, under another `utterance_id`
or after 350 ms without audio is a new utterance and asks anew. Speech without an `utterance_id` may be a microphone
that is never switched off: as long as it goes on it asks anew each second, tells nothing, and may begin in its middle.
"""

from protocol.timing import FRAME_MS
from ws_service.errors import SpeakersFull
from ws_service.session.interfaces import MouthSource, Place
from ws_service.session.speech import DRY_TICKS

RETRY_TICKS = 1000 // FRAME_MS  # a second


class SpeakingPlace:
    """One session's place. Its methods are called by the session alone."""

    def __init__(self, source: MouthSource) -> None:
        self._source = source
        self._place: Place | None = None
        self._refusing = False
        self._refused_id: str | None = None
        self._quiet_ticks = 0
        self._ticks_since_try = 0

    def admits(self, utterance_id: str | None) -> bool:
        """Audio has come: may it be spoken? False: it belongs to an utterance that was refused before.

        Raises `SpeakersFull` with the first audio of an utterance that there is no place for.
        """
        if self._place is not None:
            return True
        goes_on = self._refusing and utterance_id in (None, self._refused_id)
        if goes_on:
            self._quiet_ticks = 0
            if self._refused_id is not None or self._ticks_since_try < RETRY_TICKS:
                return False
        self._ticks_since_try = 0
        try:
            self._place = self._source.new_speaker(asked_before=goes_on)
        except SpeakersFull:
            if goes_on:
                return False
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
            self._ticks_since_try += 1
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
