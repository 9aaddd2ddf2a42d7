"""Avatars on disk: found by name, never by path; damage is named."""

import os
import threading
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from models.avatar_manifest import Manifest
from models.errors import AvatarError
from models.prepared_avatar import BaseVideo, PreparedAvatar, save_avatar
from ws_service.avatars import store as store_module
from ws_service.avatars.store import MUSETALK_MATERIAL, AvatarStore
from ws_service.errors import AvatarDamaged, AvatarNotFound, ProcessingFailed


def put_avatar(folder: Path, name: str, shade: int = 0) -> None:
    """A small avatar of one shade; it replaces the one of its name."""
    pictures = np.full((25, 768, 512), shade, np.uint8)
    landmarks = np.zeros((25, 468, 2), np.float32)
    videos = {video: BaseVideo(video, pictures, landmarks) for video in ("idle_0", "speaking_0")}
    save_avatar(PreparedAvatar(name, videos, True, {}), folder / name, replace=True)


def put_documents(folder: Path, name: str) -> Path:
    """A folder of somebody's own; gives the file in it."""
    (folder / name).mkdir()
    (folder / name / "letter.txt").write_text("Dear ...")
    return folder / name / "letter.txt"


def test_names_lists_what_is_an_avatar_or_was_one(tmp_path: Path) -> None:
    put_avatar(tmp_path, "b")
    put_avatar(tmp_path, "a")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest.json").mkdir()
    (tmp_path / "b").rename(tmp_path / ".b.0123abcd.unfinished")
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    put_documents(tmp_path, "Documents")
    assert AvatarStore(tmp_path).names() == ["a", "damaged"]
    assert AvatarStore(tmp_path / "missing").names() == []


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../a", "", "a" * 65, "a\0b"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    put_avatar(tmp_path, "a")
    store = AvatarStore(tmp_path / "inside")
    assert not store.exists(name)
    with pytest.raises(AvatarNotFound):
        store.read(name)


