"""`musetalk avatars` on a terminal: what it prints, and the sentence for everything it cannot do."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.store import AvatarStore
from ws_service.cli import app, main
from ws_service.errors import StartError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AvatarStore:
    monkeypatch.setenv("AVATARS_DIR", str(tmp_path / "avatars"))
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    return AvatarStore(tmp_path / "avatars")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["avatars", *arguments], terminal_width=200)


def sentence(*arguments: str) -> str:
    """Why a command did not work."""
    error = run(*arguments).exception
    assert isinstance(error, StartError), error
    return str(error)


def test_without_avatars_the_list_says_how_to_make_one(store: AvatarStore) -> None:
    assert "musetalk prepare" in run("list").output


def test_the_list_names_damaged_avatars_and_shows_the_others(store: AvatarStore) -> None:
    put_avatar(store.folder, "anna")
    put_avatar(store.folder, "ben")
    (store.folder / "ben" / "material.npz").unlink()
    text = " ".join(run("list").output.split())
    assert "anna" in text
    assert "idle_0, speaking_0" in text
    assert "ben/material.npz" in text


def test_an_avatar_that_vanishes_meanwhile_is_passed_over(store: AvatarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put_avatar(store.folder, "anna")
    monkeypatch.setattr(AvatarStore, "names", lambda _: ["aaron", "anna"])
    text = run("list").output
    assert ("anna" in text, "aaron" in text) == (True, False)


def test_one_avatar_is_shown_and_checked_whole(store: AvatarStore) -> None:
    put_avatar(store.folder, "anna")
    text = run("show", "anna").output
    assert "idle_0: 25 frames, 1 s" in text
    assert "materials: light; all files are whole" in text
    pictures = store.folder / "anna" / "idle_0.pictures.npy"
    pictures.write_bytes(pictures.read_bytes()[:-1] + b"\1")
    assert "idle_0.pictures.npy: is damaged (its checksum" in sentence("show", "anna")
    assert sentence("show", "nobody") == "There is no avatar named 'nobody'"


def test_what_is_deleted_is_gone(store: AvatarStore) -> None:
    put_avatar(store.folder, "anna")
    assert "removed" in run("delete", "anna").output
    assert not list(store.folder.iterdir())
    assert "no avatar" in sentence("delete", "anna")


def test_an_avatar_goes_out_and_comes_in_again(store: AvatarStore, tmp_path: Path) -> None:
    put_avatar(store.folder, "anna", shade=3)
    assert "anna.tar" in run("export", "anna").output
    assert "--force" in sentence("export", "anna")
    run("export", "anna", "--force")
    assert "--force replaces it" in sentence("import", "anna.tar")
    assert "'ben' is ready" in run("import", "anna.tar", "--name", "ben").output
    assert store.read("ben").videos["idle_0"].pictures[0, 0, 0] == 3
    (tmp_path / "text.tar").write_text("no archive")
    assert "text.tar: is no archive" in sentence("import", "text.tar")
    assert "missing.tar: cannot be imported" in sentence("import", "missing.tar")


def test_a_folder_of_musetalks_comes_in_under_its_name(store: AvatarStore, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tests.models.musetalk.conftest import GOLDEN
    from tests.models.musetalk.foreign_folder import write_foreign_folder

    source = tmp_path / "her avatar"
    with np.load(GOLDEN / "musetalk_tiny.npz") as golden:
        write_foreign_folder(source, golden["frame_bgr"], frames=2)
    assert "--name" in sentence("import", str(source))
    done = run("import", str(source), "--name", "anna")
    assert "with 2 frames and MuseTalk's latents" in done.output
    assert store.describe("anna").engines == ("light", "musetalk")
    assert (store.folder / "anna" / "loops.libx264.npz").is_file()
    assert "--force replaces it" in sentence("import", str(source), "--name", "anna")
    (source / "latents.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "latents.pt: is refused" in sentence("import", str(source), "--name", "anna", "--force")
    shutil.rmtree(source / "mask")
    assert "mask: cannot be read" in sentence("import", str(source), "--name", "anna", "--force")
    assert store.describe("anna").damage == ""


def test_without_the_extra_the_sentence_says_how_to_install_it(
    store: AvatarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "models.musetalk.import_avatar"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.setattr(sys, "argv", ["musetalk", "avatars", "import", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "pip install 'musetalk-stream[musetalk]'" in capsys.readouterr().err
