"""Makes an avatar on disk from one photo.

Owns the order of the steps, from a file to a published folder; each step is a module of its own.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.contours import Curve, correct_landmarks, read_contours
from models.preparation.crop import choose_crop
from models.preparation.drawn_videos import REPORT_NAME, Progress, check_name, silent, write_drawn
from models.preparation.face_fitness import refuse_unfit
from models.preparation.face_look import look_at
from models.preparation.face_mesh import FaceMesh
from models.preparation.face_warnings import face_warnings, lip_gaps
from models.preparation.photo import read_photo
from models.preparation.report import AvatarReport
from models.preparation.still import Still, photo_shots
from models.preparation.survey import Thumbnail, thumbnail_of
from models.prepared_avatar import AvatarWriter, PreparedAvatar, load_avatar


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

    `thumbnail` is shown the face as soon as it is found.
    For a drawn face: `contours`, a file of its exact curves (see `contours`), and `closed_eyes`, pictures of the same
    size with the eyes closed by 0..1. `replace`: an avatar that is there already gives way.
    Raises `PreparationError` naming the picture, `AvatarError` when the folder cannot be written.
    """
    check_name(name)
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
    check_name(name)
    report = progress or silent
    with AvatarWriter(folder, replace=replace) as writer:
        report("looking for the face", 0.0)
        points = FaceMesh().find_one(photo, where)
        crop = choose_crop(points, photo.shape[1], photo.shape[0])
        if thumbnail is not None:
            thumbnail(thumbnail_of(crop.cut(photo)))
        look = look_at(photo, points)
        refuse_unfit(lip_gaps(points[None]), [look], where)
        page = AvatarReport(name, warnings=face_warnings(points[None], [look]))
        if curves:
            points = correct_landmarks(points, curves)
        still = Still(photo, points, crop, closed)
        material = write_drawn(writer, still, photo_shots(), page, report, 0.05)
        report("saving", 0.95)
        writer.add_file(REPORT_NAME, page.html())
        writer.publish(name, same_pose=True, material=material)
    report("done", 1.0)
    return load_avatar(folder)
