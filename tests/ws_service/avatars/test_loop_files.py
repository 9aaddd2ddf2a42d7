"""Loops that were encoded before are used again where they are the same that would be made now, and only there."""

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from models.prepared_avatar import BaseVideo, PreparedAvatar, load_avatar, save_avatar
from ws_service.avatars import loop_files
from ws_service.avatars.loop_files import avatar_loops
from ws_service.video.loop import encode_loops

FILE = "loops.libx264.npz"


@pytest.fixture
def avatar(tmp_path: Path) -> PreparedAvatar:
    save_avatar(of_shade(40), tmp_path / "anna")
    return load_avatar(tmp_path / "anna")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The avatars that were really encoded."""
    names: list[str] = []

    def encode(pictures: dict[str, object], **options: object) -> object:
        names.append(next(iter(pictures)))
        return encode_loops(pictures, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop_files, "encode_loops", encode)
    return names


def of_shade(shade: int) -> PreparedAvatar:
    pictures = np.full((25, 768, 512), shade, np.uint8)
    pictures[:, 0, :25] = np.arange(25)[:, None]
    landmarks = np.zeros((25, 468, 2), np.float32)
    videos = {video: BaseVideo(video, pictures, landmarks) for video in ("idle_0", "speaking_0")}
    return PreparedAvatar("anna", videos, True, {})


def test_the_second_time_they_are_read_and_are_the_same(avatar: PreparedAvatar, encoded: list[str]) -> None:
    first, again = avatar_loops(avatar), avatar_loops(avatar)
    assert len(encoded) == 1
    assert again.keys() == first.keys() == avatar.videos.keys()
    for name, loop in first.items():
        assert again[name].packets == loop.packets
        assert (again[name].codec, again[name].quantizer) == (loop.codec, loop.quantizer)
    assert [entry.name for entry in avatar.folder.parent.iterdir()] == ["anna"]  # type: ignore[union-attr]


def test_all_intra_loops_are_kept_beside(avatar: PreparedAvatar, encoded: list[str]) -> None:
    for _ in range(2):
        assert not avatar_loops(avatar)["idle_0"].packets[1].keyframe
        assert avatar_loops(avatar, all_intra=True)["idle_0"].packets[1].keyframe
    assert len(encoded) == 2


def test_another_content_another_encoder_and_damage_make_them_anew(
    avatar: PreparedAvatar, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = avatar.folder
    assert folder is not None
    right = avatar_loops(avatar)
    kept = (folder / FILE).read_bytes()
    save_avatar(of_shade(90), folder, replace=True)
    (folder / FILE).write_bytes(kept)
    other = load_avatar(folder)
    assert avatar_loops(other)["idle_0"].packets != right["idle_0"].packets
    assert len(encoded) == 2
    (folder / FILE).write_bytes(kept[:-2000] + bytes(1000) + kept[-1000:])
    with capture_logs() as logs:
        avatar_loops(other)
    assert [entry["event"] for entry in logs] == ["encoded loops are damaged and made anew"]
    assert len(encoded) == 3
    monkeypatch.setattr(loop_files, "_stream_made_now", lambda *_, **__: "of another version")
    avatar_loops(other)
    avatar_loops(other)
    assert len(encoded) == 4


def test_wherever_a_byte_is_damaged_nothing_but_the_right_loops_are_given(
    avatar: PreparedAvatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = avatar.folder
    assert folder is not None
    right = avatar_loops(avatar)
    kept = (folder / FILE).read_bytes()
    monkeypatch.setattr(loop_files, "encode_loops", lambda *_, **__: right)
    monkeypatch.setattr(loop_files, "_keep", lambda *_: None)
    first_file, directory = range(300), range(kept.index(b"PK\1\2"), len(kept))
    for at in (*first_file, *directory):
        (folder / FILE).write_bytes(kept[:at] + bytes([kept[at] ^ 0x41]) + kept[at + 1 :])
        found = avatar_loops(avatar)
        assert {name: (loop.packets, loop.codec, loop.quantizer) for name, loop in found.items()} == {
            name: (loop.packets, loop.codec, loop.quantizer) for name, loop in right.items()
        }, at


def test_what_an_avatar_makes_after_it_was_replaced_is_not_kept_with_its_successor(
    avatar: PreparedAvatar, encoded: list[str]
) -> None:
    folder = avatar.folder
    assert folder is not None
    save_avatar(of_shade(90), folder, replace=True)
    avatar_loops(avatar)
    assert not (folder / FILE).exists()


def test_a_folder_that_cannot_be_written_costs_only_time(
    avatar: PreparedAvatar, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(loop_files, "UnfinishedFolder", refuse)
    assert avatar_loops(avatar)["idle_0"].packets == avatar_loops(avatar)["idle_0"].packets
    assert len(encoded) == 2
