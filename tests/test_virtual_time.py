"""The clock that other tests trust."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.virtual_time import StandstillError, run_virtual, virtual_loop


def test_sleeping_takes_exactly_the_virtual_time_asked_for():
    async def main():
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        for n in range(1, 1001):
            await asyncio.sleep(start_s + n * 0.04 - loop.time())
            assert loop.time() == pytest.approx(start_s + n * 0.04, abs=1e-9)

    run_virtual(main())


def test_timers_fire_in_order_and_cancelled_ones_do_not_move_the_clock():
    async def main():
        loop, fired = asyncio.get_running_loop(), []
        start_s = loop.time()
        loop.call_at(start_s + 5, fired.append, "late")
        loop.call_at(start_s + 1, fired.append, "early")
        loop.call_at(start_s + 0.5, fired.append, "never").cancel()
        await asyncio.sleep(2)
        assert fired == ["early"]
        await asyncio.sleep(4)
        assert fired == ["early", "late"]
        assert loop.time() == pytest.approx(start_s + 6)

    run_virtual(main())


def test_time_stands_still_while_a_thread_owes_an_answer():
    async def main():
        loop, asked = virtual_loop(), Event()
        with ThreadPoolExecutor(1) as pool:
            answer = loop.run_in_executor(pool, asked.wait, 5)
            loop.works_elsewhere = lambda: not answer.done()
            start_s = loop.time()
            timer = loop.call_later(100, lambda: None)
            asked.set()
            assert await answer
            assert loop.time() == start_s
            timer.cancel()

    run_virtual(main())


def test_waiting_for_nothing_is_an_error_and_not_a_hang():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StandstillError):
        run_virtual(main())
