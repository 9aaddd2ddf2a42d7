"""Prepared avatars on disk: one folder each under AVATARS_DIR. Finds, reads, describes and removes them; makes none.

Several services may share the folder. A damaged avatar stays where it is and is named to whoever asks for it: what
looks damaged may be another user's, a network's or a copy's trouble, and people want to look at it, so nothing is
renamed or removed behind their backs; all others are served on. What was never an avatar is none of its business.
"""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from models.avatar_manifest import (
    LANDMARKS_SUFFIX,
    MANIFEST_NAME,
    PICTURES_SUFFIX,
    Manifest,
    check_sizes,
    read_manifest,
)
from models.errors import AvatarError
from models.prepared_avatar import PreparedAvatar, check_pictures, load_avatar
from models.unfinished_folder import remove_folder, sweep
from protocol.timing import USER_ID_PATTERN
from ws_service.errors import AvatarDamaged, AvatarNotFound, ProcessingFailed

MUSETALK_MATERIAL = "musetalk.npz"  # as models.musetalk keeps it there

_NAME = re.compile(USER_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which writing of a manifest: another one whenever the avatar is replaced. Of the folder where it has none."""

    inode: int
    modified_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredAvatar:
    """What is known of an avatar without loading it. `manifest`: None where it cannot be read.

    `damage`: a sentence, or "". `size_bytes`: on the disk, files of the engines included. `engines`: whose material is
    there.
    """

    name: str
    manifest: Manifest | None
    damage: str
    size_bytes: int
    prepared_at: datetime
    engines: tuple[str, ...]


class AvatarStore:
    """The folder of avatars. Names match `^[A-Za-z0-9_-]{1,64}$`, so that none of them can leave the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._noted: dict[str, tuple[Stamp, str]] = {}

    @staticmethod
    def is_name(name: str) -> bool:
        """An avatar may be called so."""
        return _NAME.fullmatch(name) is not None

    def exists(self, name: str) -> bool:
        """An avatar of this name is there (not yet read), if only a damaged one."""
        return self.stamp(name) is not None

    def stamp(self, name: str) -> Stamp | None:
        """Which one lies there under this name now; None where there is none."""
        if not self.is_name(name):
            return None
        return stamp_of(self.folder / name)

    def names(self) -> list[str]:
        """All avatars, in order, damaged ones included."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if self.exists(entry.name))

    def read(self, name: str) -> PreparedAvatar:
        """Read an avatar; its pictures stay on disk and are mapped.

        Raises `AvatarNotFound`, or `AvatarDamaged` naming the file.
        """
        while True:
            stamp = self._present(name)
            try:
                # a folder that was renamed by hand is known by the folder's name
                avatar = replace(load_avatar(self.folder / name), name=name)
            except AvatarError as error:
                if self.stamp(name) == stamp:
                    raise self._damaged(name, stamp, error) from error
            else:
                if self.stamp(name) == stamp:
                    return avatar
            # replaced while it was read: half of each is none

    def check_pictures(self, name: str) -> None:
        """Compare all pictures with their checksums. Raises as `read`."""
        while True:
            stamp = self._present(name)
            try:
                return check_pictures(self.folder / name)
            except AvatarError as error:
                if self.stamp(name) == stamp:
                    raise self._damaged(name, stamp, error) from error

    def note_damage(self, name: str, stamp: Stamp, sentence: str) -> None:
        """Somebody found this writing of an avatar damaged: `describe` tells it, too."""
        self._noted[name] = (stamp, sentence)

    def forget_damage(self, name: str) -> None:
        """It is looked at again, or gone."""
        self._noted.pop(name, None)

    def refuse_damaged(self, name: str) -> None:
        """Raises `AvatarDamaged` for damage that is known or seen without reading all, or `AvatarNotFound`."""
        if damage := self.describe(name).damage:
            raise AvatarDamaged(f"Avatar {name!r} is damaged: {damage}", {"avatar": name})

    def describe(self, name: str) -> StoredAvatar:
        """What is known of it without loading it. Raises `AvatarNotFound`."""
        while True:
            stamp = self._present(name)
            found = self._described(name, stamp)
            if self.stamp(name) == stamp:
                return found
            # replaced or removed while it was looked at

    def describe_all(self) -> list[StoredAvatar]:
        """All avatars, in order, without loading them."""
        found = []
        for name in self.names():
            with suppress(AvatarNotFound):  # it has just been removed
                found.append(self.describe(name))
        return found

    def _described(self, name: str, stamp: Stamp) -> StoredAvatar:
        folder = self.folder / name
        manifest, damage = None, ""
        try:
            manifest = read_manifest(folder)
            check_sizes(folder, manifest)
        except AvatarError as error:
            damage = self._sentence(name, error)
        noted, sentence = self._noted.get(name, (None, ""))
        if noted == stamp:
            damage = damage or sentence
        engines = ("light", "musetalk") if (folder / MUSETALK_MATERIAL).is_file() else ("light",)
        prepared_at = datetime.fromtimestamp(stamp.modified_ns / 1e9, UTC)
        return StoredAvatar(name, manifest, damage, _size_bytes(folder), prepared_at, () if damage else engines)

    def remove(self, name: str) -> None:
        """Remove an avatar: from the list at once, then from the disk. Who shows it keeps it.

        Raises `AvatarNotFound`, or `ProcessingFailed` where the disk refuses.
        """
        self._present(name)
        try:
            os.listdir(self.folder / name)  # what cannot be looked into is not put away either
            remove_folder(self.folder / name)
        except FileNotFoundError:
            raise self._not_found(name) from None
        except OSError as error:
            raise ProcessingFailed(f"Avatar {name!r} cannot be removed: {error.strerror}", {"avatar": name}) from error

    def sweep(self) -> None:
        """Remove what killed writers left."""
        sweep(self.folder)

    def _present(self, name: str) -> Stamp:
        stamp = self.stamp(name)
        if stamp is None:
            raise self._not_found(name)
        return stamp

    def _not_found(self, name: str) -> AvatarNotFound:
        return AvatarNotFound(f"There is no avatar named {name!r}", {"avatar": name})

    def _damaged(self, name: str, stamp: Stamp, error: AvatarError) -> AvatarDamaged:
        sentence = self._sentence(name, error)
        if not isinstance(error.__cause__, FileNotFoundError):  # `describe` sees that by itself, as long as it is so
            self.note_damage(name, stamp, sentence)
        return AvatarDamaged(f"Avatar {name!r} is damaged: {sentence}", {"avatar": name})

    def _sentence(self, name: str, error: AvatarError) -> str:
        return str(error).replace(f"{self.folder}/", "")  # clients need not know where it lies


def stamp_of(folder: Path) -> Stamp | None:
    """Of the avatar in this folder, whatever it is called; it stays the same where the folder is renamed.

    None where there is no avatar, and nothing left of one.
    """
    for path, is_kind in ((folder / MANIFEST_NAME, stat.S_ISREG), (folder, stat.S_ISDIR)):
        try:
            found = path.stat()
        except OSError:
            continue
        if is_kind(found.st_mode) and (path is not folder or _has_something_of_an_avatar(folder)):
            return Stamp(found.st_ino, found.st_mtime_ns, found.st_size)
    return None


def is_taken_otherwise(folder: Path) -> bool:
    """Something lies there that is no avatar: none may take its place."""
    if stamp_of(folder) is not None or not os.path.lexists(folder):
        return False
    return not folder.is_dir() or bool(os.listdir(folder))


def _has_something_of_an_avatar(folder: Path) -> bool:
    """Else it is somebody's own folder, not to be shown, removed or replaced."""
    try:
        names = os.listdir(folder)
    except PermissionError:
        return True  # it may be one: better to tell who asks for it than to pass over it
    except OSError:
        return False
    return any(name == MANIFEST_NAME or name.endswith((PICTURES_SUFFIX, LANDMARKS_SUFFIX)) for name in names)


def _size_bytes(folder: Path) -> int:
    """On the disk; a file of two names counts once, and what is just being removed or replaced does not."""
    sizes: dict[int, int] = {}
    with suppress(OSError):
        for entry in folder.iterdir():
            with suppress(OSError):
                found = entry.stat()
                if stat.S_ISREG(found.st_mode):
                    sizes[found.st_ino] = found.st_size
    return sum(sizes.values())
