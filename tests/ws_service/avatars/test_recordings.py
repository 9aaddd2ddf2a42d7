"""Folders of recordings: made, removed, and swept where their service was killed."""

import shutil
from pathlib import Path

import pytest

from ws_service.avatars.recordings import Recordings


def test_each_job_has_a_folder_of_its_own_until_it_is_removed(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    first, second = recordings.new("a"), recordings.new("b")
    (first / "video_file").write_bytes(b"x")
    recordings.sweep()
    assert (first / "video_file").exists(), "its service lives"
    recordings.remove("a")
    recordings.remove("a")
    assert not first.exists()
    assert second.is_dir()
    recordings.close()
    assert not list(tmp_path.iterdir())


def test_nothing_lies_among_the_avatars_before_something_comes(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "avatars")
    recordings.remove("a")
    recordings.sweep()
    recordings.close()
    assert not list(tmp_path.iterdir())


def test_what_a_dead_service_left_is_swept_and_what_another_holds_is_not(tmp_path: Path) -> None:
    other = Recordings(tmp_path)
    theirs = other.new("a")
    left = tmp_path / ".uploads.0123abcd.unfinished"
    (left / "b").mkdir(parents=True)
    Recordings(tmp_path).sweep()
    assert theirs.is_dir()
    assert not left.exists()


def test_a_folder_that_somebody_removed_is_made_anew(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    shutil.rmtree(recordings.new("a").parent)
    assert recordings.new("b").is_dir()
    recordings.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        Recordings(tmp_path / "file").new("a")
