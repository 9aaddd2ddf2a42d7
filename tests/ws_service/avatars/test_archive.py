"""Avatars carried in one file: whole when they arrive, refused when the file holds anything else."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import resource
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from models.prepared_avatar import AvatarWriter
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars import archive as archive_module
from ws_service.avatars.archive import export_avatar, import_archive
from ws_service.avatars.store import MUSETALK_MATERIAL, AvatarStore
from ws_service.errors import AvatarDamaged, AvatarNotFound, StartError


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    put_avatar(tmp_path / "avatars", "anna", shade=7)
    return AvatarStore(tmp_path / "avatars")


@pytest.mark.parametrize("file", ["anna.tar", "anna.tar.gz"])
def test_what_was_exported_is_imported(store: AvatarStore, tmp_path: Path, file: str) -> None:
    (store.folder / "anna" / MUSETALK_MATERIAL).write_bytes(b"latents")
    (store.folder / "anna" / "loops.libx264.npz").write_bytes(b"can be made again")
    size_bytes = export_avatar(store, "anna", tmp_path / file)
    assert size_bytes == (tmp_path / file).stat().st_size
    elsewhere = AvatarStore(tmp_path / "elsewhere")
    assert import_archive(elsewhere, tmp_path / file, None, replace=False) == "anna"
    assert elsewhere.read("anna").videos["speaking_0"].pictures[24, 5, 5] == 7
    assert elsewhere.read("anna").revision == store.read("anna").revision
    assert (elsewhere.folder / "anna" / MUSETALK_MATERIAL).read_bytes() == b"latents"
    assert (elsewhere.folder / "anna" / "loops.libx264.npz").stat().st_size > 100, "made here"
    assert import_archive(elsewhere, tmp_path / file, "ben", replace=False) == "ben"
    assert elsewhere.read("ben").name == "ben"
    with pytest.raises(StartError, match="'ben' already; --force"):
        import_archive(elsewhere, tmp_path / file, "ben", replace=False)
    import_archive(elsewhere, tmp_path / file, "ben", replace=True)
    assert sorted(os.listdir(elsewhere.folder)) == ["anna", "ben"]
    assert sorted(os.listdir(tmp_path)) == [file, "avatars", "elsewhere"]


def test_videos_that_share_their_frames_share_them_in_the_archive_and_after(tmp_path: Path) -> None:
    store = AvatarStore(tmp_path / "avatars")
    with AvatarWriter(store.folder / "anna") as writer:
        writer.same_video("speaking_0", writer.new_video("idle_0", 25))
        writer.publish("anna", same_pose=True, material={})
    size_bytes = export_avatar(store, "anna", tmp_path / "anna.tar")
    assert size_bytes < 1.2 * 25 * 768 * 512
    import_archive(store, tmp_path / "anna.tar", "ben", replace=False)
    avatar = store.read("ben")
    assert avatar.videos["idle_0"].pictures is avatar.videos["speaking_0"].pictures


def test_only_a_whole_avatar_is_exported(store: AvatarStore, tmp_path: Path) -> None:
    with pytest.raises(AvatarNotFound):
        export_avatar(store, "nobody", tmp_path / "x.tar")
    for refusing in (tmp_path / "missing", Path("/etc/passwd"), Path("/proc")):
        with pytest.raises(StartError, match=r"x\.tar: cannot be written"):
            export_avatar(store, "anna", refusing / "x.tar")
    pictures = store.folder / "anna" / "idle_0.pictures.npy"
    pictures.write_bytes(pictures.read_bytes()[:-1] + b"\1")
    with pytest.raises(AvatarDamaged, match="checksum"):
        export_avatar(store, "anna", tmp_path / "x.tar")
    assert os.listdir(tmp_path) == ["avatars"]


def test_an_export_that_is_broken_off_leaves_nothing(
    store: AvatarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "add", break_off)
    with pytest.raises(KeyboardInterrupt):
        export_avatar(store, "anna", tmp_path / "anna.tar.gz")
    assert os.listdir(tmp_path) == ["avatars"]


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _file(name: str, size: int = 4) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


@pytest.mark.parametrize(
    "members",
    [
        [],
        [_file("manifest.json")],
        [_file("../manifest.json")],
        [_file("/etc/manifest.json")],
        [_file("anna/../../manifest.json")],
        [_file("anna/deep/manifest.json")],
        [_file("anna/.hidden")],
        [_file("a b/manifest.json")],
        [_file("anna/manifest.json"), _file("ben/manifest.json")],
        [_file("anna/manifest.json"), _file("anna/manifest.json")],
        [_link("anna/manifest.json", "/etc/passwd", tarfile.SYMTYPE)],
        [_link("anna/manifest.json", "../../secret", tarfile.LNKTYPE)],
        [_link("anna/manifest.json", "anna/missing", tarfile.LNKTYPE)],
        [_link(".", "anna/missing", tarfile.LNKTYPE)],
        [_link("anna/pipe", "", tarfile.FIFOTYPE)],
        [_link("anna/zero", "", tarfile.CHRTYPE)],
        [_file("anna/manifest.json")],
    ],
)
def test_an_archive_of_anything_else_is_refused_and_leaves_nothing(
    store: AvatarStore, tmp_path: Path, members: list[tarfile.TarInfo]
) -> None:
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"null") if member.isreg() else None)
    with pytest.raises(StartError, match=r"odd\.tar: "):
        import_archive(store, path, None, replace=True)
    assert os.listdir(store.folder) == ["anna"]
    assert sorted(os.listdir(tmp_path)) == ["avatars", "odd.tar"]


@pytest.mark.parametrize("share", [0, 0.01, 0.4, 0.6, 0.95])
def test_an_archive_that_was_cut_off_or_changed_is_refused(store: AvatarStore, tmp_path: Path, share: float) -> None:
    path = tmp_path / "anna.tar"
    export_avatar(store, "anna", path)
    whole = path.read_bytes()
    at = int(len(whole) * share)
    changed = whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :]
    for content in (whole[:at], changed):
        path.write_bytes(content)
        with pytest.raises(StartError, match=r"anna\.tar: "):
            import_archive(store, path, "ben", replace=False)
    assert os.listdir(store.folder) == ["anna"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_with_noise_in_it_is_refused(
    store: AvatarStore, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    export_avatar(store, "anna", tmp_path / "anna.tar")
    whole = pack((tmp_path / "anna.tar").read_bytes())
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        at, noise = int(len(whole) * share), random.Random(1).randbytes(20)
        (tmp_path / "odd").write_bytes(whole[:at] + noise + whole[at + 20 :])
        with pytest.raises(StartError, match="odd: "):
            import_archive(store, tmp_path / "odd", "ben", replace=False)


def test_headers_of_any_size_take_little_memory(store: AvatarStore, tmp_path: Path) -> None:
    path = tmp_path / "odd.tar.gz"
    size = archive_module._MAX_HEADERS_BYTES + (64 << 20)
    header = _file("anna/x", size)
    header.type = tarfile.XHDTYPE
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(StartError, match="its headers are too large"):
        import_archive(store, path, "ben", replace=False)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_headers_without_end_and_members_beyond_every_disk_are_refused(store: AvatarStore, tmp_path: Path) -> None:
    header = _file("anna/x", 0)
    header.type = tarfile.XHDTYPE
    (tmp_path / "odd.tar").write_bytes(header.tobuf(tarfile.USTAR_FORMAT) * 2000)
    (tmp_path / "huge.tar").write_bytes(_file("anna/manifest.json", 1 << 80).tobuf(tarfile.GNU_FORMAT) * 2)
    for name in ("odd.tar", "huge.tar"):
        with pytest.raises(StartError, match=f"{name}: is no archive that can be read"):
            import_archive(store, tmp_path / name, "ben", replace=False)


def _changed(store: AvatarStore, path: Path, sizes: dict[str, int], named: dict[str, int]) -> Path:
    """anna's archive with more files, of zeros. `named`: what the manifest says of their sizes."""
    folder = store.folder / "anna"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] |= {name: {"bytes": size, "crc32": "00000000"} for name, size in named.items()}
    content = json.dumps(manifest).encode()
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, size in sizes.items():
            member = tarfile.TarInfo(f"anna/{name}")
            member.size = size
            archive.addfile(member, Zeros())
        for name in sorted(set(os.listdir(folder)) - sizes.keys() - {"manifest.json"}):
            archive.add(folder / name, f"anna/{name}")
        member = tarfile.TarInfo("anna/manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


class Zeros(io.RawIOBase):
    """As many as are wanted."""

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


@pytest.mark.parametrize(
    ("sizes", "named", "sentence"),
    [
        ({"junk.bin": 1 << 26}, {"junk.bin": 10}, "junk.bin has 67108864 bytes, not 10"),
        ({"junk.bin": 10}, {"junk.bin": 1 << 31}, "damaged .file 'junk.bin'"),
        ({"a": 10, "b": 10}, {"a": 1 << 29, "b": (1 << 29) + 1}, "files are too large"),
        ({"idle_0.pictures.npy": 10}, {"idle_0.pictures.npy": 1 << 26}, "damaged .file 'idle_0.pictures.npy'"),
        ({MUSETALK_MATERIAL: 1 << 27}, {}, "musetalk.npz has 134217728 bytes"),
        ({MUSETALK_MATERIAL: 10}, {MUSETALK_MATERIAL: 10}, "its manifest.json names musetalk.npz"),
        ({"loops.libx264.npz": 10}, {"loops.libx264.npz": 10}, "its manifest.json names loops.libx264.npz"),
    ],
)
def test_nothing_is_written_that_is_larger_than_the_manifest_says_and_an_avatar_is(
    store: AvatarStore,
    tmp_path: Path,
    sizes: dict[str, int],
    named: dict[str, int],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = _changed(store, tmp_path / "odd.tar.gz", sizes, named)
    written: list[str] = []
    extract = archive_module._extract
    monkeypatch.setattr(archive_module, "_extract", lambda *given: (written.append(given[1].name), extract(*given))[1])
    with pytest.raises(StartError, match=sentence):
        import_archive(store, path, "ben", replace=False)
    assert written == ["anna/manifest.json"]
    assert os.listdir(store.folder) == ["anna"]


def test_what_the_manifest_does_not_name_is_left_out(store: AvatarStore, tmp_path: Path) -> None:
    path = _changed(store, tmp_path / "odd.tar.gz", {"evil.exe": 100, "preview.mp4": 100}, {})
    import_archive(store, path, "ben", replace=False)
    assert set(os.listdir(store.folder / "ben")) == {*os.listdir(store.folder / "anna"), "loops.libx264.npz"}


def test_a_disk_that_is_too_small_is_told_before_it_is_full(
    store: AvatarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_avatar(store, "anna", tmp_path / "anna.tar")
    full = type(shutil.disk_usage(tmp_path))(1 << 30, 1 << 30, 1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StartError, match=r"needs 18 MB, and the disk of .* has 1 MB free"):
        import_archive(store, tmp_path / "anna.tar", "ben", replace=False)
