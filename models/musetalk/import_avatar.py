"""Makes an avatar of a folder that MuseTalk prepared: its pictures, its boxes and masks, and its latents.

Owns the steps, and how boxes and masks come along when a picture is cut out and scaled to 512x512; the latents stay
what they are, because the network sees a box at 256x256 whatever its size. The light engine gets what it needs, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.interface import PICTURE_SIZE
from models.light.mouth_material import build_material
from models.musetalk.blending import MAX_BOX_PICTURES, FaceMask, is_face_sized
from models.musetalk.face_box import smoothed
from models.musetalk.foreign_avatar import ForeignFrame, read_foreign_avatar, read_picture
from models.musetalk.jaw_mask import Box
from models.musetalk.material import AvatarMaterial, keep_imported
from models.preparation.colour import bgr_to_i420
from models.preparation.crop import Crop, choose_crop
from models.preparation.face_mesh import FaceMesh
from models.prepared_avatar import AvatarWriter, PreparedAvatar, load_avatar

Progress = Callable[[str, float], None]  # what is being done, in words; the share of the whole that is done, 0..1

MAX_FRAMES = 750  # 30 s each way
_SECOND = 25
_LOOK_AGAIN_EVERY = 25  # frames; between, the face is followed


@dataclass(frozen=True, slots=True)
class ImportedAvatar:
    """`frames`: of the folder, each once. `left_out`: how many more there were."""

    avatar: PreparedAvatar
    frames: int
    left_out: int


def import_musetalk_avatar(
    source: Path, name: str, folder: Path, *, replace: bool = False, progress: Progress
) -> ImportedAvatar:
    """Make the avatar `name` in `folder`, its own, from what MuseTalk prepared in `source`.

    It has the loops `idle_0` and `speaking_0`, to and fro, and no actions. Raises `ModelError` or `PreparationError`
    naming the file that is wrong, `AvatarError` when the folder cannot be written.
    """
    foreign = read_foreign_avatar(source)
    frames, latents = foreign.frames[:MAX_FRAMES], foreign.latents[:MAX_FRAMES]
    points, crop = _survey(frames, progress)
    masks = [_mask(frame, crop) for frame in frames]
    order = to_and_fro(len(frames))
    shown: dict[int, list[int]] = {}
    for index, row in enumerate(order):
        shown.setdefault(row, []).append(index)
    with AvatarWriter(folder, replace=replace) as writer:
        idle = writer.new_video("idle_0", len(order))
        idle.landmarks[:] = crop.place(points)[order]
        for row, frame in enumerate(frames):
            idle.pictures[shown[row]] = bgr_to_i420(crop.cut(read_picture(frame.picture)))
            progress("cutting the pictures", 0.6 + 0.35 * row / len(frames))
        writer.same_video("speaking_0", idle)
        progress("saving", 0.95)
        once = [shown[row][0] for row in range(len(frames))]
        material = build_material(idle.pictures[once], idle.landmarks[once])
        writer.publish(name, same_pose=True, material=material)
    avatar = load_avatar(folder)
    rows = np.array(order, np.int32)
    try:
        keep_imported(avatar, AvatarMaterial(dict.fromkeys(avatar.videos, rows), masks, latents))
    except OSError as error:
        raise ModelError(f"{folder}: the latents cannot be written ({error.strerror}).") from error
    progress("done", 1.0)
    return ImportedAvatar(avatar, len(frames), len(foreign.frames) - len(frames))


def to_and_fro(count: int) -> list[int]:
    """Frames 0..count-1 forward and back, as often as MuseTalk shows each; a multiple of 25, held where it turns."""
    missing = -2 * count % _SECOND
    turn = missing - missing // 2
    forward = list(range(count))
    return [*forward, *[count - 1] * turn, *forward[::-1], *[0] * (missing - turn)]


def _survey(frames: list[ForeignFrame], progress: Progress) -> tuple[NDArray[np.float32], Crop]:
    """Landmarks (N, 468, 2) of the pictures, smoothed over time, and the square that is shown."""
    mesh, found, size = FaceMesh(), list[NDArray[np.float32]](), (0, 0)
    for number, frame in enumerate(frames):
        picture, where = read_picture(frame.picture), f"full_imgs/{frame.picture.name}"
        if number and picture.shape[:2] != size:
            raise ModelError(f"{where}: is of another size than the pictures before.")
        size = (picture.shape[0], picture.shape[1])
        if number % _LOOK_AGAIN_EVERY == 0:
            found.append(_points_near(frame.box, picture, mesh, where))
        else:
            found.append(mesh.follow(picture, found[-1], where))
        progress("looking for the face", 0.6 * number / len(frames))
    flat = np.stack(found)[..., :2].reshape(len(frames), -1).astype(np.float64)
    points = smoothed(flat, loop=False).reshape(len(frames), -1, 2).astype(np.float32)
    return points, choose_crop(points, size[1], size[0])


def _points_near(box: Box, picture: NDArray[np.uint8], mesh: FaceMesh, where: str) -> NDArray[np.float32]:
    """(468, 3) points of the face in the box, whoever else is in the picture."""
    left, top = max(box.left - box.width // 2, 0), max(box.top - box.height // 2, 0)
    part = picture[top : box.bottom + box.height // 2, left : box.right + box.width // 2]
    if part.size == 0:
        raise ModelError(f"coords.pkl: the box of {where} is not in the picture.")
    return mesh.find_one(np.ascontiguousarray(part), where) + np.array((left, top, 0), np.float32)


def _mask(frame: ForeignFrame, crop: Crop) -> FaceMask:
    mask = read_picture(frame.mask, grey=True)
    if mask.shape != (frame.crop.height, frame.crop.width):
        raise ModelError(f"mask/{frame.mask.name}: is not as large as its crop in mask_coords.pkl.")
    box, area = _placed(frame.box, crop), _placed(frame.crop, crop)
    for file, source, placed in (("coords.pkl", frame.box, box), ("mask_coords.pkl", frame.crop, area)):
        if not is_face_sized(placed):
            raise ModelError(
                f"{file}: the box of {frame.picture.name} is {source.width} x {source.height} pixels, too large or too "
                f"small: {crop.side} are shown, and at most {MAX_BOX_PICTURES * crop.side} each way are allowed."
            )
    apart = max(box.left, area.left, 0) >= min(box.right, area.right, PICTURE_SIZE)
    if apart or max(box.top, area.top, 0) >= min(box.bottom, area.bottom, PICTURE_SIZE):
        raise ModelError(f"coords.pkl: the box of {frame.picture.name} is not on the face, or not in its mask's crop.")
    shrinks = area.width < mask.shape[1]
    scaled = cv2.resize(mask, (area.width, area.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return FaceMask.cut(np.asarray(scaled, np.uint8), box, area)


def _placed(box: Box, crop: Crop) -> Box:
    """A box of the source in pixels of the cut-out; its edges are edges of pixels."""
    left, top, right, bottom = (
        round((edge - start) * crop.scale)
        for edge, start in zip(box, (crop.left, crop.top, crop.left, crop.top), strict=True)
    )
    return Box(left, top, right, bottom)
