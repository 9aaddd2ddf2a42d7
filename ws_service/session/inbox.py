"""Messages on their way to the actor: bounded, so that a client that floods is not read any faster than it is heard."""

import asyncio
from collections import deque
from collections.abc import Callable

from protocol.binary import AudioUpload
from protocol.client_messages import ClientMessage
from protocol.wire import ProtocolViolation
from ws_service.errors import SessionNotFound
from ws_service.session.narration import NarratedSound, Narration

INBOX_MESSAGES = 64

Incoming = (
    ClientMessage
    | AudioUpload
    | ProtocolViolation  # takes its place in the order, too
    | Narration  # text that the service's own voice speaks, and its sound
    | NarratedSound
)


class Inbox:
    """A queue with one reader (the actor). Full: `put` waits, and the socket is not read meanwhile."""

    def __init__(self, wake: Callable[[], None], limit: int = INBOX_MESSAGES) -> None:
        self._wake = wake
        self._limit = limit
        self._messages: deque[Incoming] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def head(self) -> Incoming:
        """The oldest message, left where it is."""
        return self._messages[0]

    async def put(self, message: Incoming) -> None:
        """Add a message; waits while the inbox is full. Raises `SessionNotFound` once it is closed."""
        while len(self._messages) >= self._limit and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise SessionNotFound("The session has ended")
        self._messages.append(message)
        self._wake()

    def close(self) -> list[Incoming]:
        """The actor reads no more. Returns what was left unread."""
        self._closed = True
        left, self._messages = list(self._messages), deque()
        self._room.set()
        return left

    def take(self) -> Incoming:
        """The oldest message."""
        message = self._messages.popleft()
        if len(self._messages) < self._limit:
            self._room.set()
        return message
