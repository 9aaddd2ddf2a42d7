"""Puts a generated face onto a picture through its mask.

Owns two ways: `blend_bgr` is MuseTalk's own, on BGR pictures; `FaceMask.paint` does the same on the service's I420
pictures, in place and only inside the rectangle where the mask is not zero. Must not import torch.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import PICTURE_SIZE, Picture
from models.musetalk.jaw_mask import Box
from models.preparation.colour import bgr_to_i420

MAX_BOX_PICTURES = 4  # sides of a box in sides of the picture; that of a tall clip's whole height has two at most


def mix(front: NDArray[np.uint8], back: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`front` where the mask is 255, `back` where it is 0; the rounding of PIL's `paste`."""
    share = mask.astype(np.uint16)
    total = front * share
    total += back * (np.uint16(255) - share)  # at most 255 * 255
    total += np.uint16(128)
    total += total >> np.uint16(8)  # at most 65153 + 254
    total >>= np.uint16(8)
    return total.astype(np.uint8)


def blend_bgr(
    picture: NDArray[np.uint8], face: NDArray[np.uint8], box: Box, crop: Box, mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """A new picture (H, W, 3): `face` (256, 256, 3), scaled to `box`, seen through the `mask` of the `crop`.

    The crop may leave the picture, the box may not.
    """
    height, width = picture.shape[:2]
    pasted = picture.copy()
    pasted[box.top : box.bottom, box.left : box.right] = scale_face(face, box)
    left, top = max(crop.left, 0), max(crop.top, 0)
    right, bottom = min(crop.right, width), min(crop.bottom, height)
    shown = mask[top - crop.top : bottom - crop.top, left - crop.left : right - crop.left, None]
    blended = picture.copy()
    blended[top:bottom, left:right] = mix(pasted[top:bottom, left:right], picture[top:bottom, left:right], shown)
    return blended


def scale_face(face: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """(256, 256, 3) -> (height, width, 3) of the box."""
    return np.asarray(cv2.resize(face, (box.width, box.height), interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMask:
    """What painting needs of one base picture.

    `box`: where the face goes. `area`: the rectangle that changes, on even pixels. `luma`: (h, w) uint8, the mask
    there; `chroma`: (h / 2, w / 2), its means over 2 x 2 pixels.
    """

    box: Box
    area: Box
    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]

    @classmethod
    def cut(cls, mask: NDArray[np.uint8], box: Box, crop: Box) -> "FaceMask":
        """From the mask of a crop. Outside the face box the picture stays as it is, so the mask is zero there."""
        whole = np.zeros((PICTURE_SIZE, PICTURE_SIZE), np.uint8)
        left, top = max(box.left, crop.left, 0), max(box.top, crop.top, 0)
        right, bottom = min(box.right, crop.right, PICTURE_SIZE), min(box.bottom, crop.bottom, PICTURE_SIZE)
        whole[top:bottom, left:right] = mask[top - crop.top : bottom - crop.top, left - crop.left : right - crop.left]
        x, y, width, height = cv2.boundingRect(whole)  # all zero where the mask is empty
        area = Box(x & ~1, y & ~1, (x + width + 1) & ~1, (y + height + 1) & ~1)
        return cls.of_area(box, area, whole[area.top : area.bottom, area.left : area.right])

    @classmethod
    def of_area(cls, box: Box, area: Box, luma: NDArray[np.uint8]) -> "FaceMask":
        """From the mask of the area alone."""
        luma = np.ascontiguousarray(luma)
        halves = (area.width // 2, area.height // 2)
        chroma = cv2.resize(luma, halves, interpolation=cv2.INTER_AREA) if luma.size else luma[::2, ::2]
        return cls(box, area, luma, np.asarray(chroma, np.uint8))

    def can_paint(self) -> bool:
        """Whether `paint` can work with it: the area on even pixels of the picture, inside a box that may be a face's.

        The one pixel that made it even may lie outside of the box.
        """
        box, area = self.box, self.area
        beyond = max(box.left - area.left, box.top - area.top, area.right - box.right, area.bottom - box.bottom)
        return (
            not any(edge % 2 or not 0 <= edge <= PICTURE_SIZE for edge in area)
            and self.luma.shape == (area.height, area.width)
            and is_face_sized(box)
            and (not self.luma.size or beyond <= 1)
        )

    def paint(self, face: NDArray[np.uint8], picture: Picture, weight: float) -> None:
        """Put `face` (256, 256, 3) BGR onto an I420 picture (768, 512), in place; `weight` 0..1 of it is seen."""
        if not self.luma.size or weight <= 0:
            return
        y, u, v = plane_areas(picture, self.area)
        front_y, front_u, front_v = self._face_planes(face)
        luma, chroma = self.luma, self.chroma
        if weight < 1:
            luma, chroma = _weakened(luma, weight), _weakened(chroma, weight)
        for front, back, mask in ((front_y, y, luma), (front_u, u, chroma), (front_v, v, chroma)):
            back[:] = mix(front, back, mask)

    def _face_planes(self, face: NDArray[np.uint8]) -> tuple[Picture, Picture, Picture]:
        """The scaled face inside the area: Y (h, w), U and V (h / 2, w / 2)."""
        box, area = self.box, self.area
        part = scale_face(face, box)[
            max(0, area.top - box.top) : area.bottom - box.top, max(0, area.left - box.left) : area.right - box.left
        ]
        above, beside = max(0, box.top - area.top), max(0, box.left - area.left)  # the one pixel that made it even
        below, behind = area.height - above - part.shape[0], area.width - beside - part.shape[1]
        if above or beside or below or behind:
            part = np.asarray(cv2.copyMakeBorder(part, above, below, beside, behind, cv2.BORDER_REPLICATE), np.uint8)
        i420 = bgr_to_i420(np.ascontiguousarray(part))  # (h * 3 / 2, w)
        u, v = i420[area.height :].reshape(2, area.height // 2, area.width // 2)
        return i420[: area.height], u, v


def is_face_sized(box: Box) -> bool:
    """Whether a box in a picture of the service may be one of a face: not empty, and no larger than is allowed."""
    largest = MAX_BOX_PICTURES * PICTURE_SIZE
    return 0 < box.width <= largest and 0 < box.height <= largest


def _weakened(mask: NDArray[np.uint8], weight: float) -> NDArray[np.uint8]:
    return np.asarray(cv2.convertScaleAbs(mask, alpha=weight), np.uint8)


def plane_areas(picture: Picture, area: Box) -> tuple[Picture, Picture, Picture]:
    """Views of the Y, U and V samples of an even rectangle of an I420 picture (768, 512)."""
    halves = (slice(area.top // 2, area.bottom // 2), slice(area.left // 2, area.right // 2))
    u, v = picture[PICTURE_SIZE:].reshape(2, PICTURE_SIZE // 2, PICTURE_SIZE // 2)
    return picture[area.top : area.bottom, area.left : area.right], u[halves], v[halves]
