"""Faces onto base pictures on the nets' device, a whole batch at once: what `blending` does on the CPU for one picture.

Owns the avatars' pictures and masks in the device's memory, under a budget, and the arithmetic. Every shape is fixed,
so that a batch can be captured as a CUDA graph; positions and sizes are values. Results agree with `FaceMask.paint`
within a level, three at the odd edges of small boxes: OpenCV rounds between the steps, here only the end is rounded.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from models.interface import PICTURE_SIZE
from models.musetalk.material import AvatarMaterial
from models.musetalk.vae import FACE_SIZE
from models.prepared_avatar import PreparedAvatar

# rows Y, U, V; columns B, G, R of 8 bits (ITU-R BT.601, limited range); offsets 16, 128, 128
_TO_YUV = ((24.966, 128.553, 65.481), (112.0, -74.203, -37.797), (-18.214, -93.786, 112.0))

_IN_USE_BATCHES = 250  # pictures used so recently are not given up for another avatar's: ten seconds at least


@dataclass(frozen=True, slots=True, eq=False)
class ResidentPictures:
    """An avatar's rows on the device: `pictures` (U, 768, 512) I420, `masks` (U, 512, 512) uint8, `boxes` (U, 4)."""

    pictures: torch.Tensor
    masks: torch.Tensor
    boxes: torch.Tensor

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(array.nbytes for array in (self.pictures, self.masks, self.boxes))


