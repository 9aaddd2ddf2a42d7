import runpy
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.fakes.avatar_server import AvatarServer
from tests.test_client.test_audio_file import write_wav

EXAMPLE = Path(__file__).parents[2] / "examples" / "push_wav.py"


async def test_the_example_pushes_a_sound_and_saves_a_film(tmp_path: Path) -> None:
    push = runpy.run_path(str(EXAMPLE))["main"]
    async with AvatarServer() as server:
        await push(write_wav(tmp_path / "speech.wav", 22_050, 0.5), tmp_path / "out.mp4", server.url)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].frames >= 13
        assert len(container.streams.audio) == 1


@pytest.mark.parametrize("arguments", [[], ["speech.wav"], ["a", "b", "c", "d"]])
def test_the_example_without_its_arguments_says_which_it_wants(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE, *arguments], cwd=EXAMPLE.parents[1], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ")
    assert len(done.stderr.splitlines()) == 1
