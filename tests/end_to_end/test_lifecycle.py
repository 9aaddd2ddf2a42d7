"""Start, limits, drain: services of their own."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import RunningService


def conversation(service: RunningService, user_id: str = "tester", **options: object) -> Conversation:
    return Conversation(f"{service.websocket}/musetalk/v1/ws/{user_id}", options)


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def musetalk(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    import os

    return subprocess.run(
        [sys.executable, "-c", "from ws_service.cli import main; main()", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.usefixtures("service")
async def test_sigterm_says_goodbye_to_open_sessions_and_ends_with_zero(avatars_dir: Path) -> None:
    with RunningService(avatars_dir) as service:
        async with conversation(service) as c:
            await c.frames_more(3)
            service.process.send_signal(signal.SIGTERM)
            assert await c.closed() == 1001
        assert c.of("CLOSE_ACK")[0].data["reason"] == "server_shutdown"
        assert await asyncio.to_thread(service.process.wait, 10) == 0


@pytest.mark.usefixtures("service")
async def test_at_the_session_limit_a_connect_is_refused_with_a_reason(avatars_dir: Path) -> None:
    with RunningService(avatars_dir, MAX_SESSIONS="1") as service:
        async with conversation(service) as first:
            await first.frames_more(2)
            async with conversation(service) as second:
                assert await second.closed() == 4429
            assert second.of("ERROR")[0].data["code"] == "RATE_LIMIT_EXCEEDED"
            assert not second.frames
            await first.frames_more(2)
        async with asyncio.timeout(5):
            while json.loads(await asyncio.to_thread(fetch, service.http + "/sessions"))["active"]:
                await asyncio.sleep(0.02)
        async with conversation(service) as third:
            await third.frames_more(2)


@pytest.mark.usefixtures("service")
async def test_idle_time_out_says_why(avatars_dir: Path) -> None:
    with RunningService(avatars_dir, IDLE_TIMEOUT_S="1") as service:
        async with conversation(service) as c:
            assert await c.closed() == 1000
    assert c.of("CLOSE_ACK")[0].data["reason"] == "timeout"


@pytest.mark.usefixtures("service")
async def test_the_origin_of_a_page_is_checked(avatars_dir: Path) -> None:
    with RunningService(avatars_dir, CORS_ORIGINS="https://good.example") as service:
        url = f"{service.websocket}/musetalk/v1/ws/tester"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, origin="https://evil.example"):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, origin="http://["):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403
        for origin in ("https://good.example", service.http):
            async with connect(url, origin=origin) as socket_:  # type: ignore[arg-type]
                assert json.loads(await socket_.recv())["type"] == "VIDEO_FRAME"


@pytest.mark.usefixtures("service")
async def test_require_avatar_refuses_an_unknown_user(avatars_dir: Path) -> None:
    with RunningService(avatars_dir, REQUIRE_AVATAR="true") as service:
        async with conversation(service, "nobody") as c:
            await c.say("INIT", {"user_id": "nobody"})
            error = await c.next("ERROR")
    assert error.data["code"] == "MODEL_NOT_FOUND"


@pytest.mark.usefixtures("service")
def test_a_damaged_default_avatar_is_named_while_the_others_are_served(tmp_path: Path, avatars_dir: Path) -> None:
    shutil.copytree(avatars_dir / "default", tmp_path / "default", copy_function=os.link)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    with RunningService(tmp_path, DEFAULT_AVATAR="broken") as service:
        with urllib.request.urlopen(service.http + "/ready") as answer:
            (reason,) = json.load(answer)["reasons"]
        assert re.search(r"broken.*manifest", reason)


def test_what_cannot_get_ready_says_why(tmp_path: Path) -> None:
    service = RunningService(tmp_path)  # the built-in avatar has to be made first
    try:
        service.address()
        with pytest.raises(AssertionError, match=r"the (engine|built-in avatar) is being"):
            service.wait_ready(timeout_s=0)
        with urllib.request.urlopen(service.http + "/health") as answer:
            assert answer.status == 200
    finally:
        service.stop()


def test_a_port_in_use_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = musetalk("serve", PORT=port, AVATARS_DIR=str(tmp_path))
    assert result.returncode == 2
    assert f"Port {port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_avatar_folder_that_cannot_be_written_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = musetalk("serve", PORT="0", AVATARS_DIR=str(file / "avatars"))
    assert result.returncode == 2
    assert "AVATARS_DIR" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("ENGINE", "magic"),
        ("ENGINE", "musetalk"),
        ("DEVICE", "cuda"),
        ("DEFAULT_AVATAR", "nobody"),
        ("MAX_SESSIONS", "none"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_stops_the_start_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    result = musetalk("serve", **{"PORT": "0", "AVATARS_DIR": str(tmp_path), name: value})
    assert result.returncode == 2
    assert name in result.stderr
    assert value in result.stderr
    assert "Traceback" not in result.stderr


def test_preparing_over_an_existing_name_needs_force(avatars_dir: Path, service: RunningService) -> None:
    assert service.http
    result = musetalk("prepare", "--image", "x.png", "--name", "default", AVATARS_DIR=str(avatars_dir))
    assert result.returncode == 2
    assert "--force" in result.stderr


def test_preparing_a_picture_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    result = musetalk("prepare", "--image", str(tmp_path / "no.png"), "--name", "me", AVATARS_DIR=str(tmp_path))
    assert result.returncode == 2
    assert "no.png" in result.stderr
    assert "Traceback" not in result.stderr


def test_two_services_started_at_once_on_an_empty_folder_both_get_ready(tmp_path: Path) -> None:
    services = [RunningService(tmp_path) for _ in range(2)]
    try:
        for service in services:
            service.address()
        for service in services:
            service.wait_ready()
        assert [entry.name for entry in tmp_path.iterdir()] == ["default"], "nothing is left over"
    finally:
        for service in services:
            service.stop()


def test_the_version_is_told() -> None:
    from importlib.metadata import version

    assert musetalk("--version").stdout.strip() == version("musetalk-stream")
