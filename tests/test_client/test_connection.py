import asyncio
import socket as sockets
from http import HTTPStatus

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

from test_client.connection import closing_error, endpoint, open_socket
from test_client.errors import ConnectionLost, ConnectionRefused
from tests.fakes.avatar_server import AvatarServer


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://host:8000", "ws://host:8000/musetalk/v1/ws/anna"),
        ("wss://host/", "wss://host/musetalk/v1/ws/anna"),
        ("ws://host/behind/proxy?x=1", "ws://host/behind/proxy/musetalk/v1/ws/anna?x=1"),
        ("ws://host/musetalk/v1/ws/bert?token=t", "ws://host/musetalk/v1/ws/bert?token=t"),
    ],
)
def test_the_address_of_a_user(url: str, address: str) -> None:
    assert endpoint(url, "anna") == address


@pytest.mark.parametrize("url", ["http://host", "host:8000", "", "ws://", "ws://host:abc", "ws://[::1", "ws://h:0"])
def test_what_is_no_websocket_address_is_refused(url: str) -> None:
    with pytest.raises(ConnectionRefused, match="is no WebSocket address"):
        endpoint(url, "anna")


@pytest.mark.parametrize("user_id", ["", "a b", "ä", "x" * 65, "../up", "a\n"])
def test_what_is_no_user_id_is_refused(user_id: str) -> None:
    with pytest.raises(ConnectionRefused, match="user id"):
        endpoint("ws://host", user_id)


async def test_nobody_there_is_a_sentence() -> None:
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionRefused, match="Nobody answers") as raised:
        await open_socket(f"ws://127.0.0.1:{port}", "anna", binary=True)
    assert raised.value.code is None


async def test_a_refusal_by_http_carries_its_status_and_its_words() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer secret"
        return connection.respond(HTTPStatus.FORBIDDEN, "Origin is not allowed.")

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionRefused, match=r"HTTP 403: Origin is not allowed") as raised:
            await open_socket(url, "anna", binary=False, token="secret")
    assert raised.value.code == 403


async def test_a_server_without_the_binary_mode_is_told() -> None:
    async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionRefused, match="text mode"):
            await open_socket(url, "anna", binary=True)


async def test_what_is_no_websocket_server_is_told() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp ready\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises(ConnectionRefused, match="did not answer as a WebSocket server"):
            await open_socket(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", "anna", binary=True)


async def test_silence_is_told_after_its_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionRefused, match=r"within 0.1 s"):
            await open_socket(url, "anna", binary=True, open_timeout_s=0.1)


@pytest.mark.parametrize("binary", [True, False])
async def test_the_dialect_is_the_one_asked_for(binary: bool) -> None:
    async with AvatarServer() as server:
        socket = await open_socket(server.url, "anna", binary=binary)
        assert isinstance(await socket.recv(), bytes) == binary
        await socket.close()


def test_an_end_as_asked_is_no_error() -> None:
    assert closing_error(ConnectionClosedOK(Close(1000, ""), Close(1000, ""), True)) is None


@pytest.mark.parametrize("code", [4401, 4403, 4429])
def test_a_close_that_refuses_is_a_refusal_with_the_servers_words(code: int) -> None:
    error = closing_error(ConnectionClosedError(Close(code, "short"), None, None), "the long reason")
    assert isinstance(error, ConnectionRefused)
    assert error.code == code
    assert "the long reason" in str(error)


@pytest.mark.parametrize(("code", "reason"), [(1012, "restart"), (4408, "too slow"), (1011, "")])
def test_another_close_is_a_lost_connection(code: int, reason: str) -> None:
    error = closing_error(ConnectionClosedError(Close(code, reason), None, None))
    assert isinstance(error, ConnectionLost)
    assert (error.code, error.reason) == (code, reason)


def test_no_close_at_all_is_a_lost_connection() -> None:
    error = closing_error(ConnectionClosedError(None, None, None))
    assert isinstance(error, ConnectionLost)
    assert error.code == 1006


def test_an_error_and_a_close_before_any_picture_are_a_refusal() -> None:
    closed = ConnectionClosedError(Close(1012, ""), None, None)
    refused = closing_error(closed, "Not ready: the engine is being loaded", began=False)
    assert isinstance(refused, ConnectionRefused)
    assert "the engine is being loaded" in str(refused)
    assert isinstance(closing_error(closed, None, began=False), ConnectionLost)
