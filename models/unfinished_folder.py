"""A folder that is written beside the one it will become, appears there in one step, and never half.

Owns the names, the lock that tells a writer at work from a dead one, the publication and the sweep. Must not import
other modules of the project. Several processes may work in the same folder above.

    with UnfinishedFolder(avatars_dir / "anna") as folder:     # an empty folder, locked as long as this process lives
        ... write into folder.path ...
        folder.publish(replace=False)                          # it is avatars_dir / "anna" now, whole; or an OSError
    sweep(avatars_dir)                                         # removes what killed processes left; needs no lock
    remove_folder(avatars_dir / "anna")                        # gone from the list in one step, then from the disk

Without `publish` the folder is removed at the end of the block, so it serves for other passing files, too (uploads).
A process killed at any moment leaves the old folder or the new one in place, and beside it at most a leftover for the
next sweep. Files of a folder that was replaced or removed live on for who has them mapped (POSIX; on NFS only for
processes of the same machine).

    .<name>.<8 hex>.unfinished     being written, or giving way; locked by its writer as long as that process lives
    .<name>.<8 hex>.old            gave way, where the file system cannot exchange two folders in one step
"""

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

_STALE_S = 3600.0  # where the file system has no locks
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(unfinished|old)")
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


class UnfinishedFolder:
    """A new, empty folder beside `target`. `path` is where it lies until it is published. One thread."""

    def __init__(self, target: Path) -> None:
        """Removes what killed writers of any target left. Raises `OSError` when no folder can be made."""
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        self.target = target
        self._lock: int | None = None
        while self._lock is None:
            self.path = _beside(target)
            self.path.mkdir()
            self._lock = _lock_own(self.path)

    def __enter__(self) -> "UnfinishedFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def publish(self, *, replace: bool = False) -> None:
        """Make it appear as `target`, once all its files are on the disk.

        Raises `FileExistsError` where there is one already and may not be replaced, `OSError` where that fails; the
        target is as it was then.
        """
        for file in self.path.iterdir():
            _sync(file)
        _sync(self.path)
        try:
            self._move()
        except FileExistsError:
            if not replace:
                raise
            if not _exchange(self.path, self.target):
                self._replace_in_two_steps()
        _sync(self.target.parent)

    def close(self) -> None:
        """Remove what lies at `path` now: what was not published, or what gave way. Idempotent."""
        _remove(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _move(self) -> None:
        try:
            self.path.rename(self.target)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY or self.target.is_symlink():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.target)) from error
            raise

    def _replace_in_two_steps(self) -> None:
        old = self.path.with_suffix(".old")
        self.target.rename(old)
        try:
            self._move()
        except OSError:
            old.rename(self.target)
            raise
        _remove(old)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder`; what lies there under a name of its own stays.

    Bring back what was giving way when its writer was killed before the new one had come.
    """
    if not folder.is_dir():
        return
    left = [entry for entry in folder.iterdir() if _LEFTOVER.fullmatch(entry.name)]
    for entry in left:
        if entry.suffix == ".old":
            _settle_old(entry)
    for entry in left:
        if entry.suffix == ".unfinished":
            _remove_if_dead(entry)


def remove_folder(target: Path) -> None:
    """Remove a folder: its name at once, then its files; of a link the link alone.

    Raises `FileNotFoundError`, or `OSError` where it stays.
    """
    going = _beside(target)
    target.rename(going)
    _sync(target.parent)
    _remove(going)


def _remove(path: Path) -> None:
    """A folder with all it holds; of a link to one, the link alone. What cannot be removed stays."""
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.unfinished"


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where this system cannot."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_own(path: Path) -> int | None:
    """Lock a folder just made; None when another writer took it for a dead one's before it was locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return descriptor  # no locks here: age alone will tell
    if path.exists():
        return descriptor
    os.close(descriptor)
    return None


def _settle_old(old: Path) -> None:
    """Its writer is at work, was killed before the new folder came (then it is the only copy), or after."""
    match = _LEFTOVER.fullmatch(old.name)
    assert match is not None
    target, new = old.with_name(match["name"]), old.with_suffix(".unfinished")
    with _held_if_dead(new) as dead:
        if new.exists() and not dead:
            return
    if target.exists():
        _remove(old)
    else:
        with suppress(OSError):  # another process has just settled it
            old.rename(target)


def _remove_if_dead(path: Path) -> None:
    with _held_if_dead(path) as dead:
        if dead:
            _remove(path)


@contextmanager
def _held_if_dead(path: Path) -> Iterator[bool]:
    """Whether nobody alive writes here; it is locked meanwhile, since who has just made it may be about to lock it.

    A folder that is gone, or another user's, is none to remove.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead = True
        except BlockingIOError:
            dead = False
        except OSError:
            dead = time.time() - os.fstat(descriptor).st_mtime > _STALE_S
        yield dead
    finally:
        os.close(descriptor)
