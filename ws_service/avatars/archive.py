"""An avatar as one file that can be carried elsewhere: a tar of its folder. Blocking.

Owns what goes into it, and what an archive may bring: plain files of one folder that make a whole avatar, and nothing
that points out of it. Only what the manifest names is written, in the size that it says, and MuseTalk's material.
"""

import lzma
import os
import resource
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath

from models.avatar_manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    PICTURES_SUFFIX,
    Manifest,
    check_contents,
    check_sizes,
    is_file_name,
    read_manifest,
)
from models.errors import AvatarError
from models.preparation.drawn_videos import Progress, silent
from ws_service.avatars.loop_files import is_loops_file
from ws_service.avatars.make_avatar import make_whole
from ws_service.avatars.store import MUSETALK_MATERIAL, AvatarStore
from ws_service.errors import StartError

_MAX_MEMBERS = 10_000
_MAX_HEADERS_BYTES = 256 << 20  # of memory, for the headers of all members
_MATERIAL_HAS_MORE_BYTES = 64 << 20  # at most, than the pictures that it is for


def export_avatar(store: AvatarStore, name: str, path: Path) -> int:
    """Write the avatar to `path`, compressed where that ends in .gz; returns its size in bytes.

    Raises `ServiceError` of the store, `StartError` where the avatar is damaged or the file cannot be written.
    """
    store.read(name)
    store.check_pictures(name)
    folder = store.folder / name
    names = [MANIFEST_NAME, *read_manifest(folder).files]
    if (folder / MUSETALK_MATERIAL).is_file():
        names.append(MUSETALK_MATERIAL)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with tarfile.open(unfinished, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for file in names:  # two names of one file stay two names of one file
                archive.add(folder / file, f"{name}/{file}", recursive=False, filter=_anonymous)
        os.replace(unfinished, path)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):  # a disk that refuses to take it refuses this, too
            unfinished.unlink()
    return path.stat().st_size


