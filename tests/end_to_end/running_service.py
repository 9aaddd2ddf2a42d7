"""The real service in a process of its own, as `musetalk serve` starts it, for tests and benchmarks."""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

COMMAND = "from ws_service.cli import main; main()"


class RunningService:
    """Starts on a free port; `with` waits until it is ready and ends it with SIGTERM."""

    def __init__(
        self, avatars_dir: Path, program: str = COMMAND, *, authority: Path | None = None, **settings: str
    ) -> None:
        """`program`: Python that becomes the service. `authority`: who signed its certificate, where it has one."""
        environment = {key: value for key, value in os.environ.items() if key.lower() not in ("host", "port")}
        environment |= {"PORT": "0", "AVATARS_DIR": str(avatars_dir), "LOG_LEVEL": "warning", **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "serve"],
            env=environment,
            cwd=avatars_dir,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.http = ""
        self._tls = ssl.create_default_context(cafile=authority) if authority else None

    @property
    def websocket(self) -> str:
        """ws://host:port, or wss."""
        return self.http.replace("http", "ws", 1)

    def address(self) -> str:
        """Wait for the line that names the address."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"(https?://\S+)", line)
            if found:
                self.http = found.group(1)
                return self.http
        raise AssertionError(f"the service ended with {self.process.wait()} before it listened")

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Poll /ready until it answers 200."""
        until_s = time.monotonic() + timeout_s
        while True:
            try:
                with urllib.request.urlopen(self.http + "/ready", timeout=5, context=self._tls):
                    return
            except urllib.error.HTTPError as error:
                body = error.read().decode()
                if time.monotonic() > until_s:
                    raise AssertionError(f"not ready after {timeout_s} s: {body}") from None
            time.sleep(0.05)

    def __enter__(self) -> "RunningService":
        self.address()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()
            if self.process.stderr is not None:
                self.process.stderr.close()
