"""Text that the service's own voice speaks into a session: from the inbox to the speech queue. Pure, but for a future.

A `Narration` comes into the inbox like a client's message, at once, so that an INTERRUPT behind it drops it; its sound
follows as it is made. It takes its place in the speech queue with the first sound, behind all that is queued then, but
not before a text that was asked for earlier: its first piece is held back until they have begun or are dropped.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from ws_service.errors import QueueFull, ServiceError, SessionNotFound, VoiceFailed
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import SpeechQueue, Spoken

MAX_NARRATIONS = 16  # of one session at a time: each may hold a sentence of sound beyond the queue's limit


class Narration:
    """One text. Only the session's actor changes it; `task`, which makes the sound, is cancelled when it is dropped."""

    def __init__(self, utterance_id: str, text: str, sample_rate_hz: int, *, interrupt: bool) -> None:
        self.utterance_id = utterance_id
        self.text = text
        self.sample_rate_hz = sample_rate_hz
        self.interrupt = interrupt
        self.task: asyncio.Task[None] | None = None
        self.held_pcm = b""  # its first piece, until it is its turn
        self.spoken: Spoken | None = None
        self.begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # False: interrupted before

    def drop(self, reason: ServiceError | None = None) -> None:
        """It will not be spoken, or not to its end: for that `reason`, or because all speech is dropped."""
        if not self.begun.done():
            if reason is None:
                self.begun.set_result(False)
            else:
                self.begun.set_exception(reason)
        if self.task is not None:
            self.task.cancel()


@dataclass(frozen=True, slots=True)
class NarratedSound:
    """The next piece of its sound, mono s16le of any length. `ended`: the last one; `error`: why it is the last."""

    narration: Narration
    pcm: bytes = b""
    ended: bool = False
    error: ServiceError | None = None


class Narrations:
    """The texts of one session that are not wholly in its speech queue yet."""

    def __init__(self, speech: SpeechQueue, place: SpeakingPlace) -> None:
        self._speech = speech
        self._place = place
        self._open: list[Narration] = []

    def has(self, narration: Narration) -> bool:
        """It has not been dropped."""
        return narration in self._open

    def add(self, narration: Narration) -> None:
        """It was asked for; its sound will come. Where too many wait it is dropped instead."""
        if len(self._open) >= MAX_NARRATIONS:
            narration.drop(QueueFull(f"{MAX_NARRATIONS} texts wait to be spoken in this session already"))
        else:
            self._open.append(narration)

    def next_ready(self) -> Narration | None:
        """Whose turn it is to begin: the first one's, once it has sound; one that cuts in waits for nobody."""
        waiting = [narration for narration in self._open if narration.spoken is None]
        ready = [n for n in waiting if n.held_pcm and (n.interrupt or n is waiting[0])]
        return ready[0] if ready else None

    def may_begin(self, narration: Narration) -> bool:
        """There is a place for a speaker, taken herewith; else the narration is dropped."""
        try:
            self._place.admits_narration()
        except ServiceError as refusal:
            self._refuse(narration, refusal)
            return False
        return True

    def begin(self, narration: Narration) -> None:
        """Give it its place in the queue, with the sound that was held back, or drop it."""
        if not self.has(narration) or not self.may_begin(narration):
            return
        try:
            narration.spoken = self._speech.begin_narrated(narration.utterance_id, narration.text)
        except ServiceError as refusal:
            self._refuse(narration, refusal)
            return
        self._speech.push_narrated(narration.spoken, narration.held_pcm, narration.sample_rate_hz)
        narration.held_pcm = b""
        narration.begun.set_result(True)

    def push(self, sound: NarratedSound) -> None:
        """Add sound, or hold it back where it has not begun; end it where that was the last."""
        narration = sound.narration
        if not self.has(narration):
            return
        if narration.spoken is None:
            narration.held_pcm += sound.pcm
        elif sound.pcm:
            self._speech.push_narrated(narration.spoken, sound.pcm, narration.sample_rate_hz)
        if not sound.ended:
            return
        self._open.remove(narration)
        if narration.spoken is not None:
            self._speech.end_narrated(narration.spoken)
        else:
            narration.drop(sound.error or VoiceFailed("The voice has no sound for this text"))

    def drop(self, reason: ServiceError | None = None, *, before: Narration | None = None) -> None:
        """All speech of the session is dropped; with `before` the texts that were asked for earlier than that one."""
        count = len(self._open) if before is None else self._open.index(before)
        dropped, self._open = self._open[:count], self._open[count:]
        for narration in dropped:
            narration.drop(reason)

    def end(self, unread: Iterable[object]) -> None:
        """The session is over; `unread`: the messages left in its inbox."""
        reason = SessionNotFound("The session has ended")
        self.drop(reason)
        for message in unread:
            if isinstance(message, Narration):
                message.drop(reason)

    def _refuse(self, narration: Narration, refusal: ServiceError) -> None:
        self._open.remove(narration)
        narration.drop(refusal)
