"""An avatar's manifest: what its folder must hold, with the size and the checksum of every file.

Owns the manifest's form, and telling a damaged folder from a whole one. Must not import other modules of the project
but the errors. CRC-32 is for faults of disks and copies, at 4 GB a second; it is no proof against forgers.
"""

import json
import os
import re
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import AvatarError

FORMAT_VERSION = 2
MANIFEST_NAME = "manifest.json"
MATERIAL_NAME = "material.npz"
PICTURES_SUFFIX = ".pictures.npy"
LANDMARKS_SUFFIX = ".landmarks.npy"
FRAMES_PER_SECOND = 25
REQUIRED_VIDEOS = ("idle_0", "speaking_0")
VIDEO_NAME = re.compile(r"(idle|speaking|action)_[0-9]{1,3}")

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
MAX_MANIFEST_BYTES = 1 << 20
_MAX_FRAMES = 25 * 3600
_PICTURE_BYTES = 768 * 512
_MAX_OTHER_BYTES = 1 << 30  # of all files without pictures: landmarks of two hours, material
_HEADER_BYTES = 4096  # numpy's, and more
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as it was when the avatar was published."""

    size_bytes: int
    crc32: str  # 8 hex digits


@dataclass(frozen=True, slots=True)
class Manifest:
    """`videos`: frames by name. `files`: by name, all but the manifest. `revision`: another for every other content."""

    name: str
    same_pose: bool
    videos: Mapping[str, int]
    files: Mapping[str, FileRecord]
    revision: str

    @property
    def size_bytes(self) -> int:
        """What the files hold; two names of one file count twice."""
        return sum(record.size_bytes for record in self.files.values())


def is_file_name(name: str) -> bool:
    """A file of this name may lie in an avatar's folder."""
    return _FILE_NAME.fullmatch(name) is not None


def write_manifest(folder: Path, name: str, *, same_pose: bool, videos: Mapping[str, int]) -> None:
    """Describe the files that lie in `folder` now. Raises `OSError`."""
    known: dict[tuple[int, int], FileRecord] = {}
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST_NAME:
            continue
        found = path.stat()
        one = (found.st_dev, found.st_ino)  # a file of two names is read once
        if one not in known:
            known[one] = FileRecord(found.st_size, checksum(path))
        files[path.name] = {"bytes": known[one].size_bytes, "crc32": known[one].crc32}
    content = {"version": FORMAT_VERSION, "name": name, "same_pose": same_pose, "videos": dict(videos), "files": files}
    (folder / MANIFEST_NAME).write_text(json.dumps(content, indent=1))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an avatar's folder. Raises `AvatarError` saying what is wrong with it."""
    path = folder / MANIFEST_NAME
    try:
        if _stat_file(path).st_size > MAX_MANIFEST_BYTES:
            raise AvatarError(f"{path}: is no avatar's manifest (too large).")
        text = path.read_bytes()
        content = json.loads(text)
    except OSError as error:
        raise AvatarError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise AvatarError(f"{path}: is damaged ({error}).") from error
    if not isinstance(content, dict) or "version" not in content:
        raise AvatarError(f"{path}: is no avatar's manifest.")
    if content["version"] != FORMAT_VERSION:
        raise AvatarError(f"{path}: has {_version(content)}, not {FORMAT_VERSION}; prepare the avatar again.")
    kinds = {"name": str, "same_pose": bool, "videos": dict, "files": dict}
    if wrong := [key for key, kind in kinds.items() if not isinstance(content.get(key), kind)]:
        raise AvatarError(f"{path}: is damaged ({wrong[0]}).")
    videos = _videos(path, content["videos"])
    files = _files(path, content["files"], videos)
    needed = [f"{name}{suffix}" for name in videos for suffix in (PICTURES_SUFFIX, LANDMARKS_SUFFIX)]
    if missing := [name for name in [*needed, MATERIAL_NAME] if name not in files]:
        raise AvatarError(f"{path}: is damaged ({missing[0]} is not in it).")
    revision = f"{zlib.crc32(text):08x}"
    return Manifest(content["name"], content["same_pose"], videos, files, revision)


def check_sizes(folder: Path, manifest: Manifest) -> None:
    """Every file is there and as long as it was. Raises `AvatarError` naming the one that is not."""
    for name, record in manifest.files.items():
        path = folder / name
        try:
            found = _stat_file(path).st_size
        except OSError as error:
            raise AvatarError(f"{path}: cannot be read ({error.strerror}).") from error
        if found != record.size_bytes:
            raise AvatarError(f"{path}: is damaged ({found} bytes instead of {record.size_bytes}).")


def check_contents(folder: Path, manifest: Manifest, *, pictures: bool) -> None:
    """Read the files and compare: those of pictures, or all others. Raises `AvatarError` naming the one that differs.

    Files are read, not mapped: what was only checked takes none of the process's memory.
    """
    known: dict[tuple[int, int], str] = {}
    for name, record in manifest.files.items():
        if name.endswith(PICTURES_SUFFIX) != pictures:
            continue
        path = folder / name
        try:
            found = _stat_file(path)
            one = (found.st_dev, found.st_ino)
            if one not in known:
                known[one] = checksum(path)
        except OSError as error:
            raise AvatarError(f"{path}: cannot be read ({error.strerror}).") from error
        if known[one] != record.crc32:
            raise AvatarError(f"{path}: is damaged (its checksum is {known[one]} instead of {record.crc32}).")


def checksum(path: Path) -> str:
    """CRC-32 of a file's content, 8 hex digits. Raises `OSError`."""
    value = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _stat_file(path: Path) -> os.stat_result:
    """Raises `OSError`, and `AvatarError` for what is no file: to read a pipe could take for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise AvatarError(f"{path}: is damaged (no regular file).")
    return found


def _version(content: dict[str, Any]) -> str:
    version = content["version"]
    return f"version {version}" if isinstance(version, int) else "an unknown version"


def _videos(path: Path, found: dict[str, Any]) -> dict[str, int]:
    for name, length in found.items():
        fits = type(length) is int and 0 < length <= _MAX_FRAMES and length % FRAMES_PER_SECOND == 0
        if not VIDEO_NAME.fullmatch(name) or not fits:
            raise AvatarError(f"{path}: is damaged (video {name[:64]!r}).")
    if missing := [name for name in REQUIRED_VIDEOS if name not in found]:
        raise AvatarError(f"{path}: has no video {missing[0]}.")
    return found


def _files(path: Path, found: dict[str, Any], videos: Mapping[str, int]) -> dict[str, FileRecord]:
    largest = {f"{name}{PICTURES_SUFFIX}": length * _PICTURE_BYTES for name, length in videos.items()}
    files = {}
    for name, record in found.items():
        whole = isinstance(record, dict) and type(record.get("bytes")) is int and isinstance(record.get("crc32"), str)
        if not is_file_name(name) or not whole or record["bytes"] > largest.get(name, _MAX_OTHER_BYTES) + _HEADER_BYTES:
            raise AvatarError(f"{path}: is damaged (file {name[:64]!r}).")
        files[name] = FileRecord(record["bytes"], record["crc32"])
    if sum(record.size_bytes for name, record in files.items() if name not in largest) > _MAX_OTHER_BYTES:
        raise AvatarError(f"{path}: is damaged (its files are too large).")
    return files
