"""The first pass over a clip: finds the face in every frame, follows it, and measures what a report wants to know.

Owns that pass. Some numbers of each frame stay in memory; its landmarks, which are more, lie in a file without a name
that is gone with the process. Must not import modules that write files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.crop import choose_crop
from models.preparation.cuts import CutFinder
from models.preparation.face_fitness import HIDDEN_MOUTH, hidden_mouths, refuse_unfit
from models.preparation.face_look import FaceLook, look_at
from models.preparation.face_mesh import POINTS, FaceMesh
from models.preparation.face_motion import FeatureTracker
from models.preparation.face_warnings import lip_gaps
from models.preparation.video_file import read_frames

Thumbnail = Callable[[NDArray[np.uint8]], None]  # a picture of what is being worked on: (160, 160, 3) BGR

_COUNT_AGAIN_EVERY = 25  # frames between two looks for a second face
_THUMBNAIL_SIZE = 160


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was found, a row for each frame at 25 fps.

    `points`: (N, 468, 3), pixels of the source, read-only, mapped from a file. `steps`: the similarity (2, 3) from the
    frame before, None where there is none. `looks`: see `face_look`. `unusable`: why a frame shows no face that could
    be used, where that is allowed; it has the points of the one before.
    """

    path: Path
    width: int
    height: int
    points: NDArray[np.float32]
    steps: list[NDArray[np.float64] | None]
    looks: list[FaceLook]
    unusable: dict[int, str]

    def __len__(self) -> int:
        return len(self.points)


def survey_clip(
    path: Path,
    most: int,
    progress: Callable[[float], None],
    thumbnail: Thumbnail | None = None,
    *,
    scratch: Path | None = None,
    tolerant: bool = False,
) -> Survey:
    """Look through the first `most` frames. `progress` hears the share done, `thumbnail` sees each second.

    `scratch`: the folder of the file with the landmarks (6 KB a frame); None: that for temporary files.
    `tolerant`: frames without a usable face are noted and passed over, as long as the first has one.
    Raises `PreparationError` naming the file and the frame (counted from 0 in the file).
    """
    mesh, tracker, cuts = FaceMesh(), FeatureTracker(), CutFinder()
    points = np.empty((POINTS, 3), np.float32)
    steps: list[NDArray[np.float64] | None] = []
    looks: list[FaceLook] = []
    unusable: dict[int, str] = {}
    numbers: list[int] = []  # of the file's frames
    firsts: list[int] = []  # where each of them comes first
    size = (0, 0)
    with TemporaryFile(dir=scratch) as kept:
        for index, number, picture in read_frames(path, most):
            where = f"{path.name}, frame {number}"
            look_again = index % _COUNT_AGAIN_EVERY == 0 or index - 1 in unusable
            try:
                points = mesh.find_one(picture, where) if look_again else mesh.follow(picture, points, where)
            except PreparationError as error:
                if not tolerant or index == 0:
                    raise
                unusable[index] = str(error)
            size = (picture.shape[1], picture.shape[0])
            kept.write(points.tobytes())
            step = tracker.step(picture, points)
            steps.append(None if index in unusable or index - 1 in unusable else step)
            looks.append(look_at(picture, points))
            if number not in numbers[-1:]:  # a frame of the file that is shown longer comes more than once
                cuts.see(None if index in unusable else points, picture)
                firsts.append(index)
            numbers.append(number)
            if thumbnail is not None and index % _COUNT_AGAIN_EVERY == 0:
                thumbnail(thumbnail_of(choose_crop(points, *size).cut(picture)))
            progress((index + 1) / most)
        kept.flush()
        every = np.asarray(np.memmap(kept, np.float32, "r", shape=(len(numbers), POINTS, 3)))
    for index in hidden_mouths(looks):
        reason = f"{path.name}, frame {numbers[index]}: {HIDDEN_MOUTH}"
        if not tolerant:
            raise PreparationError(reason)
        unusable.setdefault(index, reason)
    for first in (firsts[cut] for cut in cuts.cuts()):
        if first not in unusable and first - 1 not in unusable:
            raise PreparationError(
                f"{path.name}, frame {numbers[first]}: there is a cut; a face in one take is needed."
            )
    usable = [index for index in range(len(looks)) if index not in unusable]
    if usable:
        refuse_unfit(lip_gaps(every)[usable], [looks[index] for index in usable], path.name)
    return Survey(path, *size, every, steps, looks, unusable)


def thumbnail_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cut-out (512, 512, 3) as `Thumbnail` sees it."""
    return np.asarray(cv2.resize(picture, (_THUMBNAIL_SIZE, _THUMBNAIL_SIZE), interpolation=cv2.INTER_AREA), np.uint8)
