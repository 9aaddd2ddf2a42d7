"""The recordings that wait to be prepared: one folder for each job, beside the avatars. Blocking.

Owns these folders, and what is told of a disk that refuses. They lie in one that is locked while this process lives, so
that whoever sweeps the folder of avatars removes what a killed service left.
"""

import errno
import shutil
import threading
from pathlib import Path

from models.unfinished_folder import UnfinishedFolder, sweep
from ws_service.errors import DiskFull, ProcessingFailed, ServiceError

_NAME = "uploads"


def cannot_be_kept(error: OSError) -> ServiceError:
    """What a client is told whose recording could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("There is no room for the recording")
    return ProcessingFailed(f"The recording cannot be kept: {error.strerror}")


class Recordings:
    """Folders by job, made when they are needed. Any thread."""

    def __init__(self, avatars_dir: Path) -> None:
        self._avatars_dir = avatars_dir
        self._lock = threading.Lock()
        self._folder: UnfinishedFolder | None = None

    def new(self, job_id: str) -> Path:
        """An empty folder for one job's recording. Raises `OSError`."""
        with self._lock:
            if self._folder is not None and not self._folder.path.is_dir():  # somebody cleared up
                self._folder.close()
                self._folder = None
            if self._folder is None:
                self._folder = UnfinishedFolder(self._avatars_dir / _NAME)
            place = self._folder.path / job_id
        place.mkdir()
        return place

    def remove(self, job_id: str) -> None:
        """The recording of this job is not needed any more. Idempotent."""
        if self._folder is not None:
            shutil.rmtree(self._folder.path / job_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed services and children left among the avatars."""
        sweep(self._avatars_dir)

    def close(self) -> None:
        """Remove all that is left."""
        with self._lock:
            if self._folder is not None:
                self._folder.close()
                self._folder = None
