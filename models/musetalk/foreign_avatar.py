"""A folder in which MuseTalk, or a server built on it, keeps an avatar: found, checked, and unfolded to its own frames.

Owns that layout, and what is done about its faults. Must not import the nets.

    full_imgs/*.png           the pictures, numbered
    coords.pkl                the face boxes of the pictures, as the network sees them
    mask/*.png                what of the generated face is seen, one for each picture, as large as its crop
    mask_coords.pkl           these crops: squares around the boxes, which may leave the picture
    latents.pt                [1, 8, 32, 32] for each picture

Its lists run forward and then back, so that the avatar moves to and fro without a seam; some keep them forward alone.
A frame without a face has an empty box, and no latents: it is left out here, and the others keep their own.
"""

import re
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import ModelError
from models.musetalk.foreign_pickle import read_boxes
from models.musetalk.jaw_mask import Box

_SUFFIXES = (".png", ".jpg", ".jpeg")
_NUMBER = re.compile(r"\d{1,12}")
_LATENTS_SHAPE = (8, 32, 32)
_MAX_LATENTS_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class ForeignFrame:
    """One picture: its file, the face's box, the crop that the mask covers, and the mask's file."""

    picture: Path
    box: Box
    crop: Box
    mask: Path


@dataclass(frozen=True, slots=True, eq=False)
class ForeignAvatar:
    """`frames`: each once, forward. `latents`: (N, 8, 32, 32) float32."""

    folder: Path
    frames: list[ForeignFrame]
    latents: NDArray[np.float32]


def read_foreign_avatar(folder: Path) -> ForeignAvatar:
    """Look through the folder. Raises `ModelError` naming the file that is missing or wrong."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder.")
    pictures, masks = _numbered(folder / "full_imgs"), _numbered(folder / "mask")
    boxes, crops = read_boxes(folder / "coords.pkl"), read_boxes(folder / "mask_coords.pkl")
    counts = {"full_imgs": len(pictures), "coords.pkl": len(boxes), "mask": len(masks), "mask_coords.pkl": len(crops)}
    for (one, first), (other, second) in pairwise(counts.items()):
        if first != second:
            raise ModelError(f"{folder.name}: {one} has {first} entries, and {other} has {second}.")
    frames = [ForeignFrame(*parts) for parts in zip(pictures, boxes, crops, masks, strict=True)]
    with_face = [number for number, frame in enumerate(frames) if frame.box.width > 0 and frame.box.height > 0]
    if not with_face:
        raise ModelError(f"{folder.name}: no frame has a face.")
    latents = _latents(folder / "latents.pt", len(frames), len(with_face))
    forward = _forward(frames)
    of_all = len(latents) == len(frames)
    rows = [number if of_all else row for row, number in enumerate(with_face) if number < forward]
    return ForeignAvatar(folder, [frames[number] for number in with_face if number < forward], latents[rows])


def read_picture(path: Path, *, grey: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, or (H, W). Raises `ModelError` naming the file."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    if picture is None:
        raise ModelError(f"{path.parent.name}/{path.name}: is no picture that can be read.")
    return np.asarray(picture, np.uint8)


def _numbered(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers."""
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and _NUMBER.fullmatch(path.stem)]
    except OSError as error:
        raise ModelError(f"{folder.name}: cannot be read ({error.strerror}).") from error
    if not found:
        raise ModelError(f"{folder.name}: has no pictures.")
    return sorted(found, key=lambda path: (int(path.stem), path.name))


def _forward(frames: list[ForeignFrame]) -> int:
    """How many frames there are before they come back; all where they do not."""
    half, rest = divmod(len(frames), 2)
    there, back = frames[:half], frames[half:][::-1]
    comes_back = not rest and all(
        (one.box, one.crop) == (other.box, other.crop) for one, other in zip(there, back, strict=True)
    )
    # a head that never moves has the same boxes in both directions
    return (
        half
        if comes_back and all(_same(there[at].picture, back[at].picture) for at in {0, half // 2, half - 1})
        else len(frames)
    )


def _same(one: Path, other: Path) -> bool:
    return bool(np.array_equal(read_picture(one), read_picture(other)))


def _latents(path: Path, *counts: int) -> NDArray[np.float32]:
    """`counts`: how many there may be, the first of them the frames."""
    try:
        if path.stat().st_size > _MAX_LATENTS_BYTES:
            raise ModelError(f"{path.name}: is larger than {_MAX_LATENTS_BYTES >> 30} GB.")
        if _is_compressed(path):
            raise ModelError(f"{path.name}: is compressed; torch.save does not compress.")
        found = torch.load(path, map_location="cpu", weights_only=True)  # tensors and plain containers, nothing else
    except OSError as error:
        raise ModelError(f"{path.name}: cannot be read ({error.strerror}).") from error
    except ModelError:
        raise
    except Exception as error:  # a damaged or a hostile file raises whatever it likes
        raise ModelError(f"{path.name}: is refused, or is no list of latents ({type(error).__name__}).") from None
    if not isinstance(found, list) or not found:
        raise ModelError(f"{path.name}: is no list of latents.")
    if len(found) not in counts:  # before they are copied: a small file may name one a million times
        raise ModelError(f"{path.name}: has {len(found)} entries for {counts[0]} frames.")
    rows = []
    for number, item in enumerate(found):
        row = _row(item)
        if row is None:
            raise ModelError(f"{path.name}: entry {number} is no latents of {_LATENTS_SHAPE}.")
        rows.append(row)
    latents = np.stack(rows)
    if not np.isfinite(latents).all():
        raise ModelError(f"{path.name}: has values that are no numbers.")
    return latents


def _is_compressed(path: Path) -> bool:
    """Whether a zip would become larger than it is: a few bytes may stand for gigabytes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist()) > path.stat().st_size


def _row(item: object) -> NDArray[np.float32] | None:
    """One picture's latents; None for anything but a tensor of plain floating-point numbers in that shape."""
    try:
        if not isinstance(item, torch.Tensor) or tuple(item.shape) not in (_LATENTS_SHAPE, (1, *_LATENTS_SHAPE)):
            return None
        if not item.is_floating_point() or item.layout != torch.strided:
            return None
        return np.asarray(item.detach().float().reshape(_LATENTS_SHAPE).numpy(), np.float32)
    except (RuntimeError, TypeError, NotImplementedError):  # nested tensors, tensors without content
        return None
