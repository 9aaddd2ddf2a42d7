import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.unfinished_folder import UnfinishedFolder

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, time
from pathlib import Path
from models.unfinished_folder import UnfinishedFolder
(UnfinishedFolder(Path(sys.argv[1])).path / "half").write_text("written")
print("ready", flush=True)
time.sleep(60)
"""


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _no_locks(*_: int) -> None:
    raise OSError(95, "Operation not supported")


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path):
    target = tmp_path / "anna"
    with subprocess.Popen([sys.executable, "-c", WRITER, target], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        (left,) = tmp_path.iterdir()
        UnfinishedFolder(target).close()
        assert (left / "half").read_text() == "written"
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert _names(tmp_path) == [left.name]
    UnfinishedFolder(target).close()
    assert _names(tmp_path) == []


def test_two_at_once_have_a_folder_each(tmp_path):
    first, second = UnfinishedFolder(tmp_path / "anna"), UnfinishedFolder(tmp_path / "anna")
    assert first.path != second.path
    assert _names(tmp_path) == sorted([first.path.name, second.path.name])
    first.close()
    assert _names(tmp_path) == [second.path.name]
    second.close()
    second.close()


def test_only_what_belongs_to_the_same_target_is_removed(tmp_path):
    others = [".anna.b.0123abcd.unfinished", ".ann.0123abcd.unfinished", ".anna.mine.unfinished", "anna", ".anna"]
    for name in [*others, ".anna.0123abcd.unfinished"]:
        (tmp_path / name).mkdir()
    UnfinishedFolder(tmp_path / "anna").close()
    assert _names(tmp_path) == sorted(others)


def test_what_gave_way_is_removed_only_when_its_successor_is_there(tmp_path):
    old = tmp_path / ".anna.0123abcd.old"
    old.mkdir()
    UnfinishedFolder(tmp_path / "anna").close()
    assert old.exists()
    (tmp_path / "anna").mkdir()
    UnfinishedFolder(tmp_path / "anna").close()
    assert not old.exists()


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


def test_a_folder_that_was_moved_stays(tmp_path):
    made = UnfinishedFolder(tmp_path / "anna")
    made.path.rename(tmp_path / "anna")
    made.close()
    assert _names(tmp_path) == ["anna"]
