"""The avatar's WebSocket endpoint: origin, name and capacity first, then a reader, a writer and the session's actor."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from protocol.codes import CloseCode, CloseReason
from protocol.server_messages import CloseAck, CloseAckData, ErrorData, ErrorMessage
from protocol.timing import BINARY_SUBPROTOCOL, USER_ID_PATTERN
from protocol.wire import ProtocolViolation, parse_binary, parse_text
from ws_service.errors import PeerGone, ServiceError, SlowReader
from ws_service.origins import may_come_from
from ws_service.session.actor import SessionActor
from ws_service.session.interfaces import PacketSink
from ws_service.sockets.connection import Connection
from ws_service.sockets.dialects import BinaryDialect, TextDialect
from ws_service.sockets.outbox import Outbox

FLUSH_TIMEOUT_S = 2.0
NO_SESSION = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class AvatarSocket:
    """The endpoint. `open_session` raises `ServiceError` when nobody may come in now."""

    open_session: Callable[[str, PacketSink], SessionActor]
    cors_origins: list[str]
    reader_timeout_s: float

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection."""
        refusal = self._refusal(websocket)
        if refusal is not None:
            await websocket.send_denial_response(refusal)
            return
        user_id = websocket.path_params["user_id"]
        binary = BINARY_SUBPROTOCOL in websocket.scope["subprotocols"]
        connection = Connection(websocket)
        try:
            await connection.accept(BINARY_SUBPROTOCOL if binary else None)
            outbox = Outbox(BinaryDialect() if binary else TextDialect(), self.reader_timeout_s)
            try:
                actor = self.open_session(user_id, outbox)
            except ServiceError as error:
                await _refuse(connection, error)
                return
            await _converse(connection, outbox, actor)
        except PeerGone:
            structlog.get_logger().debug("peer gone", user_id=user_id)

    def _refusal(self, websocket: WebSocket) -> PlainTextResponse | None:
        """The HTTP answer that ends the handshake, or None."""
        origin = websocket.headers.get("origin")
        if origin is not None and not may_come_from(origin, websocket.headers.get("host", ""), self.cors_origins):
            return PlainTextResponse(f"Origin {origin} is not one of CORS_ORIGINS\n", 403)
        if not re.fullmatch(USER_ID_PATTERN, websocket.path_params["user_id"]):
            return PlainTextResponse(f"user_id must match {USER_ID_PATTERN}\n", 400)
        offered = websocket.scope["subprotocols"]
        if offered and BINARY_SUBPROTOCOL not in offered:
            return PlainTextResponse(f"Unknown subprotocol; offer {BINARY_SUBPROTOCOL} or none\n", 400)
        return None


async def _converse(connection: Connection, outbox: Outbox, actor: SessionActor) -> None:
    """Run the session until one side ends it."""
    loop = asyncio.get_running_loop()
    outbox.counts = actor.counts
    session = loop.create_task(actor.run())
    reader = loop.create_task(_read(connection, actor))
    writer = loop.create_task(outbox.run(connection))
    tasks = (session, reader, writer)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if session.done():
            code = _close_code(session, outbox, actor)
            await asyncio.wait(
                (writer, loop.create_task(outbox.flush(FLUSH_TIMEOUT_S))), return_when=asyncio.FIRST_COMPLETED
            )
            await connection.close(code)
        elif writer.done() and isinstance(writer.exception(), SlowReader):
            connection.let_go()
            await _refuse(connection, writer.exception(), actor.session_id)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _close_code(session: "asyncio.Task[CloseCode]", outbox: Outbox, actor: SessionActor) -> CloseCode:
    """How the session ended; a failure inside is told to the client before the close."""
    failure = session.exception()
    if failure is None:
        return session.result()
    structlog.get_logger().error("session failed", session_id=actor.session_id, exc_info=failure)
    error = failure if isinstance(failure, ServiceError) else ServiceError("The session failed inside the service")
    data = ErrorData(code=error.code, message=error.message, details=error.details)
    outbox.event(ErrorMessage(session_id=actor.session_id, data=data))
    outbox.event(CloseAck(session_id=actor.session_id, data=CloseAckData(reason=CloseReason.ERROR)))
    return CloseCode.INTERNAL_ERROR


async def _read(connection: Connection, actor: SessionActor) -> None:
    """Bytes to messages to the inbox; a bad message becomes an ERROR in its place. A full inbox stops the reading."""
    while True:
        received = await connection.receive()
        try:
            message = parse_text(received) if isinstance(received, str) else parse_binary(received)
        except ProtocolViolation as violation:
            await actor.inbox.put(violation)
        else:
            await actor.inbox.put(message)


async def _refuse(connection: Connection, error: BaseException | None, session_id: str = NO_SESSION) -> None:
    """ERROR, then the close code that goes with it."""
    if not isinstance(error, ServiceError):
        return
    data = ErrorData(code=error.code, message=error.message, details=error.details)
    await connection.send(ErrorMessage(session_id=session_id, data=data).to_json())
    await connection.close(error.close_code or CloseCode.INTERNAL_ERROR, error.message[:120])
