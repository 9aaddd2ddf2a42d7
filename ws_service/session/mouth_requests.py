"""The one frame of speech that a session has at the engine: asked for ahead of its tick, dropped on interrupt.

Also decides how it is asked for: under the first deadline it had, when it was late; with the whole utterance, when that
is complete before its first frame is due; not at all, when more sessions speak than the engine carries at full rate and
it is this frame's turn to show the mouth before it.
"""

import asyncio
from dataclasses import dataclass

from models.interface import BaseFrame, Mouth, SpeechFrame
from models.prepared_avatar import PreparedAvatar
from protocol.timing import SAMPLE_RATE_HZ
from ws_service.generation.request import PendingMouth
from ws_service.session.interfaces import MouthSource
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import SpeechQueue, Spoken
from ws_service.session.timeline import Timeline

MOUTH_GRACE_S = 0.012  # how far into its tick a frame still waits for its mouth before the last one is held
LONGEST_WHOLE_SAMPLES = 60 * SAMPLE_RATE_HZ  # reading a longer one at once would make other sessions' ticks late


@dataclass(slots=True)
class _Frame:
    """A frame of an utterance, asked for or shown. `deadline_s`: the first tick that wanted it."""

    spoken: Spoken
    index: int
    deadline_s: float
    asked_s: float
    mouth: PendingMouth | None = None
    whole: bool = False  # asked for with the whole utterance

    def is_next(self, spoken: Spoken | None) -> bool:
        return self.spoken is spoken and self.index == self.spoken.next_frame


class MouthRequests:
    """Requests to the engine for one session's speech, one at a time and in order."""

    def __init__(self, source: MouthSource, speech: SpeechQueue, place: SpeakingPlace) -> None:
        self._source = source
        self._speech = speech
        self._place = place
        self._pending: _Frame | None = None
        self._late: _Frame | None = None  # was due, and its batch had not even started
        self._repeat: _Frame | None = None  # shows the mouth of the frame before it
        self._last: tuple[Spoken, int, Mouth] | None = None  # the newest generated frame

    def ask_ahead(self, avatar: PreparedAvatar, timeline: Timeline, deadline_s: float) -> None:
        """Ask for the next frame's mouth once its audio is complete, so that it is ready at its tick.

        What was asked for speech that has been dropped since is dropped, too.
        """
        current = self._speech.current
        if self._pending is not None and self._pending.spoken is not current:
            self.drop()
        if current is None:
            self._last = None
            return
        pending = self._pending
        if pending is not None and not pending.whole and self._heard_whole(current):
            self._withdraw(pending)  # SPEAK_END came behind it: the same frame, with the whole utterance
        if self._may_ask(current) and self._speech.frame_ready():
            self._ask(current, avatar, timeline, deadline_s)

    def read_ahead(self) -> bool:
        """About a millisecond of work towards the whole utterance, for an engine that uses it; False: nothing to do."""
        if not self._source.whole_utterances:
            return False
        current = self._speech.current
        return current is not None and current.next_frame == 0 and current.audio.read_ahead()

    async def take(self, avatar: PreparedAvatar, timeline: Timeline, now_s: float) -> Mouth | None:
        """The mouth of the frame that is due now; None when the engine is late. Raises `ProcessingFailed`."""
        current = self._speech.current
        if current is None:
            return None
        if self._may_ask(current):
            self._ask(current, avatar, timeline, now_s)
        if self._repeats(current) and self._last is not None:
            self._repeat = None
            return self._last[2]
        pending = self._pending
        if pending is None or pending.mouth is None or self._begins_later(pending):
            return None
        if not pending.mouth.done():
            await asyncio.wait([pending.mouth], timeout=MOUTH_GRACE_S)
        if not pending.mouth.done():
            self._withdraw(pending)
            return None
        self._pending = self._late = None
        mouth = pending.mouth.result()
        self._last = (pending.spoken, pending.index, mouth)
        return mouth

    def drop(self) -> None:
        """Nobody wants it any more."""
        if self._pending is not None and self._pending.mouth is not None:
            self._pending.mouth.cancel()
        self._pending = self._late = self._repeat = self._last = None

    def _withdraw(self, pending: _Frame) -> None:
        """Take it back, to ask for it anew with its place in the order kept; not what is in work already."""
        if pending.mouth is not None and not pending.mouth.started:
            pending.mouth.cancel()
            self._pending, self._late = None, pending

    def _ask(self, spoken: Spoken, avatar: PreparedAvatar, timeline: Timeline, deadline_s: float) -> None:
        asked = _Frame(spoken, spoken.next_frame, deadline_s, asyncio.get_running_loop().time())
        # never two in a row: an utterance begins with a generated frame and goes on with one after each repeated one
        follows = self._last is not None and self._last[0] is spoken and self._last[1] == asked.index - 1
        if follows and not self._place.generates(deadline_s):
            self._repeat, self._late = asked, None
            return
        if self._late is not None and self._late.is_next(spoken):
            asked.deadline_s = self._late.deadline_s
        if spoken.voice is None:
            spoken.voice = self._source.new_voice()
        audio, asked.whole = spoken.audio, self._heard_whole(spoken)
        frame = SpeechFrame(
            spoken.voice,
            audio.window(asked.index, self._source.past_samples, self._source.future_samples),
            avatar,
            BaseFrame(*timeline.peek()),
            index=asked.index,
            utterance=audio.window(0, 0, audio.samples)[: audio.samples] if asked.whole else None,
            utterance_samples=audio.samples if audio.ended else None,
        )
        asked.mouth = self._source.submit(frame, asked.deadline_s)
        self._pending = asked

    def _may_ask(self, current: Spoken) -> bool:
        """Nothing is asked for yet, and nothing is to be waited for."""
        if self._pending is not None or self._repeats(current):
            return False
        return current.audio.all_read or not self._heard_whole(current)

    def _begins_later(self, pending: _Frame) -> bool:
        """Live speech whose frames would all come too near to their ticks begins a tick later, so that none is late.

        Each frame of live speech is asked for when its look-ahead comes in, as long before its tick as the first one.
        """
        audio = pending.spoken.audio
        if pending.index > 0 or audio.ended or audio.frame_complete(1, self._source.future_samples):
            return False
        asked_before_s = asyncio.get_running_loop().time() - pending.asked_s
        return asked_before_s + MOUTH_GRACE_S < self._source.turn_s

    def _heard_whole(self, spoken: Spoken) -> bool:
        """The engine is to hear the whole utterance: it is complete, and its first frame has not been shown."""
        audio = spoken.audio
        return (
            self._source.whole_utterances
            and spoken.next_frame == 0
            and audio.ended
            and audio.samples <= LONGEST_WHOLE_SAMPLES
        )

    def _repeats(self, current: Spoken) -> bool:
        return self._repeat is not None and self._repeat.is_next(current)
