"""A bounded queue of received events with an end: the one place where a client's reader and its caller meet.

Owns the bound. Overflow: `put` waits, so the socket is read no further and the server drops whole GOPs for this reader;
nothing that was received is lost. Must not import the service.
"""

import asyncio
from collections import deque

from test_client.errors import ClientError
from test_client.events import Event


class EventQueue:
    """One task puts, one takes."""

    def __init__(self, max_events: int) -> None:
        self._events: deque[Event] = deque()
        self._max_events = max_events
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._drops_overflow = False
        self._ended = False
        self._error: ClientError | None = None

    def __len__(self) -> int:
        return len(self._events)

    async def put(self, event: Event) -> None:
        """Appends; waits while the queue is full."""
        while len(self._events) >= self._max_events:
            if self._drops_overflow:
                return
            self._has_room.clear()
            await self._has_room.wait()
        self._events.append(event)
        self._filled.set()

    async def take(self) -> Event | None:
        """The next event; None after the last one of a conversation that ended as asked.

        Raises:
            ClientError: after the last event, what the conversation broke with.
        """
        while not self._events:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._filled.clear()
            await self._filled.wait()
        self._has_room.set()
        return self._events.popleft()

    def drop_overflow(self) -> None:
        """From now on what does not fit is dropped instead of waited for; for a caller that reads no more."""
        self._drops_overflow = True
        self._has_room.set()

    def end(self, error: ClientError | None) -> None:
        """Nothing more will come. What is there can still be taken."""
        self._ended = True
        self._error = error
        self._filled.set()
