"""Listening, and what a signal does before uvicorn closes sockets."""

import signal
import socket
import subprocess
import sys

import pytest

from tests.fakes.certificates import PASSWORD, Certificate, new_certificate
from ws_service.app import build_app
from ws_service.errors import StartError
from ws_service.server import EXIT_RESTART, SEND_BUFFER_BYTES, check_certificate, listen, make_server
from ws_service.settings import Settings


def test_a_free_port_is_listened_on_with_a_bounded_buffer() -> None:
    with listen("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname(), timeout=2):
            pass
        # Linux doubles what is asked for
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES


def test_a_port_in_use_is_a_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} on 127.0.0.1 is in use"):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(StartError, match="HOST"):
        listen("203.0.113.7", 0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return new_certificate(tmp_path_factory.mktemp("certificate"))


def test_without_files_there_is_no_tls_and_with_those_that_fit_there_is(certificate: Certificate) -> None:
    assert not check_certificate(None, None, "")
    assert check_certificate(certificate.certfile, certificate.keyfile, "")
    assert check_certificate(certificate.certfile, certificate.encrypted_keyfile, PASSWORD)


@pytest.mark.parametrize(
    ("certfile", "keyfile", "password", "says"),
    [
        ("cert", None, "", "go together"),
        (None, "key", "", "go together"),
        ("missing", "key", "", r"SSL_CERTFILE=.*missing\.pem cannot be read: No such file"),
        ("cert", "missing", "", r"SSL_KEYFILE=.*missing\.pem cannot be read: No such file"),
        ("key", "cert", "", r"SSL_CERTFILE=.*key\.pem holds no certificate"),
        ("cert", "cert", "", r"SSL_KEYFILE=.*cert\.pem holds no private key"),
        (
            "cert",
            "other",
            "",
            r"SSL_KEYFILE=.*other\.pem is not the key of the certificate in SSL_CERTFILE=.*cert\.pem",
        ),
        ("cert", "encrypted", "", "is encrypted and SSL_KEYFILE_PASSWORD is not set"),
        ("cert", "encrypted", "guess", "is encrypted and SSL_KEYFILE_PASSWORD does not open it"),
    ],
)
def test_files_that_do_not_work_are_a_sentence(
    certificate: Certificate, certfile: str | None, keyfile: str | None, password: str, says: str
) -> None:
    folder = certificate.certfile.parent
    paths = [folder / f"{name}.pem" if name else None for name in (certfile, keyfile)]
    with pytest.raises(StartError, match=says) as refused:
        check_certificate(*paths, password)
    assert "guess" not in str(refused.value)


async def test_a_signal_drains_first_and_stops_when_nobody_is_left() -> None:
    app = build_app(Settings(_env_file=None))  # type: ignore[call-arg]
    server = make_server(app, Settings(_env_file=None))  # type: ignore[call-arg]
    assert await server.on_tick(1) is False
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(2) is False, "asked to leave; sockets get a moment to say goodbye"
    assert app.state.service.admission.draining
    assert "the service is shutting down" in app.state.service.not_ready()
    assert await server.on_tick(3) is True


async def test_a_second_signal_stops_at_once() -> None:
    app = build_app(Settings(_env_file=None))  # type: ignore[call-arg]
    server = make_server(app, Settings(_env_file=None))  # type: ignore[call-arg]
    server.handle_exit(signal.SIGTERM, None)
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(1) is True


async def test_a_service_that_failed_drains_and_stops_and_arms_the_last_resort_once() -> None:
    armed: list[bool] = []
    app = build_app(Settings(_env_file=None))  # type: ignore[call-arg]
    server = make_server(app, Settings(_env_file=None), at_failure=lambda: armed.append(True))  # type: ignore[call-arg]
    assert await server.on_tick(1) is False
    assert not armed
    app.state.service.fail("the engine is lost")
    assert await server.on_tick(2) is False, "sockets get a moment to say goodbye"
    assert await server.on_tick(3) is True
    assert await server.on_tick(4) is True
    assert armed == [True]


def test_the_end_for_a_restart_waits_for_no_thread_and_says_so_by_its_code() -> None:
    program = (
        "import threading; from concurrent.futures import ThreadPoolExecutor\n"
        "ThreadPoolExecutor().submit(threading.Event().wait)  # the usual end would wait for it\n"
        "from ws_service.server import end_for_restart\n"
        "print('last words'); end_for_restart()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (EXIT_RESTART, "last words\n")
