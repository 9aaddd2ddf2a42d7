import asyncio
import json
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import typer
from typer.testing import CliRunner, Result

from test_client import load
from test_client.cli import register
from tests.fakes.avatar_server import AvatarServer


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_SETTLE_S", 0.05)


@pytest.fixture
def server() -> Iterator[AvatarServer]:
    """A server on a loop of its own: the commands run theirs."""
    running = AvatarServer(tick_s=0.02)
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running:
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    yield running
    stop.set()
    thread.join()


@pytest.fixture
def half_a_second(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 22_050, 0, "NONE", ""))
        file.writeframes(bytes(22_050))
    return path


def musetalk(*arguments: object, typed: str | None = None) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


@pytest.mark.parametrize("options", [[], ["--text-mode"], ["--all-intra"], ["--audio-out"], ["--native-rate"]])
def test_a_file_is_spoken_and_saved(
    server: AvatarServer, half_a_second: Path, tmp_path: Path, options: list[str]
) -> None:
    film = tmp_path / "out.mp4"
    always = ["--server", server.url, "--audio", half_a_second, "--save", film, "--burst", "--lead", "0.05"]
    result = musetalk("client", *always, *options)
    assert result.exit_code == 0, result.output
    assert "Every rule of the stream was kept." in result.output
    with av.open(str(film)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}


def test_json_is_json(server: AvatarServer, half_a_second: Path) -> None:
    result = musetalk("client", "--server", server.url, "--audio", half_a_second, "--burst", "--lead", "0.05", "--json")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["generated_frames"] == 13
    assert figures["violations"] == []


def test_an_error_of_the_server_is_exit_code_1(server: AvatarServer, half_a_second: Path) -> None:
    server.max_queued_bytes = 2000
    result = musetalk("client", "--server", server.url, "--audio", half_a_second, "--burst", "--lead", "0.05")
    assert result.exit_code == 1
    assert "RATE_LIMIT_EXCEEDED" in result.output
    assert "broken" in result.output


def test_an_unknown_avatar_is_told_once(server: AvatarServer, half_a_second: Path) -> None:
    result = musetalk("client", "--server", server.url, "--audio", half_a_second, "--avatar-id", "nobody")
    assert result.exit_code == 2
    assert "bitrate" in result.output  # the pictures seen before the answer are reported
    assert result.output.count("There is no avatar named 'nobody'") == 1


def test_commands_typed_in_are_obeyed(server: AvatarServer) -> None:
    result = musetalk("client", "--server", server.url, "--interactive", typed="init\naction 9\nquit\n")
    assert result.exit_code == 0, result.output
    assert "idle_0, speaking_0" in result.output
    assert "There is no action 9" in result.output


def test_the_end_of_typed_commands_is_quit(server: AvatarServer) -> None:
    assert musetalk("client", "--server", server.url, "--interactive", typed="init\n").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["client", "--server", "http://x"], "is no WebSocket address"),
        (["client", "--server", "ws://127.0.0.1:1"], "Nobody answers"),
        (["client", "--user-id", "a b"], "user id"),
        (["client", "--audio", "/nowhere/a.wav"], "There is no file"),
        (["client", "--save", "/nowhere/a.mp4"], "There is no folder"),
        (["client", "--save", "film.txt"], "only MP4 is written"),
        (["client", "--save", "film"], "only MP4 is written"),
        (["load"], "No users"),
        (["load", "--idle", "1", "--plot", "/nowhere/a.png"], "There is no folder"),
    ],
)
def test_bad_usage_is_a_sentence_and_exit_code_2(arguments: list[str], sentence: str) -> None:
    result = musetalk(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_load_prints_a_table_and_draws_a_picture(server: AvatarServer, tmp_path: Path) -> None:
    plot = tmp_path / "load.png"
    result = musetalk("load", "--server", server.url, "--idle", 2, "--speaking", 1, "--seconds", 1, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "speaking start" in result.output
    assert plot.stat().st_size > 10_000


def test_load_prints_json(server: AvatarServer) -> None:
    result = musetalk("load", "--server", server.url, "--idle", 1, "--seconds", 1, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["idle"]["users"] == 1


def test_load_on_nobody_is_exit_code_2() -> None:
    result = musetalk("load", "--server", "ws://127.0.0.1:1", "--idle", 2, "--seconds", 1)
    assert result.exit_code == 2
    assert "2 x Nobody answers" in result.output
