"""`musetalk serve` as a child process on a free port, with settings of one's own; its log stays in a file."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ws_service.engine_bench.failure import BenchError

_POLL_S = 0.05
_ASK_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 30.0
_GIVEN_UP = "cannot get ready"  # the service's own words; it stays there to tell why
_SHOWN_CHARS = 400  # of the log's end, where the child died


class ChildService:
    """Use it with `with`: starts the process; the end sends SIGTERM. Raises `BenchError` where it does not come up."""

    def __init__(self, log: Path, folder: Path, settings: Mapping[str, str]) -> None:
        """`folder`: where it runs, so that no `.env` of another place is read."""
        self._log = log
        self._folder = folder
        self._settings = {"HOST": "127.0.0.1", "PORT": "0", "LOG_LEVEL": "warning", "LOG_FORMAT": "console", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0
        self.http = ""

    @property
    def websocket(self) -> str:
        """ws://host:port"""
        return self.http.replace("http", "ws", 1)

    def __enter__(self) -> "ChildService":
        kept = {key: value for key, value in os.environ.items() if key.upper() not in self._settings}
        self._began_s = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from ws_service.cli import main; main()", "serve"],
                env=kept | self._settings,
                cwd=self._folder,
                stderr=log,
                stdout=log,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_ready(self, timeout_s: float) -> float:
        """Seconds from the start of the process until `/ready` said yes. Raises `BenchError`."""
        until_s, reason = self._began_s + timeout_s, "it does not listen"
        while time.monotonic() < until_s:
            self._demand_alive()
            if not self.http:
                found = re.search(r"http://\S+", self._log_text())
                self.http = found.group(0) if found else ""
            else:
                try:
                    self._get("/ready")
                except urllib.error.HTTPError as error:
                    reason = error.read().decode()
                    if _GIVEN_UP in self._log_text():
                        raise BenchError(f"the service cannot get ready: {reason}") from None
                except OSError as error:
                    reason = str(error)
                else:
                    return time.monotonic() - self._began_s
            time.sleep(_POLL_S)
        raise BenchError(f"the service was not ready after {timeout_s:.0f} s: {reason}")

    def figures(self) -> dict[str, Any]:
        """The service's own figures, from `/sessions`. Raises `BenchError` where it does not answer."""
        try:
            return dict(self._get("/sessions")["service"])
        except (OSError, ValueError, KeyError) as error:
            self._demand_alive()
            raise BenchError(f"the service does not tell its figures: {error}") from None

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.http + path, timeout=_ASK_TIMEOUT_S) as answer:  # noqa: S310 - http, ours
            return dict(json.load(answer))

    def _log_text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _demand_alive(self) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            end = self._log_text().strip()[-_SHOWN_CHARS:]
            raise BenchError(f"the service ended with {code}: {end}")
