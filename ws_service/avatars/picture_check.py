"""Compares the pictures of loaded avatars with their checksums, on a thread of its own, once for each writing.

Owns which avatars were found damaged. Its methods run on the event loop. Files are read, not mapped: an avatar that was
only checked takes no memory of the process.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from ws_service.avatars.store import AvatarStore, Stamp
from ws_service.errors import AvatarDamaged


def _step_back() -> None:
    """The streams go first: reading and comparing holds no lock of Python's."""
    if sys.platform == "linux":  # where threads have priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


class PictureCheck:
    """Checks of one store."""

    def __init__(self, store: AvatarStore, when_damaged: Callable[[str], None]) -> None:
        """`when_damaged`: called on the event loop with the name of an avatar that was found damaged."""
        self._store = store
        self._when_damaged = when_damaged
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="avatar-check", initializer=_step_back)
        self._checked: dict[str, Stamp] = {}
        self._damaged: dict[str, tuple[Stamp, str]] = {}

    def refuse_damaged(self, name: str, stamp: Stamp) -> None:
        """Raises `AvatarDamaged` where this writing of an avatar was found damaged."""
        found, sentence = self._damaged.get(name, (None, ""))
        if found == stamp:
            raise AvatarDamaged(sentence, {"avatar": name})

    def look_again(self, name: str) -> None:
        """Forget what was found: somebody may have repaired it."""
        self._damaged.pop(name, None)
        self._checked.pop(name, None)
        self._store.forget_damage(name)

    def begin(self, name: str, stamp: Stamp) -> None:
        """Check this writing, unless that was done."""
        if self._checked.get(name) == stamp:
            return
        self._checked[name] = stamp
        checking = asyncio.get_running_loop().run_in_executor(self._thread, self._store.check_pictures, name)
        checking.add_done_callback(partial(self._is_over, name, stamp))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _is_over(self, name: str, stamp: Stamp, checking: asyncio.Future[None]) -> None:
        error = None if checking.cancelled() else checking.exception()
        if not isinstance(error, AvatarDamaged) or self._store.stamp(name) != stamp:
            return  # whole, or gone by now
        structlog.get_logger().error("an avatar is damaged", avatar=name, reason=error.message)
        self._damaged[name] = (stamp, error.message)
        self._when_damaged(name)
