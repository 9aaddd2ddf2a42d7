"""Faces onto base pictures on the nets' device, a whole batch at once: what `blending` does on the CPU for one picture.

Only the arithmetic, inside the rectangles of the masks. Results agree with `FaceMask.paint` within a level, three at
the odd edges of small boxes: OpenCV rounds between the steps, here only the end is rounded.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from models.interface import PICTURE_SIZE
from models.musetalk.jaw_mask import Box
from models.musetalk.vae import FACE_SIZE

# rows Y, U, V; columns B, G, R of 8 bits (ITU-R BT.601, limited range); offsets 16, 128, 128
_TO_YUV = ((24.966, 128.553, 65.481), (112.0, -74.203, -37.797), (-18.214, -93.786, 112.0))

_STEP = 32  # rectangles grow in such steps, so that memory of few sizes is asked for


class Placement(NamedTuple):
    """Where a face goes and how far it is seen. `area`: what changes, on even pixels. `weight`: 0..1."""

    box: Box
    area: Box
    weight: float


class Placements(NamedTuple):
    """A batch's placements on the device.

    `boxes` (B, 4) float32: left, top, width, height. `rows` (B, h) and `columns` (B, w) int64: the pixels of the
    rectangle, of one size for all. `weights` (B,) float32. `to_yuv` (3, 3) float32.
    """

    boxes: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    weights: torch.Tensor
    to_yuv: torch.Tensor


def place(placements: Sequence[Placement], device: torch.device) -> Placements:
    """Bring a batch's placements to the device; before the nets run, since such a copy waits for what runs."""
    height = _rounded_up(max(placement.area.height for placement in placements))
    width = _rounded_up(max(placement.area.width for placement in placements))
    numbers = torch.tensor(
        [
            (box.left, box.top, box.width, box.height, min(area.top, PICTURE_SIZE - height),
             min(area.left, PICTURE_SIZE - width), weight)
            for box, area, weight in placements
        ],
        dtype=torch.float32,
    ).to(device)  # (B, 7); one copy  # fmt: skip
    tops, lefts = numbers[:, 4:5].long(), numbers[:, 5:6].long()
    rows, columns = (torch.arange(size, device=device) for size in (height, width))
    to_yuv = torch.tensor(_TO_YUV).to(device) / 255
    return Placements(numbers[:, :4], tops + rows, lefts + columns, numbers[:, 6], to_yuv)


def compose(faces: torch.Tensor, masks: torch.Tensor, pictures: torch.Tensor, placements: Placements) -> torch.Tensor:
    """Each face scaled to its box and seen through its mask, on its picture, in place.

    faces (B, 256, 256, 3) uint8 BGR, masks (B, 512, 512) uint8, pictures (B, 768, 512) uint8 I420 -> `pictures`.
    """
    boxes, rows, columns, weights, to_yuv = placements
    left, top, width, height = boxes.unbind(1)  # (B,) each
    scaled = _scaled_rows(faces.to(torch.float32), rows, top, height)  # (B, h, 256, 3)
    scaled = _scaled_rows(scaled.transpose(1, 2), columns, left, width).permute(0, 3, 2, 1)  # (B, 3, h, w) BGR
    luma = torch.einsum("bchw,c->bhw", scaled, to_yuv[0]) + 16  # (B, h, w)
    chroma = torch.einsum("bchw,pc->bphw", F.avg_pool2d(scaled, 2), to_yuv[1:]) + 128  # (B, 2, h / 2, w / 2)

    place = torch.arange(len(faces), device=faces.device)[:, None, None]  # (B, 1, 1)
    y_rows, y_columns = rows[:, :, None], columns[:, None, :]
    share = masks[place, y_rows, y_columns] * (weights / 255)[:, None, None]  # (B, h, w) 0..1
    y = pictures[:, :PICTURE_SIZE]  # (B, 512, 512)
    y[place, y_rows, y_columns] = _mixed(y[place, y_rows, y_columns], luma, share)

    half_rows, half_columns = rows[:, None, ::2, None] // 2, columns[:, None, None, ::2] // 2
    place, plane = place[..., None], torch.arange(2, device=faces.device)[None, :, None, None]
    uv = pictures[:, PICTURE_SIZE:].view(-1, 2, PICTURE_SIZE // 2, PICTURE_SIZE // 2)  # (B, 2, 256, 256)
    back = uv[place, plane, half_rows, half_columns]  # (B, 2, h / 2, w / 2)
    uv[place, plane, half_rows, half_columns] = _mixed(back, chroma, F.avg_pool2d(share[:, None], 2))
    return pictures


def _mixed(back: torch.Tensor, front: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    return torch.lerp(back.to(torch.float32), front, share.expand_as(front)).round().clamp(0, 255).to(torch.uint8)


def _rounded_up(size: int) -> int:
    return min(PICTURE_SIZE, max(_STEP, -(-size // _STEP) * _STEP))


def _scaled_rows(values: torch.Tensor, rows: torch.Tensor, start: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """(B, 256, W, 3) -> (B, h, W, 3): at the picture's `rows` (B, h), the 256 stretched over `length` from `start`.

    Linear between pixel centres; beyond the ends the first and last row go on.
    """
    position = (rows + 0.5 - start[:, None]) * (FACE_SIZE / length)[:, None] - 0.5  # (B, h)
    position = position.clamp(0, FACE_SIZE - 1)
    low = position.floor().long()
    share = (position - low)[:, :, None, None]
    index = torch.arange(len(values), device=values.device)[:, None]  # (B, 1)
    return torch.lerp(values[index, low], values[index, (low + 1).clamp(max=FACE_SIZE - 1)], share)
