"""Virtual time; the engine is a few attributes."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.virtual_time import run_virtual
from ws_service.generation.watchdog import Watchdog, engine_failure


@dataclass
class Engine:
    lost: str | None = None
    rebuilding_since_s: float | None = None
    busy_since_s: float | None = None


async def watched(engine: Engine) -> tuple[float, str]:
    """When the watch ended, counted from its beginning, and why."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    reason = await engine_failure(engine, lambda: engine.busy_since_s, 20.0, 60.0, clock=loop.time)
    return loop.time() - begun_s, reason


def looks(dog: Watchdog, *at: tuple[float, float | None]) -> list[bool]:
    return [dog.overdue(now_s, since_s) for now_s, since_s in at]


def test_work_in_hand_for_longer_than_it_may_is_overdue() -> None:
    assert looks(Watchdog(2.0, 1.0), (10, 9.5), (11, 9.5), (12, 9.5)) == [False, False, True]


def test_every_piece_of_work_has_its_own_time() -> None:
    seen = looks(Watchdog(2.0, 1.0), *[(n, n - 0.5) for n in range(100)])
    assert not any(seen)


def test_idle_time_counts_for_nothing() -> None:
    seen = looks(Watchdog(2.0, 1.0), (1, 0.5), (2, 0.5), (3, None), (4, 3.5), (5, 3.5), (6, 3.5))
    assert seen == [False, False, False, False, False, True]


def test_where_everything_stood_still_the_work_gets_its_time_afterwards() -> None:
    dog = Watchdog(5.0, 1.0)
    assert looks(dog, (10, 9.9), (3610, 9.9)) == [False, False], "an hour's pause of the machine"
    assert looks(dog, (3611, 9.9), (3612, 9.9), (3613, 9.9)) == [False, False, True]


def test_a_batch_that_never_ends_is_noticed_when_its_time_is_over() -> None:
    async def scenario() -> tuple[float, str]:
        return await watched(Engine(busy_since_s=1.0))

    after_s, reason = run_virtual(scenario())
    assert after_s == pytest.approx(20.0, abs=1.0)
    assert "more than 20 s" in reason
    assert "ENGINE_TIMEOUT_S" in reason


def test_an_engine_whose_making_never_ends_is_noticed_too() -> None:
    async def scenario() -> tuple[float, str]:
        return await watched(Engine(rebuilding_since_s=1.0))

    after_s, reason = run_virtual(scenario())
    assert after_s == pytest.approx(60.0, abs=1.0)
    assert "anew" in reason


def test_a_lost_engine_is_noticed_at_once_and_one_that_works_never() -> None:
    async def scenario() -> tuple[float, str]:
        engine = Engine()
        watch = asyncio.ensure_future(watched(engine))
        for n in range(3000):
            engine.busy_since_s = float(n)
            await asyncio.sleep(0.04)
        assert not watch.done()
        engine.lost = "the CUDA context is gone"
        return await watch

    after_s, reason = run_virtual(scenario())
    assert after_s == pytest.approx(120.0, abs=0.6)
    assert reason == "the engine is lost: the CUDA context is gone"
