"""uvicorn's WebSocket protocol with small buffers and a way to let go of a peer that stopped reading.

uvicorn itself buffers megabytes before `send` blocks, and closing waits for a peer that may never read again.
"""

import asyncio
from asyncio.transports import BaseTransport
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

WRITE_BUFFER_BYTES = 131_072  # about a second of video in the process; the kernel's buffer comes on top
ABORT_AFTER_S = 5.0
EXTENSION = "musetalk.transport"


class AvatarWebSocketProtocol(WebSocketsSansIOProtocol):
    """Gives the application a `TransportControl` in the scope's extensions."""

    def connection_made(self, transport: BaseTransport) -> None:
        """A TCP connection is there (or was handed over by the HTTP protocol)."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        """Run the application for this connection."""
        cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = TransportControl(self)
        await super().run_asgi()

    def keepalive_timeout(self) -> None:
        """The peer answers no pings: what is still buffered for it is lost."""
        super().keepalive_timeout()
        self.loop.call_later(ABORT_AFTER_S, self.transport.abort)


class TransportControl:
    """What the application may do to the connection under the WebSocket."""

    def __init__(self, protocol: AvatarWebSocketProtocol) -> None:
        self._protocol = protocol

    def let_go(self) -> None:
        """The peer stopped reading: last words go into the buffer whatever its size; the connection ends soon."""
        self._protocol.writable.set()
        asyncio.get_running_loop().call_later(ABORT_AFTER_S, self._protocol.transport.abort)
