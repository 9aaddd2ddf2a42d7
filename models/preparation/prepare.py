"""Makes an avatar on disk from one photo or one video clip.

Owns the order of the steps, from a file to a published folder; each step is a module of its own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.light.mouth_material import build_material
from models.preparation.clip import Thumbnail, fill_loop, survey_clip, thumbnail_of
from models.preparation.contours import Curve, correct_landmarks, read_contours
from models.preparation.crop import choose_crop
from models.preparation.face_mesh import FaceMesh
from models.preparation.head_warp import Pose
from models.preparation.photo import read_photo
from models.preparation.still import Shot, Still, action_shots, photo_shots
from models.prepared_avatar import AvatarWriter, PreparedAvatar, load_avatar

# what is being done, in words; the share of the whole that is done, 0..1; at least once for each second of work
Progress = Callable[[str, float], None]

_DRAWN_BETWEEN_REPORTS = 1
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as clients can name it


def prepare_photo(
    image: Path,
    name: str,
    folder: Path,
    *,
    contours: Path | None = None,
    closed_eyes: Mapping[float, Path] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """Make the avatar `name` in `folder` (its own folder, which appears when it is whole) from one photo.

    `thumbnail` is shown the face as soon as it is found; of a clip, once for each second that was looked through.
    For a drawn face: `contours`, a file of its exact curves (see `contours`), and `closed_eyes`, pictures of the same
    size with the eyes closed by 0..1. `replace`: an avatar that is there already gives way.
    Raises `PreparationError` naming the picture, `AvatarError` when the folder cannot be written.
    """
    _check_name(name)
    photo = read_photo(image)
    curves = read_contours(contours) if contours else None
    closed = {closure: read_photo(path) for closure, path in (closed_eyes or {}).items()}
    for path, picture in zip((closed_eyes or {}).values(), closed.values(), strict=True):
        if picture.shape != photo.shape:
            raise PreparationError(f"{path.name}: must be as large as {image.name}.")
    return prepare_picture(
        photo, image.name, name, folder, curves, closed, replace=replace, progress=progress, thumbnail=thumbnail
    )


def prepare_picture(
    photo: NDArray[np.uint8],
    where: str,
    name: str,
    folder: Path,
    curves: Mapping[str, Curve] | None = None,
    closed: Mapping[float, NDArray[np.uint8]] | None = None,
    *,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """`prepare_photo` for a picture (H, W, 3), BGR, in memory; `where` names it in errors."""
    _check_name(name)
    report = progress or _silent
    with AvatarWriter(folder, replace=replace) as writer:
        report("looking for the face", 0.0)
        points = FaceMesh().find_one(photo, where)
        crop = choose_crop(points, photo.shape[1], photo.shape[0])
        if thumbnail is not None:
            thumbnail(thumbnail_of(crop.cut(photo)))
        if curves:
            points = correct_landmarks(points, curves)
        still = Still(photo, points, crop, closed)
        videos = photo_shots()
        material = _write_videos(writer, still, videos, report, 0.05)
        report("saving", 0.95)
        writer.publish(name, same_pose=True, material=material)
    report("done", 1.0)
    return load_avatar(folder)


def prepare_video(
    clip: Path,
    name: str,
    folder: Path,
    *,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """Make the avatar `name` in `folder` (its own folder, which appears when it is whole) from a video clip.

    At most the first `clip.MAX_SECONDS` are used. Both loops show the clip; the actions move its first frame.
    Raises `PreparationError` naming the file and the frame, `AvatarError` when the folder cannot be written.
    """
    _check_name(name)
    report = progress or _silent
    with AvatarWriter(folder, replace=replace) as writer:
        surveyed = survey_clip(clip, lambda share: report("looking for the face", 0.5 * share), thumbnail)
        idle = writer.new_video("idle_0", len(surveyed.loop))
        first = fill_loop(
            surveyed, idle.pictures, idle.landmarks, lambda share: report("cutting the loop", 0.5 + 0.3 * share)
        )
        writer.same_video("speaking_0", idle)
        still = Still(first, surveyed.points[surveyed.loop[0].main], surveyed.crop)
        _write_videos(writer, still, action_shots(Pose()), report, 0.8)
        material = build_material(idle.pictures, idle.landmarks)
        report("saving", 0.95)
        writer.publish(name, same_pose=True, material=material)
    report("done", 1.0)
    return load_avatar(folder)


def _write_videos(
    writer: AvatarWriter, still: Still, videos: Mapping[str, Sequence[Shot]], report: Progress, done: float
) -> dict[str, NDArray[np.generic]]:
    """Draw the videos of a still picture; returns the mouth material of the first one."""
    total, drawn = sum(len(shots) for shots in videos.values()), 0
    material: dict[str, NDArray[np.generic]] = {}
    for name, shots in videos.items():
        video = writer.new_video(name, len(shots))
        for index, (picture, landmarks) in enumerate(still.draw_all(shots)):
            video.pictures[index], video.landmarks[index] = picture, landmarks
            drawn += 1
            if drawn % _DRAWN_BETWEEN_REPORTS == 0:
                report(f"drawing {name}", done + (0.95 - done) * drawn / total)
        # every picture shows the same mouth: one is enough
        material = material or build_material(video.pictures[:1], video.landmarks[:1])
    return material


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise PreparationError(f"{name!r}: a name is 1 to 64 letters, digits, '-' or '_'.")


def _silent(_: str, __: float) -> None:
    """Nobody wants to hear about progress."""
