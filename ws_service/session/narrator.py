"""Makes the sound of texts and posts it into sessions' inboxes, a sentence at a time, no further ahead than needed.

Owns a task for each text until all its sound is posted. Changes no session: that is the actor's alone.
"""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import uuid4

import structlog

from protocol.timing import SAMPLE_RATE_HZ
from ws_service.errors import InvalidMessage, ServiceError, SessionNotFound
from ws_service.session.actor import SessionActor
from ws_service.session.narration import NarratedSound, Narration
from ws_service.speech.sentences import split_sentences
from ws_service.speech.synthesizer import Synthesizer

AHEAD_S = 5.0  # a sentence is begun when less than this is queued before it: time enough for a slow voice


@dataclass(frozen=True, slots=True)
class Accepted:
    """What becomes of a text. `interrupted`: all speech was dropped before its first sound; it will not be heard."""

    utterance_id: str
    interrupted: bool


class Narrator:
    """One voice for all sessions."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self.synthesizer = synthesizer

    async def speak(self, session: SessionActor, text: str, voice: str, *, interrupt: bool) -> Accepted:
        """Speak behind what is queued, or in its stead. Returns when the first sound is queued, or it is interrupted.

        Raises `InvalidMessage` for a text without a sound, and what the voice or the session's queue raise;
        `SessionNotFound` when the session ended before that.
        """
        sentences = split_sentences(text)
        if not sentences:
            raise InvalidMessage("text: there is nothing in it that can be spoken", {"path": "text"})
        narration = Narration(str(uuid4()), text, self.synthesizer.sample_rate_hz, interrupt=interrupt)
        await session.inbox.put(narration)
        narration.task = asyncio.create_task(self._narrate(session, narration, sentences, voice), name="narration")
        begun = await asyncio.shield(narration.begun)
        return Accepted(narration.utterance_id, interrupted=not begun)

    async def _narrate(self, session: SessionActor, narration: Narration, sentences: list[str], voice: str) -> None:
        error: ServiceError | None = None
        try:
            for sentence in sentences:
                await _until_wanted(session, narration)
                async with aclosing(self.synthesizer.speak(sentence, voice)) as pieces:
                    async for pcm in pieces:
                        if pcm:
                            await session.inbox.put(NarratedSound(narration, pcm))
                            await asyncio.wait([narration.begun])
        except ServiceError as failed:
            error = failed
        except Exception as failed:
            structlog.get_logger().error("voice failed", session_id=session.session_id, exc_info=failed)
            error = ServiceError("The voice failed inside the service")
        with suppress(SessionNotFound):  # the actor has dropped it
            await session.inbox.put(NarratedSound(narration, ended=True, error=error))


async def _until_wanted(session: SessionActor, narration: Narration) -> None:
    """Return when the speech queue will soon need more of it."""
    speech = session.conversation.speech
    while narration.spoken is not None:
        too_early_s = speech.samples_through(narration.spoken) / SAMPLE_RATE_HZ - AHEAD_S
        if too_early_s <= 0:
            return
        await asyncio.sleep(too_early_s)
