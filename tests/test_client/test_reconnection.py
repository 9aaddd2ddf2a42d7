import socket as sockets
from contextlib import aclosing

import pytest
from websockets.asyncio.server import ServerConnection, serve

from test_client.client import AvatarClient
from test_client.errors import ConnectionLost, ConnectionRefused, ReplyTimeout
from test_client.reconnection import conversations, may_pass
from tests.fakes.avatar_server import AvatarServer

AT_ONCE = (0.0,)


async def test_after_a_broken_connection_the_conversation_begins_anew() -> None:
    broken = 0
    async with AvatarServer() as server:
        async for client in conversations(lambda: AvatarClient(server.url, "anna"), AT_ONCE):
            try:
                await client.init()
                if broken < 2:
                    server.drop_all()
                async for _ in client:
                    if broken == 2:
                        break
                break
            except ConnectionLost:
                broken += 1
    assert broken == 2


async def test_a_close_for_a_restart_is_lost_and_worth_another_attempt() -> None:
    seen: list[int] = []

    async def restart(socket: ServerConnection) -> None:
        await socket.close(1012, "restart")

    async with serve(restart, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async for client in conversations(lambda: AvatarClient(url, "anna", binary=False), AT_ONCE):
            try:
                await anext(client)
            except ConnectionLost as lost:
                seen.append(lost.code)
                if len(seen) == 3:
                    break
    assert seen == [1012] * 3


async def test_where_nobody_answers_the_attempts_end_with_the_reason() -> None:
    made = []

    def make() -> AvatarClient:
        made.append(1)
        return AvatarClient(f"ws://127.0.0.1:{port}", "anna")

    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectionRefused, match="Nobody answers"):
            await anext(conversations(make, AT_ONCE, attempts=3))
    assert len(made) == 3


async def test_each_client_is_closed_when_the_caller_goes_on_or_leaves() -> None:
    async with AvatarServer() as server:
        clients = []
        async with aclosing(conversations(lambda: AvatarClient(server.url, "anna"), AT_ONCE)) as opened:
            async for client in opened:
                clients.append(client)
                if len(clients) == 2:
                    break
        assert [client.closing_reason for client in clients] == ["client_request"] * 2


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionLost(1012, "restart"), True),
        (ConnectionLost(1006, ""), True),
        (ConnectionRefused("full", 4429), True),
        (ConnectionRefused("nobody"), True),
        (ConnectionRefused("who are you", 4401), False),
        (ConnectionRefused("not from there", 403), False),
        (ReplyTimeout("?"), False),
    ],
)
def test_what_may_pass(error: ConnectionLost | ConnectionRefused | ReplyTimeout, passes: bool) -> None:
    assert may_pass(error) is passes
