"""Pairs requests with the server's replies. Owns who waits for what; no socket, no clock. Must not import the service.

Replies carry no number. The server works in order, so a reply answers the oldest request for its type, and an ERROR
the oldest request of all.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from protocol.codes import ErrorCode
from protocol.server_messages import ErrorMessage
from test_client.errors import ClientError, ServerError
from test_client.events import ControlMessage

# errors that answer no request: too much speech, and those that the close of the connection follows
_NO_REPLIES = (ErrorCode.RATE_LIMIT_EXCEEDED, ErrorCode.SERVICE_NOT_READY, ErrorCode.UNAUTHORIZED)


class Replies:
    """Those who wait for a reply, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[type[ControlMessage], asyncio.Future[ControlMessage]]] = deque()

    @contextmanager
    def expect(self, reply_type: type[ControlMessage]) -> Iterator[asyncio.Future[ControlMessage]]:
        """Waits for a message of this type from now on; whatever has not come when the block ends is not waited for."""
        future: asyncio.Future[ControlMessage] = asyncio.get_running_loop().create_future()
        entry = (reply_type, future)
        self._waiting.append(entry)
        try:
            yield future
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
            if not future.cancel() and not future.cancelled():
                future.exception()  # seen, even where sending had failed first

    def received(self, message: ControlMessage) -> None:
        """Gives a message to who waits for it, if anybody does."""
        if isinstance(message, ErrorMessage):
            data = message.data
            if self._waiting and data.code not in _NO_REPLIES:
                _fail(self._waiting.popleft()[1], ServerError(data.code, data.message, data.details))
            return
        for entry in self._waiting:
            if isinstance(message, entry[0]):
                self._waiting.remove(entry)
                if not entry[1].done():
                    entry[1].set_result(message)
                return

    def end(self, error: ClientError) -> None:
        """No reply will come any more."""
        while self._waiting:
            _fail(self._waiting.popleft()[1], error)


def _fail(future: asyncio.Future[ControlMessage], error: ClientError) -> None:
    if not future.done():
        future.set_exception(error)
