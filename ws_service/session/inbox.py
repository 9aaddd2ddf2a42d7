"""Messages on their way to the actor: bounded, so that a client that floods is not read any faster than it is heard."""

import asyncio
from collections import deque
from collections.abc import Callable

from protocol.binary import AudioUpload
from protocol.client_messages import ClientMessage
from protocol.wire import ProtocolViolation

INBOX_MESSAGES = 64

Incoming = ClientMessage | AudioUpload | ProtocolViolation  # a violation takes its place in the order, too


class Inbox:
    """A queue with one reader (the actor). Full: `put` waits, and the socket is not read meanwhile."""

    def __init__(self, wake: Callable[[], None], limit: int = INBOX_MESSAGES) -> None:
        self._wake = wake
        self._limit = limit
        self._messages: deque[Incoming] = deque()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def head(self) -> Incoming:
        """The oldest message, left where it is."""
        return self._messages[0]

    async def put(self, message: Incoming) -> None:
        """Add a client's message; waits while the inbox is full."""
        while len(self._messages) >= self._limit:
            self._room.clear()
            await self._room.wait()
        self._messages.append(message)
        self._wake()

    def take(self) -> Incoming:
        """The oldest message."""
        message = self._messages.popleft()
        if len(self._messages) < self._limit:
            self._room.set()
        return message
