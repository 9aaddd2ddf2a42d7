"""The real child: what it makes, how it ends, and what it may take. Few, since each costs seconds of work."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from models.prepared_avatar import load_avatar
from models.unfinished_folder import sweep
from ws_service.avatars.child_messages import DONE, PreparationRequest, Progress
from ws_service.avatars.child_process import PreparationChild

PORTRAIT = Path(__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"


def request(folder: Path, source: Path = PORTRAIT, field: str = "image_file") -> PreparationRequest:
    return PreparationRequest("anna", folder, {field: source}, False, 1536 << 20)


def test_a_photo_becomes_an_avatar_in_a_process_that_takes_what_others_leave(tmp_path: Path) -> None:
    heard: list[Progress] = []
    policies: set[int] = set()
    appeared: list[bool] = []

    def hear(progress: Progress) -> None:
        heard.append(progress)
        appeared.append((tmp_path / "anna" / "loops.libx264.npz").is_file() == (progress == DONE))
        pid = child._process.pid  # type: ignore[union-attr]
        policies.add(os.sched_getscheduler(pid))
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        if progress == DONE:
            child.stop()  # too late: the avatar is there

    child = PreparationChild(request(tmp_path), hear)
    ending = child.run()
    assert ending.error is None
    assert 50 < ending.peak_memory_bytes >> 20 < 800
    assert load_avatar(tmp_path / "anna").name == "anna"
    assert [entry.name for entry in tmp_path.iterdir()] == ["anna"]
    assert policies == {os.SCHED_IDLE}
    assert all(appeared), "whole, loops included, when it is told; not before"
    assert [progress.fraction for progress in heard] == sorted(progress.fraction for progress in heard)
    assert [progress.stage for progress in heard][-3:] == ["encoding the loops", "saving", "done"]
    encoding = [progress for progress in heard if progress.stage == "encoding the loops"]
    assert len({progress.fraction for progress in encoding}) > 1
    assert encoding[-1].frames_per_second
    assert any(progress.thumbnail for progress in heard)
    assert any(progress.frames_per_second for progress in heard)


def write_grey_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((128, 128, 3), 90, np.uint8), "bgr24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("content", "field", "says"),
    [
        (b"no picture", "image_file", "^file: not a picture"),
        (b"no video", "video_file", "^file: not a video"),
        # FFmpeg alone would follow it
        (b"ffconcat version 1.0\nfile clip.mp4\n", "video_file", "^file: not a video"),
    ],
)
def test_a_recording_that_is_none_ends_with_a_sentence(tmp_path: Path, content: bytes, field: str, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    write_grey_clip(tmp_path / "clip.mp4")
    avatars = tmp_path / "avatars"
    avatars.mkdir()
    ending = PreparationChild(request(avatars, tmp_path / "file", field), lambda _: None).run()
    assert ending.error is not None
    assert re.search(says, ending.error)
    assert not list(avatars.iterdir())


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["in front", "a script's background job"])
def started(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the service was started with for Ctrl-C, and its children with it."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("started")
def test_a_child_that_is_stopped_clears_up(tmp_path: Path) -> None:
    begun = threading.Event()
    child = PreparationChild(request(tmp_path), lambda progress: progress.fraction > 0.1 and begun.set())
    endings: list[str | None] = []
    running = threading.Thread(target=lambda: endings.append(child.run().error))
    running.start()
    assert begun.wait(60)
    assert [entry.suffix for entry in tmp_path.iterdir()] == [".unfinished"]
    child.stop()
    child.stop()
    running.join(30)
    assert endings == ["The preparation ended with code 0."]
    assert not list(tmp_path.iterdir())


def test_a_child_that_was_killed_is_told_and_swept(tmp_path: Path) -> None:
    child = PreparationChild(request(tmp_path), lambda _: child._process.kill())  # type: ignore[union-attr]
    assert child.run().error == "The preparation was ended by signal 9."
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_child_stopped_before_it_began_never_starts(tmp_path: Path) -> None:
    child = PreparationChild(request(tmp_path), lambda _: None)
    child.stop()
    began_s = time.monotonic()
    assert child.run().error is not None
    assert time.monotonic() - began_s < 1
    assert not list(tmp_path.iterdir())
