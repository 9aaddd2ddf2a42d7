"""A folder that is being written beside the one it will become, and what is left of those whose writer was killed.

Owns their names and the lock that tells a writer at work from a dead one. Must not import other modules of the project.

    .<name>.<8 hex>.unfinished     being written; locked by its writer as long as that process lives
    .<name>.<8 hex>.old            what gave way to a new folder, for a moment
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from pathlib import Path

_STALE_S = 3600.0  # where the file system has no locks


class UnfinishedFolder:
    """A new, empty folder beside `target`. `path` is where it lies until it is moved."""

    def __init__(self, target: Path) -> None:
        """Removes what killed writers of the same target left. Raises `OSError` when no folder can be made."""
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        self._lock: int | None = None
        while self._lock is None:
            self.path = target.parent / f".{target.name}.{secrets.token_hex(4)}.unfinished"
            self.path.mkdir()
            self._lock = _lock_own(self.path)
        self.old_path = self.path.with_suffix(".old")

    def close(self) -> None:
        """Remove the folder, unless it was moved away, and let go of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


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


def _sweep(target: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.(unfinished|old)")
    left = [entry for entry in target.parent.iterdir() if pattern.fullmatch(entry.name)]
    # an old folder is the only copy until the new one is in its place, so look for that after listing
    is_there = target.exists()
    for entry in left:
        if entry.suffix == ".unfinished":
            _remove_if_dead(entry)
        elif is_there:
            shutil.rmtree(entry, ignore_errors=True)


def _remove_if_dead(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return  # moved into place or removed meanwhile, or another user's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return  # its writer is at work
    except OSError:
        if time.time() - os.fstat(descriptor).st_mtime > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
