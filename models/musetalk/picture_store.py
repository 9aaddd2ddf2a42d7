"""Avatars' base pictures in the memory of the device they are painted on, under a budget.

Owns which pictures are there: each with its mask and its latents, put there ahead when an avatar is loaded and as far
as there is room, else when a batch needs them. The longest unused gives way; what the present batch uses never does.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from models.interface import PICTURE_SIZE, BaseFrame
from models.musetalk.material import AvatarMaterial
from models.prepared_avatar import PreparedAvatar


class RowKey(NamedTuple):
    """One different picture of an avatar. `avatar`: the number of its loading, since names come again."""

    avatar: int
    row: int


@dataclass(frozen=True, slots=True, eq=False)
class ResidentRow:
    """On the device: `picture` (768, 512) uint8 I420, `mask` (512, 512) uint8, `latents` (8, 32, 32)."""

    picture: torch.Tensor
    mask: torch.Tensor
    latents: torch.Tensor

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(array.nbytes for array in (self.picture, self.mask, self.latents))


class RowSource(NamedTuple):
    """Where a row comes from when it is not on the device."""

    avatar: PreparedAvatar
    material: AvatarMaterial
    base: BaseFrame


def row_bytes(dtype: torch.dtype) -> int:
    """What one row takes."""
    return PICTURE_SIZE * PICTURE_SIZE * 5 // 2 + 8 * 32 * 32 * dtype.itemsize


def upload(source: RowSource, device: torch.device, dtype: torch.dtype) -> ResidentRow:
    """Copy a picture, its mask and its latents to the device."""
    avatar, material, base = source
    row = material.row(base)
    whole, face = np.zeros((PICTURE_SIZE, PICTURE_SIZE), np.uint8), material.masks[row]
    whole[face.area.top : face.area.bottom, face.area.left : face.area.right] = face.luma
    return ResidentRow(
        torch.from_numpy(np.array(avatar.videos[base.video].pictures[base.index])).to(device),
        torch.from_numpy(whole).to(device),
        torch.from_numpy(material.latents[row]).to(device, dtype),
    )


class PictureStore:
    """At most `budget_bytes` of rows. Batches are of one thread, everything else of any."""

    def __init__(self, budget_bytes: int, device: torch.device, dtype: torch.dtype) -> None:
        self.budget_bytes = budget_bytes
        self.uploads = 0  # during batches; those ahead are not counted
        self._device, self._dtype = device, dtype
        self._row_bytes = row_bytes(dtype)
        self._rows: OrderedDict[RowKey, ResidentRow] = OrderedDict()  # the longest unused first
        self._coming_bytes = 0  # of uploads that are under way in other threads
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        with self._lock:
            return len(self._rows) * self._row_bytes

    def upload_ahead(self, number: int, avatar: PreparedAvatar, material: AvatarMaterial) -> None:
        """Put an avatar's rows on the device as far as there is room without driving any out."""
        for row, base in sorted(_first_bases(material).items()):
            key = RowKey(number, row)
            with self._lock:
                if key in self._rows:
                    continue
                if self._room_bytes() < self._row_bytes:
                    return
                self._coming_bytes += self._row_bytes
            uploaded = None
            try:
                uploaded = upload(RowSource(avatar, material, base), self._device, self._dtype)
                _finish_copies(self._device)
            except torch.OutOfMemoryError:
                return
            finally:
                with self._lock:
                    self._coming_bytes -= self._row_bytes
                    if uploaded is not None:
                        self._rows[key] = uploaded

    def of_batch(self, wanted: Sequence[tuple[RowKey, RowSource]]) -> list[ResidentRow | None]:
        """The rows of a batch, uploaded where they were not here; None for those that do not fit beside the others."""
        used = {key for key, _ in wanted}
        found: dict[RowKey, ResidentRow | None] = {}
        with self._lock:
            for key in used & self._rows.keys():
                self._rows.move_to_end(key)
                found[key] = self._rows[key]
            for key, source in wanted:
                if key not in found:
                    found[key] = self._upload(key, source, used)
        return [found[key] for key, _ in wanted]

    def shrink(self, budget_bytes: int) -> None:
        """Lower the budget for good; the longest unused give way until the others fit."""
        with self._lock:
            self.budget_bytes = min(self.budget_bytes, budget_bytes)
            while self._rows and len(self._rows) * self._row_bytes > self.budget_bytes:
                self._rows.popitem(last=False)

    def remove(self, number: int) -> None:
        """Give back the memory of an avatar; unknown numbers are fine."""
        with self._lock:
            for key in [key for key in self._rows if key.avatar == number]:
                del self._rows[key]

    def _upload(self, key: RowKey, source: RowSource, used: set[RowKey]) -> ResidentRow | None:
        while self._room_bytes() < self._row_bytes:
            oldest = next(iter(self._rows), None)
            if oldest is None or oldest in used:
                return None
            del self._rows[oldest]
        try:
            self._rows[key] = upload(source, self._device, self._dtype)
        except torch.OutOfMemoryError:
            self.budget_bytes = len(self._rows) * self._row_bytes  # there is less than was measured
            return None
        self.uploads += 1
        return self._rows[key]

    def _room_bytes(self) -> int:
        return self.budget_bytes - len(self._rows) * self._row_bytes - self._coming_bytes


def _first_bases(material: AvatarMaterial) -> dict[int, BaseFrame]:
    """One base picture for every row."""
    bases: dict[int, BaseFrame] = {}
    for name, rows in material.rows.items():
        for index, row in enumerate(rows.tolist()):
            bases.setdefault(row, BaseFrame(name, index))
    return bases


def _finish_copies(device: torch.device) -> None:
    if device.type == "cuda":  # another thread's stream reads the rows
        torch.cuda.current_stream(device).synchronize()
