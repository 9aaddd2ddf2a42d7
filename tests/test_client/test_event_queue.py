import asyncio

import pytest

from test_client.errors import ConnectionLost
from test_client.event_queue import EventQueue
from tests.test_client.streams import frame


async def test_events_come_out_in_the_order_they_went_in() -> None:
    queue = EventQueue(10)
    for index in range(5):
        await queue.put(frame(index))
    assert [await queue.take() for _ in range(5)] == [frame(index) for index in range(5)]


async def test_a_full_queue_holds_the_one_who_puts_until_there_is_room() -> None:
    queue = EventQueue(2)
    await queue.put(frame(0))
    await queue.put(frame(1))
    putting = asyncio.create_task(queue.put(frame(2)))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await queue.take() == frame(0)
    await putting
    assert len(queue) == 2


async def test_taking_from_an_empty_queue_waits() -> None:
    queue = EventQueue(2)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await queue.put(frame(0))
    assert await taking == frame(0)


async def test_after_the_end_what_is_there_can_be_taken_and_then_nothing_for_ever() -> None:
    queue = EventQueue(2)
    await queue.put(frame(0))
    queue.end(None)
    assert await queue.take() == frame(0)
    assert await queue.take() is None
    assert await queue.take() is None


async def test_an_end_with_an_error_raises_it_after_the_last_event_and_again() -> None:
    queue = EventQueue(2)
    await queue.put(frame(0))
    queue.end(ConnectionLost(1006, ""))
    await queue.take()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await queue.take()


async def test_the_end_wakes_one_who_waits() -> None:
    queue = EventQueue(2)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.end(None)
    assert await taking is None


async def test_a_caller_who_reads_no_more_lets_the_overflow_go() -> None:
    queue = EventQueue(1)
    await queue.put(frame(0))
    putting = asyncio.create_task(queue.put(frame(1)))
    await asyncio.sleep(0)
    queue.drop_overflow()
    await putting
    await queue.put(frame(2))
    assert len(queue) == 1
    assert await queue.take() == frame(0)
