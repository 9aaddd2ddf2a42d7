"""What preparation leaves behind, and its form on disk: plain arrays and a manifest, no pickle.

Owns the folder's layout, reading and writing it. Must not import other modules of the project but the errors,
`avatar_manifest`, `plain_arrays` and `unfinished_folder`.

Pictures are mapped from the files: who shows an avatar reads them as they are on disk at that moment. So an avatar's
files must never be changed in place; `AvatarWriter` (and with it all preparation) replaces the whole folder, and who
has the old one open keeps it. A file that is truncated under a running service kills it (SIGBUS).

    <folder>/manifest.json            version, name, same_pose, every video's length, every file's size and checksum
             <video>.pictures.npy     uint8 (N, 768, 512)
             <video>.landmarks.npy    float32 (N, 468, 2)
             material.npz             the light engine's mouth material
             report.html              what preparation saw and did, for people
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.avatar_manifest import (
    FRAMES_PER_SECOND,
    LANDMARKS_SUFFIX,
    MATERIAL_NAME,
    PICTURES_SUFFIX,
    REQUIRED_VIDEOS,
    VIDEO_NAME,
    check_contents,
    check_sizes,
    read_manifest,
    write_manifest,
)
from models.errors import AvatarError
from models.plain_arrays import map_array, read_arrays
from models.unfinished_folder import UnfinishedFolder

_PICTURE_SHAPE = (768, 512)
_LANDMARKS_SHAPE = (468, 2)
_PICTURE_MIDDLE = 256
_FARTHEST = 768  # pixels from there: a face may reach over the edge


@dataclass(frozen=True, slots=True)
class BaseVideo:
    """A loop (`idle_n`, `speaking_n`) or a clip that plays once (`action_n`). Its length is a multiple of 25 frames.

    `pictures`: (N, 768, 512) uint8 I420, memory-mapped. `landmarks`: (N, 468, 2) float32, pixels of the 512x512
    picture, MediaPipe face-mesh order, pixel centres at whole numbers.
    """

    name: str
    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedAvatar:
    """One avatar as the service uses it. `same_pose`: the loops show the same pose at each index (made from one photo).

    `material`: the light engine's mouth material (arrays by name), made once at preparation. `folder`: where it was
    read from, None for an avatar in memory; an engine may keep files of its own there. `revision`: of the content, ""
    for an avatar in memory. What is read again is another avatar, whatever its name: sessions may still show the one
    that it replaces.
    """

    name: str
    videos: Mapping[str, BaseVideo]
    same_pose: bool
    material: Mapping[str, NDArray[np.generic]]
    folder: Path | None = None
    revision: str = ""

    @property
    def size_bytes(self) -> int:
        """Memory that its arrays take once all pictures have been shown; videos may share theirs."""
        arrays = [array for video in self.videos.values() for array in (video.pictures, video.landmarks)]
        return sum(
            array.nbytes for array in {id(array): array for array in [*arrays, *self.material.values()]}.values()
        )


def load_avatar(folder: Path) -> PreparedAvatar:
    """Read an avatar; pictures are memory-mapped, and everything else is compared with its checksum.

    Raises `AvatarError` naming the file that is wrong. `check_pictures` does the rest, in time of its own.
    """
    manifest = read_manifest(folder)
    check_sizes(folder, manifest)
    check_contents(folder, manifest, pictures=False)
    mapped: dict[tuple[int, int], NDArray[np.uint8]] = {}
    videos = {name: _load_video(folder, name, length, mapped) for name, length in manifest.videos.items()}
    material = _load_material(folder / MATERIAL_NAME)
    return PreparedAvatar(manifest.name, videos, manifest.same_pose, material, folder, manifest.revision)


def check_pictures(folder: Path) -> None:
    """Compare the pictures of an avatar with their checksums: 4 GB a second. Raises `AvatarError` naming the file."""
    check_contents(folder, read_manifest(folder), pictures=True)


def save_avatar(avatar: PreparedAvatar, folder: Path, *, replace: bool = False) -> None:
    """Write an avatar that is in memory. Raises `AvatarError` as `AvatarWriter` does."""
    with AvatarWriter(folder, replace=replace) as writer:
        for video in avatar.videos.values():
            written = writer.new_video(video.name, len(video.pictures))
            written.pictures[:], written.landmarks[:] = video.pictures, video.landmarks
        writer.publish(avatar.name, same_pose=avatar.same_pose, material=avatar.material)


class AvatarWriter:
    """Writes an avatar in a folder beside its own and moves it there when it is whole.

    Use as a context manager: without `publish`, or after an error, nothing remains; what a writer leaves whose process
    is killed, the next one of the same folder removes. One thread.
    """

    def __init__(self, folder: Path, *, replace: bool = False) -> None:
        """`replace`: an avatar that is already there gives way. Raises `AvatarError` when it is there and may not."""
        self._folder, self._replace = folder, replace
        self._lengths: dict[str, int] = {}
        self._open: list[np.memmap] = []
        self._refuse_existing()
        try:
            self._place = UnfinishedFolder(folder)
        except OSError as error:
            raise self._unwritable(error) from error
        self._unfinished = self._place.path

    def __enter__(self) -> "AvatarWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.clear()
        self._place.close()

    @property
    def scratch(self) -> Path:
        """A folder on the same disk for temporary files; it goes when the avatar appears, or with the writer."""
        return self._unfinished

    def new_video(self, name: str, length: int) -> BaseVideo:
        """A video of `length` frames to fill in place, picture by picture; the disk has room for all of them.

        Raises `AvatarError` when it has not.
        """
        if not VIDEO_NAME.fullmatch(name) or name in self._lengths:
            raise ValueError(f"{name!r} is no name for one more video")
        if length < FRAMES_PER_SECOND or length % FRAMES_PER_SECOND:
            raise ValueError(f"{name}: {length} frames are no multiple of {FRAMES_PER_SECOND}")
        try:
            pictures = _new_array(self._unfinished / f"{name}{PICTURES_SUFFIX}", np.uint8, (length, *_PICTURE_SHAPE))
            landmarks = _new_array(
                self._unfinished / f"{name}{LANDMARKS_SUFFIX}", np.float32, (length, *_LANDMARKS_SHAPE)
            )
        except OSError as error:
            raise self._unwritable(error) from error
        self._lengths[name] = length
        self._open += [pictures, landmarks]
        return BaseVideo(name, pictures, landmarks)

    def same_video(self, name: str, other: BaseVideo) -> None:
        """One more video with the frames of another, which is already filled; shares its space where disks can."""
        for suffix in (PICTURES_SUFFIX, LANDMARKS_SUFFIX):
            source, target = (self._unfinished / f"{video}{suffix}" for video in (other.name, name))
            self._flush()
            try:
                os.link(source, target)
            except OSError:
                self._copy(source, target)
        self._lengths[name] = self._lengths[other.name]

    def add_file(self, name: str, text: str) -> None:
        """One more file in the avatar's folder, for people to read."""
        try:
            (self._unfinished / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def publish(self, name: str, *, same_pose: bool, material: Mapping[str, NDArray[np.generic]]) -> None:
        """Make the avatar appear in its folder, whole. Raises `AvatarError`; nothing appears then."""
        if missing := [video for video in REQUIRED_VIDEOS if video not in self._lengths]:
            raise ValueError(f"an avatar needs {missing[0]}")
        if unfit := [key for key, array in material.items() if array.dtype.hasobject]:
            raise ValueError(f"{unfit[0]}: only plain arrays are saved")
        self._flush()
        try:
            np.savez(self._unfinished / MATERIAL_NAME, **material)  # type: ignore[arg-type] # numpy types its own flag
            write_manifest(self._unfinished, name, same_pose=same_pose, videos=self._lengths)
            self._place.publish(replace=self._replace)
        except FileExistsError:
            raise self._in_the_way() from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> AvatarError:
        return AvatarError(f"{self._folder}: cannot be written ({error.strerror}).")

    def _copy(self, source: Path, target: Path) -> None:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise self._unwritable(error) from error

    def _flush(self) -> None:
        for array in self._open:
            array.flush()

    def _refuse_existing(self) -> None:
        if self._folder.exists() and not self._replace:
            raise self._in_the_way()

    def _in_the_way(self) -> AvatarError:
        return AvatarError(f"{self._folder}: exists already.")


def _new_array(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> np.memmap:
    """An array of zeros in a new file. Raises `OSError` when the disk is full."""
    array = np.lib.format.open_memmap(path, "w+", kind, shape)
    if sys.platform != "darwin":  # macOS has no such call
        # a mapped file with holes kills the process that fills them on a full disk
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _load_video(folder: Path, name: str, length: int, mapped: dict[tuple[int, int], NDArray[np.uint8]]) -> BaseVideo:
    """`mapped`: pictures of other videos by device and inode; a file of two names is mapped once."""
    path = folder / f"{name}{PICTURES_SUFFIX}"
    try:
        found = path.stat()
    except OSError as error:
        raise AvatarError(f"{path}: cannot be read ({error.strerror}).") from error
    one = (found.st_dev, found.st_ino)
    if one not in mapped or len(mapped[one]) != length:
        mapped[one] = _load_array(path, np.uint8, (length, *_PICTURE_SHAPE))
    path = folder / f"{name}{LANDMARKS_SUFFIX}"
    landmarks = _load_array(path, np.float32, (length, *_LANDMARKS_SHAPE)).copy()
    if not (np.abs(landmarks - _PICTURE_MIDDLE) <= _FARTHEST).all():  # false, too, for what is no number
        raise AvatarError(f"{path}: is damaged (points that are nowhere near the picture).")
    return BaseVideo(name, mapped[one], landmarks)


def _load_array(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    with _as_avatar_error(path):
        return map_array(path, kind, shape)


def _load_material(path: Path) -> dict[str, NDArray[np.generic]]:
    with _as_avatar_error(path):
        material = read_arrays(path)
    for name, array in material.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise AvatarError(f"{path}: is damaged ({name[:64]} holds what is no number).")
    return material


@contextmanager
def _as_avatar_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AvatarError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise AvatarError(f"{path}: is damaged ({error}).") from error
