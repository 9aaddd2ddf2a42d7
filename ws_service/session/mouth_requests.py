"""The one frame of speech that a session has at the engine: asked for ahead of its tick, dropped on interrupt."""

import asyncio

from models.interface import BaseFrame, Mouth, SpeechFrame
from models.prepared_avatar import PreparedAvatar
from ws_service.session.interfaces import MouthSource
from ws_service.session.speech import SpeechQueue, Spoken
from ws_service.session.timeline import Timeline

MOUTH_GRACE_S = 0.012  # how far into its tick a frame still waits for its mouth before the last one is held


class MouthRequests:
    """Requests to the engine for one session's speech, one at a time and in order."""

    def __init__(self, source: MouthSource, speech: SpeechQueue) -> None:
        self._source = source
        self._speech = speech
        self._pending: tuple[Spoken, asyncio.Future[Mouth]] | None = None

    def ask_ahead(self, avatar: PreparedAvatar, timeline: Timeline, deadline_s: float) -> None:
        """Ask for the next frame's mouth once its audio is complete, so that it is ready at its tick.

        What was asked for speech that has been dropped since is dropped, too.
        """
        if self._pending is not None and self._pending[0] is not self._speech.current:
            self.drop()
        if self._pending is None and self._speech.frame_ready():
            self._ask(avatar, timeline, deadline_s)

    async def take(self, avatar: PreparedAvatar, timeline: Timeline, now_s: float) -> Mouth | None:
        """The mouth of the frame that is due now; None when the engine is late. Raises `ProcessingFailed`."""
        if self._pending is None:
            self._ask(avatar, timeline, now_s)
        if self._pending is None:
            return None
        mouth = self._pending[1]
        if not mouth.done():
            await asyncio.wait([mouth], timeout=MOUTH_GRACE_S)
        if not mouth.done():
            return None
        self._pending = None
        return mouth.result()

    def drop(self) -> None:
        """Nobody wants it any more."""
        if self._pending is not None:
            self._pending[1].cancel()
            self._pending = None

    def _ask(self, avatar: PreparedAvatar, timeline: Timeline, deadline_s: float) -> None:
        spoken = self._speech.current
        if spoken is None:
            return
        if spoken.voice is None:
            spoken.voice = self._source.new_voice()
        window = spoken.audio.window(spoken.next_frame, self._source.past_samples, self._source.future_samples)
        frame = SpeechFrame(
            spoken.voice,
            window,
            avatar,
            BaseFrame(*timeline.peek()),
            index=spoken.next_frame,
            utterance_samples=spoken.audio.samples if spoken.audio.ended else None,
        )
        self._pending = (spoken, self._source.submit(frame, deadline_s))
