"""Where a face is in each frame of a clip, to a fraction of a pixel: its centre, size and roll.

Owns the stable points, the tracking of what lies between them (Lucas-Kanade, forwards and back) and how it is joined
with the landmarks: tracking is exact from frame to frame and drifts, landmarks tremble and do not drift. So the slow
part comes from the landmarks and the rest from tracking. Must not import other modules of the project.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Points that neither speech nor blinks move: forehead, bridge and sides of the nose, corners of the eyes, temples.
STABLE_POINTS = (10, 151, 9, 8, 67, 297, 69, 299, 104, 333, 6, 197, 195, 5, 4, 1, 98, 327, 133, 362, 33, 263, 127, 356)

_OUTLINE = (127, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 356, 345, 280, 327, 2, 98, 50, 116)
_EYES = ((33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373))
_TRACKED_WIDTH = 300  # pixels: a larger face is made smaller first; more brings nothing
_MARGIN = 0.25  # of the face, around it: how far it may move in a frame
_CORNERS, _FEWEST = 80, 8
_BACK_AGAIN = 0.5  # pixels: a point that is tracked there and back must come home
_DRIFT_SIGMA = 10.0  # frames: what is slower than this comes from the landmarks


@dataclass(frozen=True, slots=True)
class FaceMotion:
    """(N, 4) float64: x and y of the face's centre in pixels, log of its size, roll in radians, clockwise.

    The size is that of the stable points: their root mean square distance from the centre.
    """

    track: NDArray[np.float64]

    def between(self, start: int, end: int) -> "FaceMotion":
        """The frames from `start` to before `end`."""
        return FaceMotion(self.track[start:end])

    def map_to(self, target: "FaceMotion") -> NDArray[np.float64]:
        """(N, 2, 3): for each frame the similarity that takes a picture with this face to one with `target`'s."""
        scale = np.exp(target.track[:, 2] - self.track[:, 2])
        turn = target.track[:, 3] - self.track[:, 3]
        cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
        shift = target.track[:, :2] - np.einsum("nij,nj->ni", linear, self.track[:, :2])
        return np.concatenate([linear, shift[..., None]], -1)


class FeatureTracker:
    """Follows the texture of the upper face from one frame to the next."""

    def __init__(self) -> None:
        self._before: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = None

    def step(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """The similarity (2, 3) that takes the frame before to this one, None for the first or where it is lost.

        `picture`: (H, W, 3) BGR; `points`: (468, 2 or more), its landmarks.
        """
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        before, self._before = self._before, (grey, points)
        return None if before is None or before[0].shape != grey.shape else _follow(*before, grey)


def _follow(
    first: NDArray[np.uint8], points: NDArray[np.float32], second: NDArray[np.uint8]
) -> NDArray[np.float64] | None:
    outline = points[list(_OUTLINE), :2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    margin = _MARGIN * (high - low).max()
    left, top = np.clip(np.floor(low - margin), 0, None).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    scale = min(1.0, _TRACKED_WIDTH / max(float(right - left), 1.0))
    views: list[NDArray] = [view[top:bottom, left:right] for view in (first, second)]
    if min(views[0].shape) < 16:
        return None
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in views[0].shape[::-1])
        views = [cv2.resize(view, size, interpolation=cv2.INTER_AREA) for view in views]
    zoom = np.array(views[0].shape[::-1]) / ((right - left, bottom - top) if scale < 1 else views[0].shape[::-1])
    placed = (points[:, :2] + 0.5 - (left, top)) * zoom - 0.5
    mask = np.zeros(views[0].shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(placed[list(_OUTLINE)]).astype(np.int32)), 255)
    for eye in _EYES:  # what blinks
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(placed[list(eye)]).astype(np.int32)), 0)
    corners = cv2.goodFeaturesToTrack(views[0], _CORNERS, 0.01, 4, mask=mask, blockSize=5)
    if corners is None or len(corners) < _FEWEST:
        return None
    moved, there = _tracked(views[0], views[1], corners)
    home, back = _tracked(views[1], views[0], moved)
    good = there & back & (np.linalg.norm(home - corners, axis=-1)[:, 0] < _BACK_AGAIN)
    if good.sum() < _FEWEST:
        return None
    whole = [(place[good, 0] + 0.5) / zoom - 0.5 + (left, top) for place in (corners, moved)]
    step, inside = cv2.estimateAffinePartial2D(whole[0], whole[1], ransacReprojThreshold=0.7 / float(zoom.mean()))
    return None if step is None or inside.sum() < _FEWEST else np.asarray(step, np.float64)


def _tracked(first: NDArray, second: NDArray, corners: NDArray) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the corners (P, 1, 2) went, and which (P,) were found again."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, corners, np.empty_like(corners), winSize=(15, 15), maxLevel=3
    )
    return np.asarray(moved, np.float32), np.asarray(found)[:, 0] > 0


def face_motion(points: NDArray[np.float32], steps: list[NDArray[np.float64] | None] | None) -> FaceMotion:
    """Where the face is, from its landmarks (N, 468, 2 or more) and, unless None, from what was tracked.

    `steps`: N, of each frame the similarity from the frame before, None where there is none.
    """
    seen = _from_landmarks(points)
    if steps is None:
        return FaceMotion(seen)
    increments = np.zeros_like(seen)
    for index in range(1, len(seen)):
        step = steps[index]
        if step is None:
            increments[index] = seen[index] - seen[index - 1]
        else:
            centre = seen[index - 1, :2]
            increments[index, :2] = step[:, :2] @ centre + step[:, 2] - centre
            increments[index, 2] = 0.5 * np.log(np.linalg.det(step[:, :2]))
            increments[index, 3] = np.arctan2(step[1, 0], step[0, 0])
    tracked = np.cumsum(increments, axis=0)
    return FaceMotion(tracked + smoothed(seen - tracked, _DRIFT_SIGMA))


def smoothed(track: NDArray[np.floating], sigma: float) -> NDArray[np.float64]:
    """A Gaussian over the first axis, `sigma` in frames; at the ends it is made of what is there."""
    reach = int(3 * sigma) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    flat = np.asarray(track, np.float64).reshape(len(track), -1)
    present = np.convolve(np.ones(len(flat)), weights)[reach : reach + len(flat)]
    sums = np.stack([np.convolve(column, weights)[reach : reach + len(flat)] for column in flat.T], axis=1)
    return (sums / present[:, None]).reshape(track.shape)


def _from_landmarks(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 4): how the stable points of the middle frame have to be moved, scaled and turned to lie on each frame's."""
    stable = points[:, list(STABLE_POINTS), :2].astype(np.float64)
    centres = stable.mean(axis=1)
    offsets = stable - centres[:, None]
    first = offsets[len(offsets) // 2]
    upright = np.arctan2(*(points[len(points) // 2, 263, [1, 0]] - points[len(points) // 2, 33, [1, 0]]))
    along = (offsets * first).sum(axis=(1, 2))
    across = (first[:, 0] * offsets[..., 1] - first[:, 1] * offsets[..., 0]).sum(axis=1)
    size = np.sqrt((first**2).sum(axis=1).mean())
    scale = np.hypot(along, across) / (first**2).sum()
    return np.column_stack([centres, np.log(scale * size), np.arctan2(across, along) + upright])
