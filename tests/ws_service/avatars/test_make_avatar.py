"""Whatever makes an avatar: it appears whole, its loops included, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.errors import AvatarError, PreparationError
from models.preparation.drawn_videos import Progress, silent
from models.prepared_avatar import load_avatar
from tests.ws_service.avatars.test_store import put_avatar, put_documents
from ws_service.avatars.make_avatar import make_builtin, make_whole

LOOPS = "loops.libx264.npz"


class Told:
    """What progress was told. `seen`: what lay in `folder` then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: list[str] = []
        self.shares: list[float] = []
        self.seen: list[list[str]] = []

    def __call__(self, stage: str, share: float) -> None:
        self.stages.append(stage)
        self.shares.append(share)
        self.seen.append(sorted(os.listdir(self.folder)) if self.folder.exists() else [])


def make(inner: Path, progress: Progress = silent) -> str:
    progress("drawing", 0.5)
    put_avatar(inner.parent, inner.name, shade=9)
    progress("drawn", 1.0)
    return "made"


def test_it_appears_with_its_loops_and_tells_of_each_picture_that_is_encoded(tmp_path: Path) -> None:
    told = Told(tmp_path / "anna")
    assert make_whole(make, tmp_path / "anna", replace=False, progress=told) == "made"
    assert load_avatar(tmp_path / "anna").videos["idle_0"].pictures[0, 0, 0] == 9
    assert told.stages == ["drawing", *["encoding the loops"] * 51, "saving", "done"]
    assert told.shares == sorted(told.shares)
    assert told.shares[-1] == 1.0
    assert told.seen[:-1] == [[]] * 53
    assert {LOOPS, "manifest.json"} <= set(told.seen[-1])
    assert os.listdir(tmp_path) == ["anna"]


def test_one_that_is_there_gives_way_only_when_it_is_to(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna", shade=1)
    with pytest.raises(AvatarError, match=r"anna: exists already, .* force_recreate=true .* replaces it"):
        make_whole(make, tmp_path / "anna", replace=False, progress=Told(tmp_path / "anna"))
    make_whole(make, tmp_path / "anna", replace=True, progress=Told(tmp_path / "anna"))
    assert load_avatar(tmp_path / "anna").videos["idle_0"].pictures[0, 0, 0] == 9
    assert os.listdir(tmp_path) == ["anna"]


@pytest.mark.parametrize("replace", [False, True])
def test_what_is_no_avatar_never_gives_way(tmp_path: Path, replace: bool) -> None:
    def make_slowly(inner: Path, progress: Progress) -> str:
        put_documents(tmp_path, "later")
        return make(inner, progress)

    (tmp_path / "letter").write_text("Dear ...")
    put_documents(tmp_path, "Documents")
    for name in ("Documents", "letter", "later"):
        with pytest.raises(AvatarError, match=rf"{name}: is no avatar, .* stays"):
            make_whole(make_slowly, tmp_path / name, replace=replace, progress=silent)
    assert sorted(os.listdir(tmp_path)) == ["Documents", "later", "letter"]
    (tmp_path / "empty").mkdir()
    make_whole(make, tmp_path / "empty", replace=replace, progress=silent)


def test_what_cannot_be_made_says_so_of_the_folder_asked_for_and_leaves_what_was_there(tmp_path: Path) -> None:
    def fail(inner: Path, progress: Progress) -> None:
        make(inner, progress)
        raise PreparationError(f"{inner}/idle_0: no face is found.")

    put_avatar(tmp_path, "anna", shade=1)
    with pytest.raises(PreparationError, match=f"^{tmp_path}/anna/idle_0: no face"):
        make_whole(fail, tmp_path / "anna", replace=True, progress=Told(tmp_path / "anna"))
    assert load_avatar(tmp_path / "anna").videos["idle_0"].pictures[0, 0, 0] == 1
    assert os.listdir(tmp_path) == ["anna"]


def test_who_guards_the_appearing_sees_the_whole_avatar_before_and_is_left_when_it_was_told(tmp_path: Path) -> None:
    @contextmanager
    def guard(folder: Path) -> Iterator[None]:
        assert (folder / LOOPS).is_file()
        assert told.stages[-1] == "saving"
        yield
        assert told.stages[-1] == "done"
        guarded.append(folder.name)

    guarded: list[str] = []
    told = Told(tmp_path / "anna")
    make_whole(make, tmp_path / "anna", replace=False, progress=told, while_publishing=guard)
    assert len(guarded) == 1


def test_the_built_in_avatar_comes_with_its_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ws_service.avatars.make_avatar.builtin_avatar", make)  # drawing it takes seconds
    make_builtin(tmp_path / "default")
    assert (tmp_path / "default" / LOOPS).is_file()
    assert os.listdir(tmp_path) == ["default"]
