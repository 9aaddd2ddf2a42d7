import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models import unfinished_folder
from models.unfinished_folder import UnfinishedFolder, remove_folder, sweep

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, time
from pathlib import Path
from models.unfinished_folder import UnfinishedFolder
(UnfinishedFolder(Path(sys.argv[1])).path / "half").write_text("written")
print("ready", flush=True)
time.sleep(60)
"""
# replaces a folder over and over until it is killed: whichever moment that is, one whole folder must be there
REPLACER = """
import sys
from itertools import count
from pathlib import Path
from models import unfinished_folder
from models.unfinished_folder import UnfinishedFolder
if sys.argv[2] == "in two steps":
    unfinished_folder._exchange = lambda *_: False
for number in count():
    with UnfinishedFolder(Path(sys.argv[1])) as folder:
        for file in ("a", "b"):
            (folder.path / file).write_text(str(number))
        folder.publish(replace=True)
    if number == 0:
        print("ready", flush=True)
"""


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _put(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_text(text)
    return folder


def _no_locks(*_: int) -> None:
    raise OSError(95, "Operation not supported")


@pytest.fixture(params=["in one step", "in two steps"])
def way(request, monkeypatch) -> str:
    """Of replacing: as here, and as on file systems that cannot exchange two folders."""
    if request.param == "in two steps":
        monkeypatch.setattr(unfinished_folder, "_exchange", lambda *_: False)
    return request.param


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path):
    target = tmp_path / "anna"
    with subprocess.Popen([sys.executable, "-c", WRITER, target], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        (left,) = tmp_path.iterdir()
        sweep(tmp_path)
        assert (left / "half").read_text() == "written"
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert _names(tmp_path) == [left.name]
    UnfinishedFolder(tmp_path / "another").close()
    assert _names(tmp_path) == []


@pytest.mark.parametrize("how", ["in one step", "in two steps"])
def test_a_writer_killed_at_any_moment_leaves_a_whole_folder_and_nothing_else(tmp_path, how):
    target = tmp_path / "anna"
    for _ in range(3):
        command = [sys.executable, "-c", REPLACER, target, how]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
        sweep(tmp_path)
        assert _names(tmp_path) == ["anna"]
        assert (target / "a").read_text() == (target / "b").read_text()


def test_two_at_once_have_a_folder_each(tmp_path):
    first, second = UnfinishedFolder(tmp_path / "anna"), UnfinishedFolder(tmp_path / "anna")
    assert first.path != second.path
    assert _names(tmp_path) == sorted([first.path.name, second.path.name])
    first.close()
    assert _names(tmp_path) == [second.path.name]
    second.close()
    second.close()


def test_the_second_of_two_publishes_only_where_it_may_replace(tmp_path, way):
    target = tmp_path / "anna"
    with UnfinishedFolder(target) as first, UnfinishedFolder(target) as second:
        for folder, text in ((first, "first"), (second, "second")):
            (folder.path / "file").write_text(text)
        first.publish()
        with pytest.raises(FileExistsError):
            second.publish()
        assert (target / "file").read_text() == "first"
        second.publish(replace=True)
    assert (target / "file").read_text() == "second"
    assert _names(tmp_path) == ["anna"]


def test_what_is_replaced_or_removed_stays_readable_for_who_has_it_open(tmp_path, way):
    target = _put(tmp_path / "anna", "old")
    with (target / "file").open() as old:
        with UnfinishedFolder(target) as folder:
            (folder.path / "file").write_text("new")
            folder.publish(replace=True)
        assert old.read() == "old"
    with (target / "file").open() as new:
        remove_folder(target)
        assert _names(tmp_path) == []
        assert new.read() == "new"
    with pytest.raises(FileNotFoundError):
        remove_folder(target)


def test_of_a_link_the_link_alone_is_replaced_or_removed(tmp_path, way):
    elsewhere, folder = _put(tmp_path / "elsewhere", "kept"), tmp_path / "avatars"
    folder.mkdir()
    (folder / "anna").symlink_to(elsewhere)
    remove_folder(folder / "anna")
    assert _names(folder) == []
    (folder / "anna").symlink_to(elsewhere)
    with UnfinishedFolder(folder / "anna") as new:
        (new.path / "file").write_text("new")
        with pytest.raises(FileExistsError):
            new.publish()
        new.publish(replace=True)
    assert _names(folder) == ["anna"]
    assert (folder / "anna" / "file").read_text() == "new"
    assert (elsewhere / "file").read_text() == "kept"


def test_links_that_killed_writers_left_are_removed_without_what_they_lead_to(tmp_path):
    elsewhere, folder = _put(tmp_path / "elsewhere", "kept"), tmp_path / "avatars"
    _put(folder / "anna", "new")
    for kind in ("unfinished", "old"):
        (folder / f".anna.0123abcd.{kind}").symlink_to(elsewhere)
    sweep(folder)
    assert _names(folder) == ["anna"]
    assert (elsewhere / "file").read_text() == "kept"


def test_only_leftovers_are_removed(tmp_path):
    others = [".anna.mine.unfinished", "anna.0123abcd.unfinished", "anna", ".anna", "b"]
    for name in [*others, ".anna.0123abcd.unfinished", ".b.c.0123abcd.unfinished"]:
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert _names(tmp_path) == sorted(others)
    sweep(tmp_path / "missing")


def test_what_gave_way_comes_back_unless_its_successor_is_there(tmp_path):
    _put(tmp_path / ".anna.0123abcd.old", "old")
    sweep(tmp_path)
    assert _names(tmp_path) == ["anna"]
    _put(tmp_path / ".anna.0123abcd.old", "older")
    sweep(tmp_path)
    assert _names(tmp_path) == ["anna"]
    assert (tmp_path / "anna" / "file").read_text() == "old"


def test_what_gives_way_just_now_is_left_to_its_writer(tmp_path):
    with UnfinishedFolder(tmp_path / "anna") as writer:
        old = _put(writer.path.with_suffix(".old"), "old")
        sweep(tmp_path)
        assert old.exists()


@pytest.mark.parametrize(("age_s", "stays"), [(60, True), (7200, False)])
def test_without_locks_age_tells(tmp_path, monkeypatch, age_s, stays):
    monkeypatch.setattr(fcntl, "flock", _no_locks)
    left = tmp_path / ".anna.0123abcd.unfinished"
    left.mkdir()
    then_s = left.stat().st_mtime - age_s
    os.utime(left, (then_s, then_s))
    UnfinishedFolder(tmp_path / "anna").close()
    assert left.exists() == stays


def test_a_folder_taken_for_a_dead_ones_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    lock, removed = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].rmdir()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    made = UnfinishedFolder(tmp_path / "anna")
    assert made.path != removed[0]
    assert _names(tmp_path) == [made.path.name]
    made.close()
