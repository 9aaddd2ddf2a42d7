"""`AvatarClient`: one conversation with a talking avatar. What a voice agent's backend starts from.

    async with AvatarClient("ws://127.0.0.1:8000", "anna") as client:
        await client.init()
        await client.speak(pcm)          # 16 kHz mono s16le, at the pace of speech
        await client.speak_end()
        async for event in client:       # VideoEvent, AudioEvent, ControlEvent, in the order they came
            ...

Pictures flow from connect on, so something must take the events (usually a task of its own): `max_queued_events`, a
minute by default, wait; then the socket is read no further and the server drops whole GOPs for this reader.

Owns the socket and the reader task. Must not import the service.
"""

import asyncio
import time
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, TypeVar
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from protocol import client_messages as say
from protocol.binary import AudioUpload
from protocol.server_messages import ActionTriggered, CloseAck, ErrorMessage, InitSuccess, Interrupted, StateChanged
from protocol.timing import SAMPLE_RATE_HZ
from test_client.connection import closing_error, open_socket
from test_client.errors import ClientError, NotConnected, ReplyTimeout
from test_client.event_queue import EventQueue
from test_client.events import ControlEvent, ControlMessage, Event, decode
from test_client.replies import Replies
from test_client.speech_upload import CHUNK_MS, Pace, chunks

_Reply = TypeVar("_Reply", InitSuccess, StateChanged, ActionTriggered, Interrupted, CloseAck)
_CLOSE_ACK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """What `speak` sent. Times are `time.monotonic()`; None when there was no audio."""

    size_bytes: int
    first_sent_s: float | None
    last_sent_s: float | None