def test_reading_gives_the_avatar(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    assert AvatarStore(tmp_path).read("anna").name == "anna"


def test_a_damaged_avatar_is_named_with_its_file(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    pictures = next((tmp_path / "anna").glob("*pictures*"))
    pictures.write_bytes(pictures.read_bytes()[:1000])
    with pytest.raises(ProcessingFailed, match=r"'anna'.*pictures"):
        AvatarStore(tmp_path).read("anna")


def test_a_folder_renamed_by_hand_is_known_by_the_folders_name(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    (tmp_path / "anna").rename(tmp_path / "bob")
    assert AvatarStore(tmp_path).read("bob").name == "bob"


def test_the_error_tells_a_client_nothing_of_where_avatars_lie(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    (tmp_path / "anna" / "material.npz").unlink()
    with pytest.raises(ProcessingFailed) as damaged:
        AvatarStore(tmp_path).read("anna")
    assert str(tmp_path) not in damaged.value.message
    assert "material.npz" in damaged.value.message


def test_a_description_needs_no_loading_and_tells_damage(tmp_path: Path) -> None:
    store = AvatarStore(tmp_path)
    put_avatar(tmp_path, "anna")
    whole = store.describe("anna")
    assert whole.manifest is not None
    assert (whole.name, whole.damage, whole.manifest.videos) == ("anna", "", {"idle_0": 25, "speaking_0": 25})
    assert whole.size_bytes > 2 * 25 * 768 * 512
    assert (whole.engines, whole.prepared_at.tzinfo) == (("light",), UTC)
    (tmp_path / "anna" / MUSETALK_MATERIAL).touch()
    assert store.describe("anna").engines == ("light", "musetalk")
    (tmp_path / "anna" / "idle_0.landmarks.npy").unlink()
    damaged = store.describe("anna")
    assert damaged.damage.startswith("anna/idle_0.landmarks.npy: cannot be read")
    assert damaged.engines == ()
    with pytest.raises(AvatarNotFound):
        store.describe("bob")


def test_an_avatar_of_an_older_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    manifest = tmp_path / "anna" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    assert "version 1, not 2; prepare the avatar again" in AvatarStore(tmp_path).describe("anna").damage


def test_a_removed_avatar_leaves_nothing(tmp_path: Path) -> None:
    store = AvatarStore(tmp_path)
    put_avatar(tmp_path, "anna")
    store.remove("anna")
    assert list(tmp_path.iterdir()) == []
    for name in ("anna", "..", "."):
        with pytest.raises(AvatarNotFound):
            store.remove(name)


def test_what_is_no_avatar_is_not_removed(tmp_path: Path) -> None:
    letter = put_documents(tmp_path, "Documents")
    with pytest.raises(AvatarNotFound):
        AvatarStore(tmp_path).remove("Documents")
    assert letter.exists()


def test_a_folder_that_cannot_be_looked_into_may_be_an_avatar_and_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_avatar(tmp_path, "anna")
    (tmp_path / "anna" / "manifest.json").unlink()

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as closed:
        closed.setattr(store_module.os, "listdir", refuse)
        assert AvatarStore(tmp_path).exists("anna")
        with pytest.raises(ProcessingFailed, match="'anna' cannot be removed: Permission denied"):
            AvatarStore(tmp_path).remove("anna")
    assert AvatarStore(tmp_path).exists("anna")


def test_an_avatar_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_avatar(tmp_path, "anna")
    read, replaced = store_module.load_avatar, []

    def slow(folder: Path) -> PreparedAvatar:
        if not replaced:
            replaced.append(True)
            put_avatar(tmp_path, "anna", shade=9)
            raise AvatarError(f"{folder}/material.npz: is damaged (half of each).")
        return read(folder)

    monkeypatch.setattr(store_module, "load_avatar", slow)
    assert AvatarStore(tmp_path).read("anna").videos["idle_0"].pictures[0, 5, 5] == 9


def test_two_services_replace_remove_and_read_in_one_folder(tmp_path: Path) -> None:
    """Readers get a whole avatar or none at all; never half of one, nor of two."""
    put_avatar(tmp_path, "anna")
    store, stop, odd = AvatarStore(tmp_path), threading.Event(), list[str]()

    def read() -> None:
        while not stop.is_set():
            try:
                avatar = store.read("anna")
                shades = {int(video.pictures[n, 5, 5]) for video in avatar.videos.values() for n in (0, 24)}
                odd.extend([f"shades {shades}"] if len(shades) != 1 else [])
            except AvatarNotFound:
                continue
            except ProcessingFailed as error:
                odd.append(error.message)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for shade in range(12):
        put_avatar(tmp_path, "anna", shade)
        if shade % 4 == 3:
            AvatarStore(tmp_path).remove("anna")
    stop.set()
    for reader in readers:
        reader.join()
    assert not odd


def test_an_avatar_that_is_removed_or_replaced_while_it_is_described_is_none_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, read = AvatarStore(tmp_path), store_module.read_manifest
    happens = [lambda: put_avatar(tmp_path, "anna"), lambda: store.remove("anna")]

    def slow(folder: Path) -> Manifest:
        manifest = read(folder)
        if happens:
            happens.pop(0)()
            raise AvatarError(f"{folder}/material.npz: cannot be read (half of each).")
        return manifest

    monkeypatch.setattr(store_module, "read_manifest", slow)
    put_avatar(tmp_path, "anna")
    with pytest.raises(AvatarNotFound):
        store.describe("anna")
    put_avatar(tmp_path, "anna")
    happens.append(lambda: put_avatar(tmp_path, "anna"))
    assert store.describe("anna").damage == ""


def test_a_folder_without_a_manifest_is_damaged_and_can_be_removed_or_replaced(tmp_path: Path) -> None:
    store = AvatarStore(tmp_path)
    put_avatar(tmp_path, "anna")
    (tmp_path / "anna" / "manifest.json").unlink()
    found = store.describe("anna")
    assert found.damage.startswith("anna/manifest.json: cannot be read")
    assert found.prepared_at.year > 2000
    with pytest.raises(AvatarDamaged):
        store.read("anna")
    put_avatar(tmp_path, "anna")
    assert store.describe("anna").damage == ""
    (tmp_path / "anna" / "manifest.json").unlink()
    store.remove("anna")
    assert store.names() == []


@pytest.mark.parametrize("name", ["manifest.json", "material.npz", "idle_0.pictures.npy"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    store = AvatarStore(tmp_path)
    put_avatar(tmp_path, "anna")
    (tmp_path / "anna" / name).unlink()
    os.mkfifo(tmp_path / "anna" / name)
    assert store.describe("anna").damage == f"anna/{name}: is damaged (no regular file)."
    with pytest.raises(AvatarDamaged, match="no regular file"):
        store.check_pictures("anna") if "pictures" in name else store.read("anna")


def test_a_file_that_was_missing_and_is_put_back_is_damage_no_more(tmp_path: Path) -> None:
    store, landmarks = AvatarStore(tmp_path), tmp_path / "anna" / "idle_0.landmarks.npy"
    put_avatar(tmp_path, "anna")
    landmarks.rename(tmp_path / "away")
    with pytest.raises(AvatarDamaged, match="No such file"):
        store.read("anna")
    (tmp_path / "away").rename(landmarks)
    assert store.describe("anna").damage == ""


def test_damage_that_only_reading_finds_is_described_until_the_avatar_is_replaced(tmp_path: Path) -> None:
    store = AvatarStore(tmp_path)
    put_avatar(tmp_path, "anna")
    with (tmp_path / "anna" / "speaking_0.pictures.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"spot")
    assert store.describe("anna").damage == "", "nobody has read it yet"
    with pytest.raises(AvatarDamaged):
        store.check_pictures("anna")
    assert "checksum" in store.describe("anna").damage
    with pytest.raises(AvatarDamaged, match=r"'anna' is damaged: anna/.*checksum"):
        store.refuse_damaged("anna")
    put_avatar(tmp_path, "anna")
    store.refuse_damaged("anna")
