"""Watches one conversation: rules, figures, recording and the ends of utterances, from the events of one client.

Owns no socket: it is fed by `watch`. Must not import the service.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from protocol.server_messages import ErrorMessage, SpeakEnded
from test_client.audio_file import Speech
from test_client.client import AvatarClient
from test_client.decoding import decode_violations
from test_client.errors import ClientError, NotConnected
from test_client.events import ControlEvent, Event, VideoEvent
from test_client.recording import Recording
from test_client.statistics import StreamStatistics
from test_client.stream_rules import StreamRules


class Observation:
    """What is learned of a conversation. Make it just before connecting: the first-frame time counts from here."""

    def __init__(self, *, all_intra: bool = False, audio_out: bool = False) -> None:
        self.rules = StreamRules(all_intra=all_intra, audio_out=audio_out)
        self.statistics = StreamStatistics(connect_began_s=time.monotonic())
        self.recording = Recording()
        self.server_errors: list[str] = []
        self.failure: ClientError | None = None  # what broke the conversation after its first picture
        self._ended: set[str] = set()
        self._changed = asyncio.Event()
        self._over = False

    @asynccontextmanager
    async def of(self, client: AvatarClient) -> AsyncIterator[asyncio.Task[None]]:
        """Connects, watches while the body runs, closes. Gives the watching task, which is done when all is over.

        Raises:
            ClientError: the conversation did not come about. What breaks it later is in `failure`.
        """
        async with client:
            watching = asyncio.create_task(self.watch(client))
            try:
                yield watching
                if watching.done():
                    self.failure = NotConnected(f"The server closed the conversation ({client.closing_reason}).")
            except ClientError as error:
                self.failure = error
            finally:
                await client.close()
                try:
                    await watching
                except ClientError as error:
                    self.failure = error
        if self.failure is not None and not self.recording.frames:
            raise self.failure

    async def watch(self, client: AvatarClient) -> None:
        """Takes all events until the conversation is over; raises what it broke with."""
        try:
            async for event in client:
                self.received(event)
        finally:
            self._over = True
            self._changed.set()

    def received(self, event: Event) -> None:
        """Takes the next event."""
        self.rules.received(event)
        self.recording.received(event)
        if isinstance(event, VideoEvent):
            self.statistics.video(event)
        elif isinstance(event, ControlEvent):
            if isinstance(event.message, SpeakEnded):
                self._ended.add(event.message.data.utterance_id)
                self._changed.set()
            elif isinstance(event.message, ErrorMessage):
                self.server_errors.append(f"{event.message.data.code}: {event.message.data.message}")

    def speech_begins(self, speech: Speech, utterance_id: str) -> None:
        """Tells that an utterance is about to be sent, whole."""
        self.rules.speech.speech_sent(speech.samples, speech.sample_rate, utterance_id)
        self.recording.speech_sent(speech, utterance_id)

    async def speak_ended(self, utterance_id: str, timeout_s: float) -> bool:
        """Waits for the SPEAK_ENDED of an utterance; False when it did not come (`violations` will say so)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while utterance_id not in self._ended and not self._over:
                    self._changed.clear()
                    await self._changed.wait()
        return utterance_id in self._ended

    def violations(self, *, decode: bool = True) -> list[str]:
        """All rules broken, those that only a decoder sees included (`decode`, about 1 ms a frame)."""
        found = list(self.rules.finish())
        if decode:
            found += decode_violations(self.recording.access_units())
        return found
