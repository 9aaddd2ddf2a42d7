"""One WebSocket, wrapped once: whatever Starlette or uvicorn raise when the peer is gone becomes `PeerGone`."""

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ws_service.errors import PeerGone
from ws_service.sockets.transport import EXTENSION, TransportControl


class Connection:
    """Send and receive whole messages."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def accept(self, subprotocol: str | None) -> None:
        """Finish the handshake."""
        try:
            await self._websocket.accept(subprotocol=subprotocol)
        except (WebSocketDisconnect, OSError, RuntimeError) as error:
            raise PeerGone from error

    async def receive(self) -> str | bytes:
        """The next message. Raises `PeerGone` when the peer has closed or vanished."""
        if self._websocket.client_state is not WebSocketState.CONNECTED:
            raise PeerGone
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise PeerGone
        text = message.get("text")
        if text is not None:
            return str(text)
        return bytes(message["bytes"])

    async def send(self, message: str | bytes) -> None:
        """Send one message; waits while the peer's buffer is full. Raises `PeerGone`."""
        try:
            if isinstance(message, str):
                await self._websocket.send({"type": "websocket.send", "text": message})
            else:
                await self._websocket.send({"type": "websocket.send", "bytes": message})
        except (WebSocketDisconnect, OSError, RuntimeError) as error:
            raise PeerGone from error

    async def close(self, code: int, reason: str = "") -> None:
        """Close; nothing happens when the peer is gone already."""
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, OSError, RuntimeError) as error:
            raise PeerGone from error

    def let_go(self) -> None:
        """Stop waiting for a peer that does not read; the connection is cut a few seconds later."""
        control = self._websocket.scope.get("extensions", {}).get(EXTENSION)
        if isinstance(control, TransportControl):
            control.let_go()
