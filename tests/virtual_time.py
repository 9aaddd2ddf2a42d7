"""An asyncio event loop whose time jumps to the next timer: a minute of streaming takes milliseconds.

Sockets and threads still work: while `works_elsewhere` says that a thread owes an answer, time stands still and the
loop waits for it; otherwise nothing but timers can happen next, so time may jump.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

THREAD_PATIENCE_S = 10.0  # of real time, for an answer that a thread owes


class StandstillError(Exception):
    """Every task waits and no timer is set: in real life this would hang for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at `start_s` and moves only when every task waits."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s
        self.works_elsewhere: Callable[[], bool] = lambda: False
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now_s

    def jump(self) -> None:
        """To the next timer."""
        timers = [handle.when() for handle in self._scheduled if not handle.cancelled()]
        if not timers:
            raise StandstillError("all tasks wait, and nothing will wake them")
        self._now_s = max(self._now_s, min(timers))


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if self._loop.works_elsewhere():
            events = super().select(THREAD_PATIENCE_S)
            if not events:
                raise StandstillError(f"no answer from a thread in {THREAD_PATIENCE_S} s")
            return events
        self._loop.jump()
        return []


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)


def virtual_loop() -> VirtualTimeLoop:
    """The running loop, which is a virtual one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop
