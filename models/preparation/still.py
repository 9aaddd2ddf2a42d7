"""Turns one photo into an avatar's videos: an idle loop, a speaking loop of the same poses, a nod and a tilt.

Owns the order of the steps for a photo and the drawing of its frames. Must not import modules that read or write
files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.preparation.actions import ACTIONS
from models.preparation.blink import close_eyes, close_lids, eyes_are_open
from models.preparation.colour import bgr_to_i420
from models.preparation.corner_fit import fit_corners
from models.preparation.crop import MARGIN, Crop
from models.preparation.head_warp import HeadWarp, Pose
from models.preparation.idle_motion import (
    BLINK,
    IDLE_BLINKS,
    LOOP_FRAMES,
    SPEAKING_BLINKS,
    closures,
    idle_pose,
    speaking_brows,
)
from models.preparation.lid_fit import fit_lids


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame to draw: where the head is and how closed the eyes are."""

    pose: Pose
    closure: float


class Still:
    """A photo cut out, ready to be drawn in any pose. Read only once made."""

    def __init__(
        self,
        photo: NDArray[np.uint8],
        points: NDArray[np.float32],
        crop: Crop,
        closed: Mapping[float, NDArray[np.uint8]] | None = None,
    ) -> None:
        """`photo`: (H, W, 3) BGR. `points`: (468, 3), its pixels. `closed`: the photo with eyes closed so far, drawn.

        Without drawn pictures the eyes are closed by a warp, or never where they are already closed.
        """
        self.points = crop.place(fit_corners(photo, points))
        self._warp = HeadWarp(self.points, crop.space())
        open_eyes = crop.cut_with_margin(photo)
        self._by_closure = {0.0: open_eyes}
        if closed:
            self._by_closure |= {closure: crop.cut_with_margin(picture) for closure, picture in closed.items()}
        elif eyes_are_open(self.points):
            margin = np.array([MARGIN, MARGIN, 0], np.float32)
            in_margin = fit_lids(open_eyes, self.points + margin)
            self.points = in_margin - margin
            self._by_closure |= {closure: close_eyes(open_eyes, in_margin, closure) for closure in set(BLINK)}

    def draw(self, shot: Shot) -> NDArray[np.uint8]:
        """The picture (768, 512), I420."""
        nearest = min(self._by_closure, key=lambda closure: abs(closure - shot.closure))
        return bgr_to_i420(self._warp.picture(self._by_closure[nearest], shot.pose))

    def landmarks(self, shot: Shot) -> NDArray[np.float32]:
        """Its landmarks (468, 2): the photo's own, moved by the same warp, so that they never tremble."""
        nearest = min(self._by_closure, key=lambda closure: abs(closure - shot.closure))
        return self._warp.landmarks(close_lids(self.points, nearest), shot.pose)

    def draw_all(self, shots: Sequence[Shot]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Each shot's picture and landmarks, one at a time."""
        for shot in shots:
            yield self.draw(shot), self.landmarks(shot)


def photo_shots() -> dict[str, list[Shot]]:
    """Every video of a photo avatar, frame by frame. The two loops show the same pose at each index."""
    poses = [idle_pose(index) for index in range(LOOP_FRAMES)]
    idle = [Shot(pose, closed) for pose, closed in zip(poses, closures(LOOP_FRAMES, IDLE_BLINKS), strict=True)]
    speaking = [
        Shot(replace(pose, brows=speaking_brows(index)), closed)
        for index, (pose, closed) in enumerate(zip(poses, closures(LOOP_FRAMES, SPEAKING_BLINKS), strict=True))
    ]
    return {"idle_0": idle, "speaking_0": speaking} | action_shots(poses[0])


def action_shots(rest: Pose) -> dict[str, list[Shot]]:
    """The actions, frame by frame, each leaving from `rest` and coming back to it."""
    shots = {}
    for action in ACTIONS:
        poses = action.poses(rest)
        closed = closures(len(poses), action.blinks)
        shots[action.name] = [Shot(pose, closure) for pose, closure in zip(poses, closed, strict=True)]
    return shots
