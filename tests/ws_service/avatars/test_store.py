"""Avatars on disk: found by name, never by path; damage is named."""

from pathlib import Path

import numpy as np
import pytest

from models.prepared_avatar import BaseVideo, PreparedAvatar, save_avatar
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarNotFound, ProcessingFailed


def put_avatar(folder: Path, name: str) -> None:
    pictures = np.zeros((25, 768, 512), np.uint8)
    landmarks = np.zeros((25, 468, 2), np.float32)
    videos = {video: BaseVideo(video, pictures, landmarks) for video in ("idle_0", "speaking_0")}
    save_avatar(PreparedAvatar(name, videos, True, {}), folder / name)


def test_names_lists_prepared_avatars_only(tmp_path: Path) -> None:
    put_avatar(tmp_path, "b")
    put_avatar(tmp_path, "a")
    (tmp_path / "half").mkdir()
    (tmp_path / "file").touch()
    assert AvatarStore(tmp_path).names() == ["a", "b"]
    assert AvatarStore(tmp_path / "missing").names() == []


def test_base_videos_are_listed_and_damage_costs_the_damaged_one_alone(tmp_path: Path) -> None:
    put_avatar(tmp_path, "anna")
    put_avatar(tmp_path, "damaged")
    (tmp_path / "damaged" / "manifest.json").write_text("{")
    assert AvatarStore(tmp_path).base_videos() == {"anna": ["idle_0", "speaking_0"]}


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
