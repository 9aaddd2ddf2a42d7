"""https and wss by the real server, with a certificate of a private authority; and what stops its start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from test_client.connection import open_socket
from test_client.errors import ConnectionRefused
from tests.end_to_end.browser import browser, open_tab
from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import COMMAND, RunningService
from tests.fakes.certificates import PASSWORD, Certificate, new_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return new_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secure(avatars_dir: Path, service: RunningService, certificate: Certificate) -> Iterator[RunningService]:
    """`service`: for the avatar that it has prepared in the same folder."""
    settings = {
        "SSL_CERTFILE": str(certificate.certfile),
        "SSL_KEYFILE": str(certificate.encrypted_keyfile),
        "SSL_KEYFILE_PASSWORD": PASSWORD,
    }
    with RunningService(avatars_dir, authority=certificate.authority, **settings) as running:
        yield running


async def test_pages_and_streams_come_over_tls(secure: RunningService, certificate: Certificate) -> None:
    assert secure.http.startswith("https://127.0.0.1:")
    trusting = certificate.client_context()
    async with httpx.AsyncClient(base_url=secure.http, verify=trusting, trust_env=False) as http:
        assert (await http.get("/ready")).json()["ready"] is True
        async with Conversation(f"{secure.websocket}/musetalk/v1/ws/tester", {"ssl": trusting}) as c:
            await c.generate(bytes(32_000))
            await c.next("SPEAK_ENDED")
            await c.frames_more(25)
            spoken = await http.post("/speak", json={"text": "... !"})
            assert spoken.status_code == 400
        assert len(c.generated) == 25
        assert len((await http.get("/sessions")).json()["sessions"]) == 0


async def test_the_client_trusts_a_private_authority_that_it_is_told_of(
    secure: RunningService, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConnectionRefused, match=r"not trusted here .*; SSL_CERT_FILE names"):
        await open_socket(secure.websocket, "me", binary=True)
    with pytest.raises(ConnectionRefused, match="did not answer as a WebSocket server"):
        await open_socket(secure.websocket.replace("wss", "ws"), "me", binary=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    socket = await open_socket(secure.websocket, "me", binary=True)
    assert await socket.recv()
    await socket.close()


@pytest.mark.browser
async def test_the_page_streams_over_tls(secure: RunningService) -> None:
    async with browser() as chromium:
        tab = await open_tab(chromium, secure.http, ignore_https_errors=True)
        await tab.connected()
        await tab.pictures_more(10)
        assert await tab.page.evaluate("isSecureContext && 'VideoDecoder' in window")
    assert tab.console_errors == []


async def test_a_client_that_asks_for_tls_of_a_service_without_is_told(service: RunningService) -> None:
    with pytest.raises(ConnectionRefused, match="is it ws:// instead"):
        await open_socket(service.websocket.replace("ws", "wss", 1), "me", binary=True)


def test_a_key_of_another_certificate_stops_the_start_with_a_sentence(certificate: Certificate, tmp_path: Path) -> None:
    named = {"SSL_CERTFILE": str(certificate.certfile), "SSL_KEYFILE": str(certificate.other_keyfile)}
    environment = {**os.environ, **named, "PORT": "0", "AVATARS_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMMAND, "serve"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "other.pem is not the key of the certificate" in result.stderr
