"""What MuseTalk keeps of an avatar: face boxes, masks and the latents of its base pictures.

Made once, at the engine's first load of the avatar or when it is prepared, and saved without pickle in the avatar's
folder as `musetalk.npz`. Pictures that an avatar shows several times are worked on once. Boxes, masks and latents have
one row for each different picture and every video an index of rows, so they cannot fall out of step with its frames.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.avatar_manifest import read_manifest
from models.errors import AvatarError, ModelError
from models.interface import PICTURE_SIZE, BaseFrame
from models.musetalk.blending import FaceMask
from models.musetalk.face_box import ibug_points, video_boxes
from models.musetalk.jaw_mask import Box, crop_box, draw_labels, face_region, parsing_input, soft_mask
from models.musetalk.nets import MuseTalkNets
from models.musetalk.vae import FACE_SIZE
from models.plain_arrays import read_arrays
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import BaseVideo, PreparedAvatar
from models.unfinished_folder import UnfinishedFolder

FILE_NAME = "musetalk.npz"
_VERSION = 1
_LATENTS_SHAPE = (8, 32, 32)
PREPARED_AT_ONCE = 8  # pictures through the VAE at once

Progress = Callable[[float], None]  # the share that is done, 0..1


@dataclass(frozen=True, slots=True)
class FaceTools:
    """What finds the face in a picture.

    `labels`: crops (512, 512, 3) RGB -> label map (512, 512); None: it is drawn from the avatar's landmarks.
    `points`: picture (512, 512, 3) BGR -> 68 points (68, 2); None: they are taken from the avatar's landmarks.
    """

    labels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None
    points: Callable[[NDArray[np.uint8]], NDArray] | None = None

    def describe(self) -> str:
        """Where boxes and masks come from."""
        return f"boxes {'DWPose' if self.points else 'landmarks'}, masks {'parsing' if self.labels else 'landmarks'}"


@dataclass(frozen=True, slots=True, eq=False)
class AvatarMaterial:
    """`rows`: by video, (N,) int32, the row of each frame. `masks`: one a row. `latents`: (U, 8, 32, 32) float32."""

    rows: Mapping[str, NDArray[np.int32]]
    masks: Sequence[FaceMask]
    latents: NDArray[np.float32]

    @property
    def size_bytes(self) -> int:
        """Main memory that it takes."""
        masks = sum(mask.luma.nbytes + mask.chroma.nbytes for mask in self.masks)
        return masks + self.latents.nbytes + sum(rows.nbytes for rows in self.rows.values())

    def row(self, base: BaseFrame) -> int:
        """The row of a base picture. Raises `ModelError` where the avatar has no such picture."""
        rows = self.rows.get(base.video)
        if rows is None or not 0 <= base.index < len(rows):
            raise ModelError(f"the avatar has no picture {base.video}[{base.index}]")
        return int(rows[base.index])


def avatar_material(
    avatar: PreparedAvatar, nets: MuseTalkNets, tools: FaceTools, progress: Progress | None = None
) -> AvatarMaterial:
    """The avatar's material, read from its folder where it fits avatar, weights and tools, else made and saved there.

    A folder that cannot be written only means that it is made again next time. Raises `ModelError`.
    """
    found = saved_material(avatar, nets, tools)
    if found is not None:
        return found
    material = make_material(avatar, nets, tools, progress)
    if avatar.folder is not None:
        with suppress(OSError, AvatarError):  # it is made again next time
            _write(material, avatar.folder, avatar.revision, _origin(avatar, nets, tools))
    return material


def saved_material(avatar: PreparedAvatar, nets: MuseTalkNets, tools: FaceTools) -> AvatarMaterial | None:
    """The material in the avatar's folder; None where there is none that fits avatar, weights and tools."""
    if avatar.folder is None:
        return None
    return _read(avatar.folder / FILE_NAME, (_origin(avatar, nets, tools), _imported_origin(avatar)))


def keep_imported(avatar: PreparedAvatar, material: AvatarMaterial) -> None:
    """Save material that came with the avatar: it is used whatever the weights and the tools.

    Raises `OSError`, `AvatarError` where another avatar has come in its place.
    """
    assert avatar.folder is not None
    _write(material, avatar.folder, avatar.revision, _imported_origin(avatar))


def make_material(
    avatar: PreparedAvatar, nets: MuseTalkNets, tools: FaceTools, progress: Progress | None = None
) -> AvatarMaterial:
    """Work on every different picture of the avatar. `progress` hears of it. Raises `ModelError` naming the video."""
    total = sum(len(video.pictures) for video in avatar.videos.values())
    known: dict[bytes, int] = {}
    masks: list[FaceMask] = []
    latents: list[NDArray[np.float32]] = []
    waiting: list[NDArray[np.uint8]] = []
    rows: dict[str, NDArray[np.int32]] = {}
    points: dict[bytes, NDArray] = {}
    done = 0
    for name, video in avatar.videos.items():
        rows[name] = np.empty(len(video.pictures), np.int32)
        for index, box in enumerate(_boxes(video, tools, points)):
            picture, landmarks = video.pictures[index], video.landmarks[index]
            digest = hashlib.blake2b(picture.tobytes(), digest_size=16)
            digest.update(repr(box).encode())
            digest.update(landmarks.tobytes())
            row = known.setdefault(digest.digest(), len(masks))
            rows[name][index] = row
            if row == len(masks):
                bgr = i420_to_bgr(np.ascontiguousarray(picture))
                masks.append(_mask(bgr, landmarks, box, tools))
                waiting.append(face_crop(bgr, box))
            if len(waiting) == PREPARED_AT_ONCE:
                latents.append(encode(nets, waiting))
                waiting.clear()
            done += 1
            if progress is not None:
                progress(done / total)
    if waiting:
        latents.append(encode(nets, waiting))
    if not latents:
        raise ModelError(f"avatar {avatar.name!r} has no pictures")
    return AvatarMaterial(rows, masks, np.concatenate(latents))


