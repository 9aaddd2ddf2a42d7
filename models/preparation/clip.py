"""Makes loops of a clip that was looked through: steadied, framed, cut out and cross-faded where they close.

Owns what becomes of a survey, and the second pass over the file, which fills any number of loops at once. No more than
a few pictures are in memory. Must not import modules that write files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.colour import bgr_to_i420
from models.preparation.crop import PICTURE_SIZE, choose_crop
from models.preparation.face_mesh import LEFT_SIDE, RIGHT_SIDE
from models.preparation.loop_plan import LoopFrame
from models.preparation.steadying import (
    Steadying,
    common_area,
    measured_motion,
    moved,
    steady_motion,
    steady_points,
)
from models.preparation.survey import Survey
from models.preparation.video_file import read_frames

_FRAMED_BY = 500  # frames of a clip that decide about its framing
_REACH = 6  # frames around those whose landmarks are asked for: what averaging over time looks at


class SteadyClip:
    """A clip as it will be shown: what takes each source picture to its steady place, and the square that is cut out.

    `maps`: (N, 2, 3), None where the pictures stay as they are.
    """

    def __init__(self, survey: Survey, ways: Steadying) -> None:
        self.survey = survey
        raw = survey.points
        self.face_width = float(np.median(np.linalg.norm(raw[:, RIGHT_SIDE, :2] - raw[:, LEFT_SIDE, :2], axis=1)))
        self.before = measured_motion(raw, survey.steps, self.face_width, ways)
        self.after = steady_motion(self.before, self.face_width, ways)
        self.maps = None if self.after is self.before else self.before.map_to(self.after)
        area = None if self.maps is None else common_area(self.maps, survey.width, survey.height)
        some = slice(None, None, max(1, len(raw) // _FRAMED_BY))
        framed = raw[some] if self.maps is None else moved(raw[some], self.maps[some])
        self.crop = choose_crop(framed, survey.width, survey.height, area)

    def points(self, start: int, end: int) -> NDArray[np.float32]:
        """The landmarks (end - start, 468, 3) of these frames once they are steadied; worked out when asked for."""
        first, last = max(0, start - _REACH), min(len(self.survey), end + _REACH)
        steady = steady_points(
            self.survey.points[first:last], self.before.between(first, last), self.after.between(first, last)
        )
        return steady[start - first : end - first]

    def picture(self, index: int, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The source picture (H, W, 3) of this frame, steadied as a whole; its border is repeated where it ends."""
        if self.maps is None:
            return source
        size = (self.survey.width, self.survey.height)
        steady = cv2.warpAffine(source, self.maps[index], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(steady, np.uint8)

    def cut(self, index: int, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What is shown of it, (512, 512, 3): only this part is moved, once, by fractions of a pixel."""
        return self.crop.cut(source, None if self.maps is None else self.maps[index])


@dataclass(frozen=True, slots=True, eq=False)
class LoopTarget:
    """A loop to fill: `pictures` (N, 768, 512) and `landmarks` (N, 468, 2), N as `frames` is long.

    `blend_before`: (512, 512, 3) BGR, filled with the mean of the first second as it would be without steadying.
    """

    frames: Sequence[LoopFrame]
    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    blend_before: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((PICTURE_SIZE, PICTURE_SIZE, 3), np.uint8))


def fill_loops(clip: SteadyClip, targets: Sequence[LoopTarget], progress: Callable[[float], None]) -> NDArray[np.uint8]:
    """Write the pictures and landmarks of all loops in one pass over the file.

    Returns the steadied source picture of the first loop's first frame, (H, W, 3) BGR.
    Raises `PreparationError` naming the file when it gives fewer frames than before.
    """
    wanted: dict[int, list[tuple[LoopTarget, int]]] = {}
    for target in targets:
        _place_landmarks(clip, target)
        for index, frame in enumerate(target.frames):
            for source in {frame.main, frame.faded} if frame.share else {frame.main}:
                wanted.setdefault(source, []).append((target, index))
    last, total = max(wanted), len(wanted)
    first: NDArray[np.uint8] | None = None
    half_done: set[tuple[int, int]] = set()
    blends = [_Blend(target) for target in targets]
    for source, _, picture in read_frames(clip.survey.path, last + 1):
        progress(1 - len(wanted) / total)
        if source not in wanted:
            continue
        if source == targets[0].frames[0].main:
            first = clip.picture(source, picture)
        plain = partial(clip.crop.cut, picture)
        for blend in blends:
            blend.see(source, plain)
        i420 = bgr_to_i420(clip.cut(source, picture))
        for target, index in wanted.pop(source):
            frame, key = target.frames[index], (id(target), index)
            share = frame.share if source == frame.faded else 1 - frame.share
            if key in half_done:  # the other half of a cross-fade is there
                target.pictures[index] = cv2.addWeighted(target.pictures[index], 1 - share, i420, share, 0)
            else:
                target.pictures[index] = i420
            half_done.add(key)
    if first is None or wanted:
        raise PreparationError(f"{clip.survey.path.name}: gave fewer frames when read again.")
    for blend in blends:
        blend.finish()
    return first


def _place_landmarks(clip: SteadyClip, target: LoopTarget) -> None:
    used = [index for frame in target.frames for index in ((frame.main, frame.faded) if frame.share else (frame.main,))]
    start = min(used)
    placed = clip.crop.place(clip.points(start, max(used) + 1))[..., :2]
    for index, frame in enumerate(target.frames):
        target.landmarks[index] = placed[frame.main - start]
        if frame.share:
            faded = placed[frame.faded - start]
            target.landmarks[index] += (faded - target.landmarks[index]) * frame.share


class _Blend:
    """The mean of the frames of a loop's first second."""

    def __init__(self, target: LoopTarget) -> None:
        self._target = target
        self._wanted = {frame.main for frame in target.frames[:25]}
        self._count = len(self._wanted)
        self._sum: NDArray[np.float32] = np.zeros(target.blend_before.shape, np.float32)

    def see(self, index: int, picture: Callable[[], NDArray[np.uint8]]) -> None:
        """Frame `index` of the clip; `picture`, (512, 512, 3), is made only where it is wanted."""
        if index in self._wanted:
            self._wanted.remove(index)
            self._sum += picture()

    def finish(self) -> None:
        """Write what was seen."""
        self._target.blend_before[:] = np.rint(self._sum / self._count)
