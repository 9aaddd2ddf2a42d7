"""One conversation after another, for clients that outlive a server: it restarts, or a load balancer moves them.

    async for client in conversations(lambda: AvatarClient("ws://127.0.0.1:8000", "anna")):
        try:
            await talk(client)
            break
        except (ConnectionLost, ConnectionRefused) as error:
            if not may_pass(error):
                raise               # else: once more, from INIT on; what the server had queued is gone

A server that ends its conversations for a restart closes them with 1012, after an ERROR that says why. Owns the waits
between attempts; must not import the service.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from test_client.client import AvatarClient
from test_client.errors import ClientError, ConnectionLost, ConnectionRefused

WAITS_S = (0.1, 0.5, 1.0, 2.0, 5.0)  # the last one again and again
ATTEMPTS = 30  # two minutes: the time in which a large model is loaded anew
STEADY_S = 10.0  # a conversation that lasted so long clears the count
_FINAL_REFUSALS = (400, 401, 403, 404, 4401, 4403)


async def conversations(
    make: Callable[[], AvatarClient], waits_s: Sequence[float] = WAITS_S, attempts: int = ATTEMPTS
) -> AsyncIterator[AvatarClient]:
    """Connected clients, each closed when the next is asked for; ends when the caller breaks out of the loop.

    `attempts`: how many may fail in a row. Raises the `ConnectionRefused` of the last, or one that will not pass.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began_s = loop.time()
        client = make()
        try:
            await client.connect()
        except ConnectionRefused as refused:
            if not may_pass(refused) or failures + 1 >= attempts:
                raise
        else:
            try:
                yield client
            finally:
                await client.close()
            if loop.time() - began_s >= STEADY_S:
                failures = 0
        await asyncio.sleep(waits_s[min(failures, len(waits_s) - 1)])
        failures += 1


def may_pass(error: ClientError) -> bool:
    """Whether another attempt may help: the connection broke, or the server is full, away or about to restart."""
    return isinstance(error, ConnectionLost) or (
        isinstance(error, ConnectionRefused) and error.code not in _FINAL_REFUSALS
    )
