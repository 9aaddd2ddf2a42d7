"""The service's side of a preparation child: starts it, hears it, ends it. Blocking: runs on a thread of its own.

Owns the process and its pipes. Started from a thread and not by asyncio: a large service would stand still while it
forks. Must not import what prepares avatars.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import IO

from ws_service.avatars.child_messages import Ending, PreparationRequest, Progress, Publishing, read_message
from ws_service.avatars.store import stamp_of

_COMMAND = (sys.executable, "-P", "-m", "ws_service.avatars.preparation_child")
_MAY_TAKE_S = 3.0  # to clear up when it is asked to end; what it leaves then is swept


class PreparationChild:
    """One child. `run` may be called once; `stop` from any thread, before, during and after it."""

    def __init__(self, request: PreparationRequest, on_progress: Callable[[Progress], None]) -> None:
        """`on_progress` is called on the thread of `run`."""
        self._request = request
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killing: threading.Timer | None = None
        self._stopped = False
        self._publishing: Publishing | None = None

    def run(self) -> Ending:
        """Prepare the avatar. Returns when the process has ended.

        A child that was killed has an error, too, unless its avatar had appeared: that stays.
        """
        with self._lock:
            if self._stopped:
                return Ending("was cancelled")
            try:
                self._process = process = subprocess.Popen(  # noqa: S603 # our own module
                    _COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # decoders complain at length; what matters is in the messages
                    # Ctrl-C in a terminal is for the service. No new session: where the kernel groups tasks by
                    # session, a task gives way at once within its own alone
                    process_group=0,
                )
            except OSError as error:
                return Ending(f"No process can be started: {error.strerror}")
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(self._request.line())
                process.stdin.flush()
        assert process.stdout is not None
        with process.stdout:
            ending = self._listen(process.stdout)
        code = process.wait()
        self._let_go(process)
        ending = ending or Ending(_why_it_died(code))
        return replace(ending, error=None) if self._has_appeared() else ending

    def stop(self) -> None:
        """End the child: by its closed input, and by force when that takes too long. Returns at once."""
        with self._lock:
            self._stopped = True
            if self._process is None or self._killing is not None:
                return
            self._close_input(self._process)
            self._killing = threading.Timer(_MAY_TAKE_S, self._process.kill)
            self._killing.daemon = True
            self._killing.start()

    def _listen(self, output: IO[bytes]) -> Ending | None:
        for line in output:
            try:
                message = read_message(line)
            except (ValueError, TypeError):
                continue  # half a line of a child that was killed
            if isinstance(message, Ending):
                return message
            if isinstance(message, Publishing):
                self._publishing = message
            else:
                self._on_progress(message)
        return None

    def _has_appeared(self) -> bool:
        if self._publishing is None:
            return False
        found = stamp_of(self._request.avatars_dir / self._request.avatar_id)
        return found is not None and astuple(found) == self._publishing.stamp

    def _let_go(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._close_input(process)
            if self._killing is not None:
                self._killing.cancel()

    @staticmethod
    def _close_input(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None and not process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _why_it_died(code: int) -> str:
    """For a child without a last word."""
    return f"The preparation was ended by signal {-code}." if code < 0 else f"The preparation ended with code {code}."