def resident_bytes(material: AvatarMaterial) -> int:
    """What `upload` takes for this material."""
    return len(material.masks) * (PICTURE_SIZE * PICTURE_SIZE * 5 // 2 + 4 * 4)


def upload(avatar: PreparedAvatar, material: AvatarMaterial, device: torch.device) -> ResidentPictures:
    """Copy an avatar's different pictures and their masks to the device."""
    count = len(material.masks)
    pictures = torch.empty((count, PICTURE_SIZE * 3 // 2, PICTURE_SIZE), dtype=torch.uint8, device=device)
    masks = torch.zeros((count, PICTURE_SIZE, PICTURE_SIZE), dtype=torch.uint8, device=device)
    for name, rows in material.rows.items():
        for row, index in zip(*np.unique(rows, return_index=True), strict=True):
            pictures[row] = torch.from_numpy(np.array(avatar.videos[name].pictures[index]))
    for row, mask in enumerate(material.masks):
        area = mask.area
        masks[row, area.top : area.bottom, area.left : area.right] = torch.from_numpy(mask.luma)
    boxes = torch.tensor([mask.box for mask in material.masks], dtype=torch.int32, device=device)
    return ResidentPictures(pictures, masks, boxes)


class PictureStore:
    """Avatars' pictures on the device, at most `budget_bytes`; the longest unused make room. Any thread may call it."""

    def __init__(self, budget_bytes: int, device: torch.device) -> None:
        self._budget_bytes = budget_bytes
        self._device = device
        self._batches = 0
        self._coming_bytes = 0  # of uploads that are under way
        self._resident: OrderedDict[str, tuple[int, ResidentPictures]] = OrderedDict()  # with the last batch using it
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        with self._lock:
            return self._size_bytes()

    def add(self, avatar: PreparedAvatar, material: AvatarMaterial) -> bool:
        """Copy an avatar's pictures to the device. False, and nothing done, where those in use leave no room for it."""
        wanted = resident_bytes(material)
        with self._lock:
            self._resident.pop(avatar.name, None)
            if not self._make_room(wanted):
                return False
            self._coming_bytes += wanted
        pictures = None
        try:
            pictures = upload(avatar, material, self._device)
        except torch.OutOfMemoryError:
            return False
        finally:
            with self._lock:
                self._coming_bytes -= wanted
                if pictures is not None:
                    self._resident[avatar.name] = (self._batches, pictures)
        return True

    def remove(self, name: str) -> None:
        """Give back the memory of an avatar; unknown names are fine."""
        with self._lock:
            self._resident.pop(name, None)

    def of_batch(self, names: Sequence[str]) -> list[ResidentPictures | None]:
        """The pictures of a batch's avatars, None for those not on the device; counts as their use."""
        with self._lock:
            self._batches += 1
            for name in names:
                if name in self._resident:
                    self._resident[name] = (self._batches, self._resident[name][1])
                    self._resident.move_to_end(name)
            return [self._resident[name][1] if name in self._resident else None for name in names]

    def _make_room(self, wanted: int) -> bool:
        free, given_up = self._budget_bytes - self._size_bytes() - self._coming_bytes, []
        for name, (used, pictures) in self._resident.items():
            if free < wanted and self._batches - used >= _IN_USE_BATCHES:
                given_up.append(name)
                free += pictures.size_bytes
        if free < wanted:
            return False
        for name in given_up:
            del self._resident[name]
        return True

    def _size_bytes(self) -> int:
        return sum(pictures.size_bytes for _, pictures in self._resident.values())


def compose(
    faces: torch.Tensor, boxes: torch.Tensor, masks: torch.Tensor, pictures: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Each face scaled to its box and seen through its mask, on its picture.

    faces (B, 256, 256, 3) uint8 BGR, boxes (B, 4) left, top, right, bottom, masks (B, 512, 512) uint8, pictures
    (B, 768, 512) uint8 I420, weights (B,) 0..1 -> (B, 768, 512) uint8 I420.
    """
    batch = len(faces)
    left, top, right, bottom = boxes.to(torch.float32).unbind(1)  # (B,) each
    scaled = _scaled_rows(faces.to(torch.float32), top, bottom - top)  # (B, 512, 256, 3)
    scaled = _scaled_rows(scaled.transpose(1, 2), left, right - left).permute(0, 3, 2, 1)  # (B, 3, 512, 512) BGR
    to_yuv = torch.tensor(_TO_YUV, device=faces.device) / 255  # (3, 3)
    halved = F.avg_pool2d(scaled, 2)  # (B, 3, 256, 256)
    luma = torch.einsum("bchw,c->bhw", scaled, to_yuv[0]) + 16  # (B, 512, 512)
    chroma = torch.einsum("bchw,pc->bphw", halved, to_yuv[1:]) + 128  # (B, 2, 256, 256)
    share = masks.to(torch.float32) * (weights / 255)[:, None, None]  # (B, 512, 512) 0..1
    halved_share = F.avg_pool2d(share[:, None], 2)  # (B, 1, 256, 256)
    back_luma = pictures[:, :PICTURE_SIZE].to(torch.float32)  # (B, 512, 512)
    back_chroma = pictures[:, PICTURE_SIZE:].reshape(chroma.shape).to(torch.float32)
    y = torch.lerp(back_luma, luma, share)
    uv = torch.lerp(back_chroma, chroma, halved_share).reshape(batch, PICTURE_SIZE // 2, PICTURE_SIZE)
    return torch.cat([y, uv], dim=1).round().clamp(0, 255).to(torch.uint8)


def _scaled_rows(values: torch.Tensor, start: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """(B, 256, W, 3) -> (B, 512, W, 3): the 256 rows stretched over `length` of the picture's rows from `start` on.

    Linear between pixel centres; beyond the ends the first and last row go on.
    """
    rows = torch.arange(PICTURE_SIZE, device=values.device) + 0.5
    position = (rows - start[:, None]) * (FACE_SIZE / length)[:, None] - 0.5  # (B, 512)
    position = position.clamp(0, FACE_SIZE - 1)
    low = position.floor().long()
    share = (position - low)[:, :, None, None]
    index = torch.arange(len(values), device=values.device)[:, None]  # (B, 1)
    return torch.lerp(values[index, low], values[index, (low + 1).clamp(max=FACE_SIZE - 1)], share)
