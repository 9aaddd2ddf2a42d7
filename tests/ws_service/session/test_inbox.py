"""A bounded queue: a client that floods is read no faster than it is heard."""

import asyncio

import pytest

from protocol.client_messages import SpeakEnd
from tests.virtual_time import run_virtual
from ws_service.errors import SessionNotFound
from ws_service.session.inbox import INBOX_MESSAGES, Inbox


def numbered(n: int) -> SpeakEnd:
    return SpeakEnd(session_id=str(n))


def test_messages_come_out_in_the_order_they_came_in_and_each_wakes_the_reader():
    async def main():
        woken = []
        inbox = Inbox(lambda: woken.append(1))
        for n in range(10):
            await inbox.put(numbered(n))
        assert len(woken) == 10
        assert [inbox.take().session_id for _ in range(len(inbox))] == [str(n) for n in range(10)]

    run_virtual(main())


def test_a_full_inbox_makes_the_writer_wait_until_one_is_taken():
    async def main():
        inbox = Inbox(lambda: None)
        for n in range(INBOX_MESSAGES):
            await inbox.put(numbered(n))
        waiting = asyncio.ensure_future(inbox.put(numbered(INBOX_MESSAGES)))
        await asyncio.sleep(1)
        assert not waiting.done()
        assert len(inbox) == INBOX_MESSAGES
        inbox.take()
        await waiting
        assert len(inbox) == INBOX_MESSAGES

    run_virtual(main())


def test_a_flood_is_taken_whole_and_never_more_than_the_bound_is_held():
    async def main():
        inbox, taken, most = Inbox(lambda: None, limit=4), [], 0

        async def flood():
            for n in range(1000):
                await inbox.put(numbered(n))

        flooding = asyncio.ensure_future(flood())
        while not flooding.done() or len(inbox):
            await asyncio.sleep(0)
            most = max(most, len(inbox))
            if len(inbox):
                taken.append(int(inbox.take().session_id))
        assert taken == list(range(1000))
        assert most == 4

    run_virtual(main())


def test_a_writer_that_gives_up_waiting_leaves_nothing_behind():
    async def main():
        inbox = Inbox(lambda: None, limit=1)
        await inbox.put(numbered(0))
        waiting = asyncio.ensure_future(inbox.put(numbered(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert inbox.take().session_id == "0"
        assert len(inbox) == 0

    run_virtual(main())


def test_a_closed_inbox_takes_nothing_and_lets_nobody_wait():
    async def main():
        inbox = Inbox(lambda: None)
        for n in range(INBOX_MESSAGES):
            await inbox.put(numbered(n))
        waiting = asyncio.ensure_future(inbox.put(numbered(INBOX_MESSAGES)))
        await asyncio.sleep(1)
        assert len(inbox.close()) == INBOX_MESSAGES
        with pytest.raises(SessionNotFound):
            await waiting
        with pytest.raises(SessionNotFound):
            await inbox.put(numbered(0))
        assert len(inbox) == 0

    run_virtual(main())
