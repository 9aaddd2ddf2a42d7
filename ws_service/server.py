"""uvicorn, set up for streams: our WebSocket protocol, small socket buffers, and a drain before the sockets close.

Also how the process ends when its engine failed for good: sessions first, then without waiting for what hangs.
"""

import asyncio
import errno
import faulthandler
import os
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn
from starlette.applications import Starlette

from ws_service.errors import StartError
from ws_service.settings import Settings
from ws_service.sockets.transport import AvatarWebSocketProtocol

EXIT_RESTART = 70  # EX_SOFTWARE of sysexits.h: the engine failed for good, start another process
_LAST_RESORT_S = 30.0  # for whatever hangs on the way out, the drain aside
SEND_BUFFER_BYTES = 262_144  # of the kernel, per connection; the default lets megabytes pile up for a stopped reader


class DrainingServer(uvicorn.Server):
    """On SIGTERM or SIGINT: no new sessions, CLOSE_ACK to the open ones, then stop. A second signal stops at once.

    When the service has failed it has told the sessions to leave; then the same. uvicorn alone would close the sockets
    with 1012 before the application hears of it.
    """

    def __init__(
        self, config: uvicorn.Config, app: Starlette, drain_timeout_s: float, at_failure: Callable[[], None]
    ) -> None:
        """`at_failure`: called once, when the service has failed and the drain begins."""
        super().__init__(config)
        self._service = app.state.service
        self._admission = app.state.service.admission
        self._drain_timeout_s = drain_timeout_s
        self._at_failure = at_failure
        self._drain_until_s: float | None = None
        self._asked = False
        self._failed = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came in."""
        if self._asked:
            super().handle_exit(sig, frame)
        self._asked = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; True ends the server."""
        failed = self._service.failure is not None
        if failed and not self._failed:
            self._failed = True
            self._at_failure()
        if (self._asked or failed) and not self.should_exit:
            now_s = asyncio.get_running_loop().time()
            if self._drain_until_s is None:
                self._drain_until_s = now_s + self._drain_timeout_s
                structlog.get_logger().info("draining", open_sessions=self._admission.active)
                self._service.jobs.close()
                self._admission.drain()
            elif self._admission.active == 0 or now_s >= self._drain_until_s:
                self.should_exit = True
        return await super().on_tick(counter)


def check_certificate(certfile: Path | None, keyfile: Path | None, password: str) -> bool:
    """Whether to speak TLS. Raises `StartError` with a sentence for files that cannot be used, before any prompt."""
    if certfile is None and keyfile is None:
        return False
    if certfile is None or keyfile is None:
        raise StartError("SSL_CERTFILE and SSL_KEYFILE go together; name a file that holds both twice")
    for name, path in (("SSL_CERTFILE", certfile), ("SSL_KEYFILE", keyfile)):
        try:
            path.read_bytes()
        except OSError as error:
            raise StartError(f"{name}={path} cannot be read: {error.strerror or error}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certfile)
    except ssl.SSLError:
        raise StartError(f"SSL_CERTFILE={certfile} holds no certificate in PEM form") from None
    encrypted = False

    def answer() -> str:
        nonlocal encrypted
        encrypted = True
        return password

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, answer)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            wrong = f"is not the key of the certificate in SSL_CERTFILE={certfile}"
        elif encrypted:
            wrong = "is encrypted and " + (
                "SSL_KEYFILE_PASSWORD does not open it" if password else "SSL_KEYFILE_PASSWORD is not set"
            )
        else:
            wrong = "holds no private key in PEM form"
        raise StartError(f"SSL_KEYFILE={keyfile} {wrong}") from None
    return True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `StartError` with a sentence when the port or address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # accepted sockets inherit it
    try:
        sock.bind((host, port))
        sock.listen()  # from here on a client waits instead of being refused
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"Port {port} on {host} is in use; set PORT to a free one") from None
        raise StartError(f"Cannot listen on {host}:{port} (HOST, PORT): {error.strerror or error}") from None
    return sock


def end_at_the_latest(drain_timeout_s: float) -> None:
    """End the process after the drain and some time more, whatever hangs, with the stacks of all threads on stderr."""
    faulthandler.dump_traceback_later(drain_timeout_s + _LAST_RESORT_S, exit=True)


def end_for_restart() -> NoReturn:
    """End the process now with `EXIT_RESTART`: threads that hang on a dead device would keep the usual end waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_RESTART)


def make_server(app: Starlette, settings: Settings, at_failure: Callable[[], None] = lambda: None) -> DrainingServer:
    """The server, not yet running. `at_failure`: called when the service has failed for good."""
    config = uvicorn.Config(
        app,
        ws=AvatarWebSocketProtocol,
        ws_max_size=settings.ws_max_message_bytes,
        ws_ping_interval=settings.ws_ping_interval_s,
        ws_ping_timeout=settings.ws_ping_interval_s,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_keyfile_password=settings.ssl_keyfile_password.get_secret_value() or None,
    )
    return DrainingServer(config, app, settings.drain_timeout_s, at_failure)