class AvatarClient:
    """One connection. Not to be used again after it was closed.

    `url` is the server's (`ws://host:port`). `binary` chooses the binary subprotocol over base64 text. `token` goes in
    the Authorization header and in INIT. `avatar_id`, `audio_out` and `all_intra` are what `init` asks for.

    All methods raise `NotConnected` before and after the connection and `ConnectionLost` when it breaks. Those that
    wait for an answer raise `ServerError` when it is an ERROR and `ReplyTimeout` when there is none.
    """

    def __init__(
        self,
        url: str,
        user_id: str,
        *,
        binary: bool = True,
        token: str | None = None,
        avatar_id: str | None = None,
        audio_out: bool = False,
        all_intra: bool = False,
        max_queued_events: int = 1500,
        reply_timeout_s: float = 10.0,
    ) -> None:
        self.session_id: str | None = None  # known after `init`
        self._url = url
        self._user_id = user_id
        self._binary = binary
        self._token = token
        self._avatar_id = avatar_id
        self._audio_out = audio_out
        self._all_intra = all_intra
        self._reply_timeout_s = reply_timeout_s
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._events = EventQueue(max_queued_events)
        self._replies = Replies()
        self._last_error: str | None = None
        self._began = False
        self._closing_reason = "no reason given"

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; ends when the conversation was closed, raises when it broke."""
        event = await self._events.take()
        if event is None:
            raise StopAsyncIteration
        return event

    async def connect(self) -> None:
        """Opens the connection; pictures begin to come. `async with` calls it.

        Raises:
            ConnectionRefused: nobody answers, or the server does not want this connection.
        """
        if self._reader is not None:
            raise NotConnected("This client was used already; make a new one.")
        self._socket = await open_socket(self._url, self._user_id, binary=self._binary, token=self._token)
        self._reader = asyncio.create_task(self._read(self._socket), name=f"avatar client {self._user_id}")

    async def init(self, session_id: str | None = None) -> InitSuccess:
        """Begins the conversation, or begins it anew. `session_id`: a UUID of the caller's own, echoed if it's free."""
        data = say.InitData(
            user_id=self._user_id,
            auth_token=self._token,
            video_config=say.VideoConfig(all_intra=self._all_intra),
            avatar_id=self._avatar_id,
            audio_out=self._audio_out,
        )
        reply = await self._request(say.Init(session_id=session_id or self.session_id, data=data), InitSuccess)
        self.session_id = reply.session_id
        return reply

    async def speak(
        self,
        audio: bytes | AsyncIterable[bytes],
        sample_rate: int = SAMPLE_RATE_HZ,
        channels: int = 1,
        *,
        realtime: bool = True,
        utterance_id: str | None = None,
        video_state: say.VideoState | None = None,
        chunk_ms: int = CHUNK_MS,
    ) -> Spoken:
        """Sends speech: interleaved s16le PCM, whole or as pieces of any length. Returns when the last byte is sent.

        `realtime` sends chunk n at n x `chunk_ms`, as a microphone would; else as fast as the socket takes it, which a
        server queues up to its bound. `utterance_id` and `video_state` go with the first chunk, which then is
        a GENERATE in both modes. Several calls without `speak_end` between them are one utterance.
        """
        pace = Pace(chunk_ms / 1000) if realtime else None
        size_bytes = 0
        first_sent_s: float | None = None
        async for chunk in chunks(audio, sample_rate, channels, chunk_ms):
            if pace is not None:
                await pace.next()
            if first_sent_s is None:
                first_sent_s = time.monotonic()
            is_first = size_bytes == 0
            named = is_first and (utterance_id is not None or video_state is not None)
            if self._binary and not named:
                await self._send(AudioUpload(chunk, sample_rate, channels).pack())
            else:
                await self._send_text(
                    say.Generate(
                        session_id=self.session_id,
                        data=say.GenerateData(
                            audio_chunk=say.AudioChunk(
                                data=chunk, sample_rate=sample_rate, channels=_mono_or_stereo(channels)
                            ),
                            video_state=video_state if is_first else None,
                            utterance_id=utterance_id if is_first else None,
                        ),
                    )
                )
            size_bytes += len(chunk)
        return Spoken(size_bytes, first_sent_s, time.monotonic() if size_bytes else None)

    async def speak_end(self) -> None:
        """Says that the utterance is complete; without it the server waits for more for 350 ms."""
        await self._send_text(say.SpeakEnd(session_id=self.session_id))

    async def interrupt(self) -> int:
        """Drops all speech not yet shown. Returns the position where it was cut, in ms of the utterance."""
        reply = await self._request(say.Interrupt(session_id=self.session_id), Interrupted)
        return reply.data.position_ms

    async def set_state(self, state: Literal["idle", "speaking", "action"], base_video: str) -> StateChanged:
        """Changes the base video, for instance to `speaking_0`."""
        data = say.StateChangeData(target_state=state, base_video=base_video)
        return await self._request(say.StateChange(session_id=self.session_id, data=data), StateChanged)

    async def action(self, index: int) -> ActionTriggered:
        """Plays action 1..n once (dialect 1.1); its frames come as usual."""
        message = say.Action(session_id=self.session_id, data=say.ActionData(action_index=index))
        return await self._request(message, ActionTriggered)

    async def action_by_name(self, name: str) -> None:
        """Plays an action, for instance `action_1` (dialect 1.0): no answer, but its frames carry `action_progress`."""
        await self._send_text(say.Action(session_id=self.session_id, data=say.ActionData(action_type=name)))

    @property
    def closing_reason(self) -> str:
        """Why the conversation was closed, in CLOSE_ACK's words: `client_request`, `server_shutdown`, ..."""
        return self._closing_reason

    async def close(self) -> None:
        """Ends the conversation in order: CLOSE, CLOSE_ACK, socket. What was received can still be iterated over."""
        if self._socket is None or self._reader is None:
            return
        self._events.drop_overflow()
        if not self._reader.done():
            with suppress(ClientError):  # a server that is gone needs no goodbye
                await self._request(say.Close(session_id=self.session_id), CloseAck, _CLOSE_ACK_TIMEOUT_S)
        await self._socket.close()
        await self._reader

    async def _read(self, socket: ClientConnection) -> None:
        """The reader task: every message becomes an event, in order."""
        error: ClientError | None = None
        try:
            while True:
                raw = await socket.recv()
                event = decode(raw, time.monotonic())
                if isinstance(event, ControlEvent):
                    self._note(event.message)
                else:
                    self._began = True
                await self._events.put(event)
        except ConnectionClosed as closed:
            error = self._why(closed)
        except ClientError as unreadable:
            error = unreadable
            await socket.close(1002)
        finally:
            self._events.end(error)
            self._replies.end(error or self._closed())

    def _note(self, message: ControlMessage) -> None:
        if isinstance(message, ErrorMessage):
            self._last_error = message.data.message
        elif isinstance(message, CloseAck):
            self._closing_reason = message.data.reason.value
        self._replies.received(message)

    async def _request(
        self, message: say.ClientMessage, reply_type: type[_Reply], timeout_s: float | None = None
    ) -> _Reply:
        timeout_s = timeout_s or self._reply_timeout_s
        with self._replies.expect(reply_type) as future:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._send_text(message)
                    reply = await future
            except TimeoutError:
                last = f"; the last error was: {self._last_error}" if self._last_error else ""
                raise ReplyTimeout(
                    f"No answer to {message.type} within {timeout_s:g} s; {len(self._events)} events wait{last}."
                ) from None
        assert isinstance(reply, reply_type)
        return reply

    async def _send_text(self, message: say.ClientMessage) -> None:
        await self._send(message.model_dump_json(exclude_none=True))

    async def _send(self, data: str | bytes) -> None:
        if self._socket is None:
            raise NotConnected("Not connected; use `async with` or call connect().")
        try:
            await self._socket.send(data)
        except ConnectionClosed as closed:
            raise self._why(closed) or self._closed() from closed

    def _why(self, closed: ConnectionClosed) -> ClientError | None:
        return closing_error(closed, self._last_error, began=self._began)

    def _closed(self) -> NotConnected:
        return NotConnected(f"The conversation was closed ({self._closing_reason}).")


def new_utterance_id() -> str:
    """An id for `speak`, to find the utterance again in SPEAK_STARTED and SPEAK_ENDED."""
    return str(uuid4())


def _mono_or_stereo(channels: int) -> Literal[1, 2]:
    if channels not in (1, 2):
        raise ValueError(f"channels must be 1 or 2, not {channels}")
    return 2 if channels == 2 else 1
