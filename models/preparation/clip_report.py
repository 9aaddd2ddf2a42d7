"""What the report says of one video of a clip: it looks at the finished pictures again and compares.

Owns that comparison. Must not import modules that write files.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.clip import LoopTarget, SteadyClip
from models.preparation.colour import i420_to_bgr
from models.preparation.face_mesh import FaceMesh
from models.preparation.face_motion import FaceMotion, face_motion
from models.preparation.report import ClipReport, Curve
from models.preparation.steadying import Steadying, steadiness


def clip_report(
    title: str,
    clip: SteadyClip,
    target: LoopTarget,
    ways: Steadying,
    warnings: Sequence[str],
    progress: Callable[[float], None],
) -> ClipReport:
    """Compare the recording's frames of a loop with the pictures it became. `target` is filled."""
    mains = [frame.main for frame in target.frames]
    recorded = clip.crop.place(clip.survey.points[mains])
    before, after = face_motion(recorded, None), face_motion(_seen_again(target, title, progress), None)
    count = min(25, len(target.pictures))
    blend = np.mean([i420_to_bgr(np.ascontiguousarray(picture)) for picture in target.pictures[:count]], axis=0)
    return ClipReport(
        title,
        _what_was_done(clip, ways),
        steadiness(before),
        steadiness(after),
        _curves(before, after),
        target.blend_before,
        np.rint(blend).astype(np.uint8),
        warnings,
    )


def _seen_again(target: LoopTarget, title: str, progress: Callable[[float], None]) -> NDArray[np.float32]:
    """Landmarks (N, 468, 3) of the finished pictures; where a fade hides the face, those that were computed."""
    mesh = FaceMesh()
    points: list[NDArray[np.float32]] = []
    for picture, landmarks in zip(target.pictures, target.landmarks, strict=True):
        progress(len(points) / len(target.pictures))
        computed = np.column_stack([landmarks, np.zeros(len(landmarks), np.float32)])
        try:
            points.append(mesh.follow(i420_to_bgr(np.ascontiguousarray(picture)), computed, title))
        except PreparationError:
            points.append(computed)
    return np.stack(points)


def _curves(before: FaceMotion, after: FaceMotion) -> list[Curve]:
    pairs = [(motion.track[:, 0], motion.track[:, 1], np.exp(motion.track[:, 2])) for motion in (before, after)]
    titles = ("Box, across: px", "Box, down: px", "Size of the face: px")
    return [Curve(title, a, b) for title, a, b in zip(titles, *pairs, strict=True)]


def _what_was_done(clip: SteadyClip, ways: Steadying) -> str:
    if clip.maps is None and (ways.box_filter or ways.scale_lock):
        return "The camera stood still: the pictures stay as they are."
    done = [
        text
        for wanted, text in (
            (ways.box_filter, "One-Euro filter on the face's place"),
            (ways.scale_lock, "size locked to that of the first second"),
            (ways.tracking, "Lucas-Kanade tracking between frames"),
        )
        if wanted
    ]
    return f"{'; '.join(done)}." if done else "Nothing was done against shaking."