def import_archive(
    store: AvatarStore, path: Path, name: str | None, *, replace: bool, progress: Progress = silent
) -> str:
    """Put the avatar of an archive into the store, by its own name unless `name` is given; returns the name.

    Raises `StartError` saying what is wrong with the archive; nothing has appeared then.
    """
    with _sentences(path), ExitStack() as opened:
        with _bounded_memory():
            archive = opened.enter_context(tarfile.open(path, "r:*"))
            members = list(_members(archive, path))
        own = PurePosixPath(members[0].name).parts[0] if members else ""
        wanted = name or own
        if not store.is_name(wanted):
            raise StartError(f"{path}: holds no avatar; --name says what another is to be called")
        if store.exists(wanted) and not replace:
            raise StartError(f"There is an avatar named {wanted!r} already; --force replaces it")

        def unpack(folder: Path, told: Progress) -> None:
            with _sentences(path):
                _unpack(archive, members, path, folder, told)

        make_whole(unpack, store.folder / wanted, replace=replace, progress=progress)
    return wanted


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Raises `StartError` for what is wrong with the archive, or with the disk."""
    try:
        yield
    except AvatarError as error:
        raise StartError(f"{path}: {_shortened(str(error))}") from None
    except MemoryError:
        raise StartError(f"{path}: is no archive that can be read (its headers are too large)") from None
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, RecursionError) as error:
        raise StartError(f"{path}: is no archive that can be read ({error})") from None
    except OSError as error:
        raise StartError(f"{path}: cannot be imported ({error.strerror or error})") from None


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """A few bytes of an archive may stand for headers of any size: reading them raises `MemoryError` in good time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(OSError, ValueError):  # Linux only; or a lower limit is set already
        taken_bytes = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (taken_bytes + _MAX_HEADERS_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _unpack(
    archive: tarfile.TarFile, members: list[tarfile.TarInfo], path: Path, folder: Path, progress: Progress
) -> None:
    """Make the avatar's folder, and compare every byte with the manifest."""
    folder.mkdir()
    manifest = _extract_manifest(archive, members, path, folder)
    named = _named(members, manifest, path, folder)
    for index, member in enumerate(named):
        progress("unpacking", 0.8 * index / len(named))
        _extract(archive, member, folder)
    progress("comparing with the checksums", 0.8)
    check_sizes(folder, manifest)
    for pictures in (False, True):
        check_contents(folder, manifest, pictures=pictures)


def _members(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """The files of the archive's one folder. Raises `StartError` for whatever else it holds."""
    folders: set[str] = set()
    names: set[tuple[str, ...]] = set()
    for member in archive:
        parts = PurePosixPath(member.name).parts
        if member.isdir() and len(parts) == 1:
            continue
        places = [parts, PurePosixPath(member.linkname).parts] if member.islnk() else [parts]
        inside = all(len(place) == 2 and place[0] == parts[0] and is_file_name(place[1]) for place in places)
        if not inside or not (member.isreg() or member.islnk()) or parts in names:
            raise StartError(f"{path}: is no avatar's archive: it holds {member.name[:100]!r}")
        if len(names) == _MAX_MEMBERS:
            raise StartError(f"{path}: is no avatar's archive: it holds more than {_MAX_MEMBERS} files")
        folders.add(parts[0])
        names.add(parts)
        yield member
    if len(folders) > 1:
        raise StartError(f"{path}: is no avatar's archive: it holds several folders")


def _extract_manifest(archive: tarfile.TarFile, members: list[tarfile.TarInfo], path: Path, folder: Path) -> Manifest:
    """The manifest alone, which tells what else to write. Raises `AvatarError`, or `StartError` where there is none."""
    own = [member for member in members if PurePosixPath(member.name).name == MANIFEST_NAME and member.isreg()]
    if not own or own[0].size > MAX_MANIFEST_BYTES:
        raise StartError(f"{path}: is no avatar's archive: it has no {MANIFEST_NAME}, or one that is too large")
    _extract(archive, own[0], folder)
    return read_manifest(folder)


def _named(members: list[tarfile.TarInfo], manifest: Manifest, path: Path, folder: Path) -> list[tarfile.TarInfo]:
    """The members to write, before any is. Raises `StartError` for one of another size, or where the disk is too small.

    What can be made again (encoded loops) and what nobody knows is left out. A manifest names nothing that the service
    writes itself: it would not fit the avatar any more once it was written anew.
    """
    if written_here := [name for name in manifest.files if name == MUSETALK_MATERIAL or is_loops_file(name)]:
        raise StartError(f"{path}: is no avatar's archive: its {MANIFEST_NAME} names {written_here[0]}")
    pictures_bytes = sum(record.size_bytes for name, record in manifest.files.items() if name.endswith(PICTURES_SUFFIX))
    taken = []
    for member in members:
        name = PurePosixPath(member.name).name
        if name == MANIFEST_NAME:
            continue
        if name in manifest.files:
            limit = manifest.files[name].size_bytes
            fits = member.islnk() or member.size == limit
        elif name == MUSETALK_MATERIAL:
            limit = pictures_bytes + _MATERIAL_HAS_MORE_BYTES
            fits = member.size <= limit
        else:
            continue
        if not fits:
            raise StartError(f"{path}: is no avatar's archive: {name} has {member.size} bytes, not {limit}")
        taken.append(member)
    needed, free = sum(member.size for member in taken if not member.islnk()), shutil.disk_usage(folder).free
    if needed > free:
        disk = f"the disk of {folder.parents[1]} has {free >> 20} MB free"
        raise StartError(f"{path}: needs {needed >> 20} MB, and {disk}")
    return taken


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = folder / PurePosixPath(member.name).name
    if member.islnk():
        os.link(folder / PurePosixPath(member.linkname).name, target)
        return
    source = archive.extractfile(member)
    assert source is not None
    with source, target.open("xb") as file:
        while block := source.read(1 << 20):
            file.write(block)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without who made it: that is nobody's business elsewhere."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _shortened(sentence: str) -> str:
    """Without the passing folder that the file lay in."""
    return sentence.rpartition(".unfinished/")[2]
