"""A folder in which MuseTalk, or a server built on it, keeps an avatar: found, checked, and unfolded to its own frames.

Owns that layout, and what is done about its faults. Must not import the nets, nor torch.

    full_imgs/*.png           the pictures, numbered
    coords.pkl                the face boxes of the pictures, as the network sees them
    mask/*.png                what of the generated face is seen, one for each picture, as large as its crop
    mask_coords.pkl           these crops: squares around the boxes, which may leave the picture
    latents.pt                [1, 8, 32, 32] for each picture

Its lists run forward and then back, so that the avatar moves to and fro without a seam; some keep them forward alone.
A frame without a face has an empty box, and no latents: it is left out here, and the others keep their own.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.musetalk.foreign_latents import read_latents
from models.musetalk.foreign_pickle import read_boxes
from models.musetalk.jaw_mask import Box

_SUFFIXES = (".png", ".jpg", ".jpeg")
_NUMBER = re.compile(r"\d{1,12}")


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
    latents = read_latents(folder / "latents.pt", (len(frames), len(with_face)))
    forward = _forward(frames)
    of_all = len(latents) == len(frames)
    rows = [number if of_all else row for row, number in enumerate(with_face) if number < forward]
    return ForeignAvatar(folder, [frames[number] for number in with_face if number < forward], latents[rows])


def read_picture(path: Path, *, grey: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, or (H, W). Raises `ModelError` naming the file."""
    try:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ModelError(f"{path.parent.name}/{path.name}: is damaged, or too large to be read.") from error
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
