"""The README keeps its word: its example runs, its commands and settings exist, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import av

from tests.end_to_end.lip_measure import SPEECH
from tests.end_to_end.running_service import RunningService

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_ten_line_example_pushes_a_wav_and_saves_an_mp4(service: RunningService, tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (tmp_path / "speech.wav").write_bytes((SPEECH / "hts_ona_catalan.wav").read_bytes())
    code = example.replace("ws://127.0.0.1:8000", service.websocket)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=60)
    with av.open(str(tmp_path / "speaking.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) > 50
        assert film.streams.audio


def test_every_link_into_the_repository_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_file_of_follow_one_chunk_exists() -> None:
    walk = README.split("## Follow one chunk")[1].split("## The house")[0]
    named = set(re.findall(r"`([\w/]+\.py)`", walk))
    files = {
        str(p.relative_to(ROOT)) for top in ("ws_service", "protocol", "models") for p in (ROOT / top).rglob("*.py")
    }
    assert len(named) > 12
    for name in named:
        assert any(file == name or file.endswith("/" + name) for file in files), name


def test_every_command_of_the_readme_exists() -> None:
    commands = set(re.findall(r"musetalk (\w+)", README)) - {"stream"}
    program = [sys.executable, "-c", "from ws_service.cli import main; main()"]
    running = {
        command: subprocess.Popen([*program, command, "--help"], stdout=subprocess.DEVNULL, cwd=ROOT)
        for command in commands
    }
    assert {command: process.wait(60) for command, process in running.items()} == dict.fromkeys(commands, 0)