def face_crop(bgr: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """(H, W, 3) -> (256, 256, 3): the box as the VAE sees it, whatever its shape."""
    face = np.ascontiguousarray(bgr[box.top : box.bottom, box.left : box.right])
    return np.asarray(cv2.resize(face, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_LANCZOS4), np.uint8)


def encode(nets: MuseTalkNets, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Crops (256, 256, 3) BGR -> latents (B, 8, 32, 32)."""
    return nets.encode_pictures(torch.from_numpy(np.stack(faces))).float().cpu().numpy()


def _boxes(video: BaseVideo, tools: FaceTools, known: dict[bytes, NDArray]) -> list[Box]:
    """`known`: the points of pictures that were looked at before; a look takes long."""
    loop = not video.name.startswith("action")
    landmarks = ibug_points(video.landmarks)
    if tools.points is None:
        points = landmarks
    else:
        found = []
        for picture in video.pictures:
            digest = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
            if digest not in known:
                known[digest] = tools.points(i420_to_bgr(np.ascontiguousarray(picture)))
            found.append(known[digest])
        points = np.stack(found)
    try:
        return video_boxes(points, PICTURE_SIZE, PICTURE_SIZE, loop=loop, otherwise=landmarks)
    except ModelError as error:
        raise ModelError(f"video {video.name}: {error}") from None


def _mask(bgr: NDArray[np.uint8], landmarks: NDArray[np.floating], box: Box, tools: FaceTools) -> FaceMask:
    crop = crop_box(box)
    labels = draw_labels(landmarks, crop) if tools.labels is None else tools.labels(parsing_input(bgr, crop))
    return FaceMask.cut(soft_mask(face_region(labels), box, crop), box, crop)


def _origin(avatar: PreparedAvatar, nets: MuseTalkNets, tools: FaceTools) -> str:
    """What the material was made of; when this changes it is made again."""
    digest = _digest_of(avatar)
    # the same for all precisions that the nets may run in, but bfloat16
    for weights in (nets.vae.encoder.conv_in.weight, nets.vae.quant_conv.weight):
        digest.update(weights.detach().to("cpu", torch.float16).numpy().tobytes())
    return f"{_VERSION}: {digest.hexdigest()}, {tools.describe()}"


def _imported_origin(avatar: PreparedAvatar) -> str:
    return f"{_VERSION}: {_digest_of(avatar).hexdigest()}, imported"


def _digest_of(avatar: PreparedAvatar) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(avatar.videos):
        digest.update(f"{name} {len(avatar.videos[name].pictures)}".encode())
        digest.update(avatar.videos[name].landmarks.tobytes())
    return digest


def _write(material: AvatarMaterial, folder: Path, revision: str, origin: str) -> None:
    """`revision`: of the avatar that the material belongs to."""
    arrays: dict[str, NDArray] = {
        "origin": np.array(origin),
        "boxes": np.array([mask.box for mask in material.masks], np.int32),
        "areas": np.array([mask.area for mask in material.masks], np.int32),
        "masks": np.concatenate([mask.luma.ravel() for mask in material.masks]),
        "latents": material.latents,
    }
    arrays |= {f"rows.{name}": rows for name, rows in material.rows.items()}
    with UnfinishedFolder(folder) as place:
        np.savez(place.path / FILE_NAME, **arrays)  # type: ignore[arg-type] # numpy types its own flag
        if read_manifest(folder).revision != revision:
            raise AvatarError(f"{folder}: another avatar has come in its place.")
        os.replace(place.path / FILE_NAME, folder / FILE_NAME)


def _read(path: Path, origins: Sequence[str]) -> AvatarMaterial | None:
    """The saved material; None where there is none, one of another origin or a damaged one: it can be made again."""
    if not path.is_file():
        return None
    try:
        arrays = read_arrays(path)
        if str(arrays["origin"]) not in origins:
            return None
        rows = {name.removeprefix("rows."): value for name, value in arrays.items() if name.startswith("rows.")}
        masks = list(_cut_masks(arrays["boxes"], arrays["areas"], arrays["masks"]))
        latents = arrays["latents"]
    except Exception:  # arrays of other names, shapes or types raise whatever they like
        return None
    return AvatarMaterial(rows, masks, latents) if _fit(rows, masks, latents) else None


def _fit(rows: Mapping[str, NDArray], masks: Sequence[FaceMask], latents: NDArray) -> bool:
    """Every row has a mask that can be painted through, and latents that are numbers."""
    return (
        all(video.ndim == 1 and video.dtype == np.int32 for video in rows.values())
        and all(video.min(initial=0) >= 0 and video.max(initial=0) < len(masks) for video in rows.values())
        and all(mask.can_paint() for mask in masks)
        and latents.dtype == np.float32
        and latents.shape == (len(masks), *_LATENTS_SHAPE)
        and bool(np.isfinite(latents).all())
    )


def _cut_masks(boxes: NDArray[np.int32], areas: NDArray[np.int32], pixels: NDArray[np.uint8]) -> Iterator[FaceMask]:
    """Raises whatever it likes where the arrays are none of ours."""
    if boxes.dtype != np.int32 or areas.dtype != np.int32 or pixels.dtype != np.uint8:
        raise TypeError("numbers of another type")
    start = 0
    for numbers, area_numbers in zip(boxes.tolist(), areas.tolist(), strict=True):
        box, area = Box(*numbers), Box(*area_numbers)
        size = area.width * area.height
        yield FaceMask.of_area(box, area, pixels[start : start + size].reshape(area.height, area.width))
        start += size
