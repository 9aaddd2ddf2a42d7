"""What a picture says about a face besides where it is: how it is lit, how sharp it is, and whether the lips show.

Owns these measures, of one picture at a time. Must not import modules of the project besides `lip_look`.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preparation.lip_look import LipLook, look_at_lips

_LEFT_CHEEK, _RIGHT_CHEEK = 50, 280
_LEFT_SIDE, _RIGHT_SIDE = 234, 454
_UPPER_LIP = (61, 40, 37, 0, 267, 270, 291, 310, 312, 13, 82, 80)
_LOWER_LIP = (61, 91, 84, 17, 314, 321, 291, 318, 317, 14, 87, 88)
_LOWER_LIP_HALVES = (
    (61, 146, 91, 181, 84, 17, 14, 87, 178, 88, 95, 78),
    (291, 375, 321, 405, 314, 17, 14, 317, 402, 318, 324, 308),
)
_BELOW_LIP_HALVES = (83, 313)
_AROUND = (205, 425, 57, 287, 212, 432, 200, 199, 164)  # skin that a hand before the mouth covers with it
_GREY = (0.114, 0.587, 0.299)  # of B, G, R
_UPPER_SKIN = (151, 108, 337, 9, 69, 299, 50, 280, 117, 346)  # forehead and high cheeks: above a mask or a beard
_PATCH = 0.06  # of the face's width
_SIZE_PX = 128  # width of the face at which sharpness is looked at
_FINE_PX, _COARSE_PX = 2.0, 6.0  # details up to this size, and what they are compared with
_WHITE = 250


@dataclass(frozen=True, slots=True)
class FaceLook:
    """`left`, `right`: brightness of the cheeks' skin, 0..255.

    `lip_contrast`: distance of the lips' colour from that of the skin around them, in CIE Lab. `lip_redness`: how much
    redder the lips are than forehead and cheeks, on its axis a. `half_lip_contrast`: distance of the lower lip's most
    usual colour from that of what is right below it, in CIE Lab, in that half of the mouth where it is less. `detail`:
    fine structure as a share of coarser, which says how sharp the face is, whatever is in it. `white`: the share of it
    that is cut off at white. `brightest`: its 95th percentile, 0..255. `lips`: see `LipLook`.
    The defaults are those of a good picture.
    """

    left: float
    right: float
    lip_contrast: float
    lip_redness: float = 10.0
    half_lip_contrast: float = 10.0
    detail: float = 1.0
    white: float = 0.0
    brightest: float = 230.0
    lips: LipLook = field(default_factory=LipLook)


def look_at(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> FaceLook:
    """Measure one picture (H, W, 3), BGR, with its landmarks (468, 2 or more)."""
    width = float(np.linalg.norm(points[_RIGHT_SIDE, :2] - points[_LEFT_SIDE, :2]))
    half = max(1, round(_PATCH * width / 2))
    left, right = (float(_patch(picture, points[at], half) @ _GREY) for at in (_LEFT_CHEEK, _RIGHT_CHEEK))
    around, upper = (
        _lab(np.median([_patch(picture, points[at], half) for at in places], axis=0))
        for places in (_AROUND, _UPPER_SKIN)
    )
    lips = _lab(_lips(picture, points))
    return FaceLook(
        left,
        right,
        float(np.linalg.norm(lips - around)),
        float(lips[1] - upper[1]),
        _half_lip_contrast(picture, points, max(1, half // 2)),
        *_clarity(picture, points, width),
        look_at_lips(picture, points, width, upper),
    )


def _half_lip_contrast(picture: NDArray[np.uint8], points: NDArray[np.float32], half: int) -> float:
    """Each half for itself, and medians: an edge of a cover, where the landmarker likes to see a mouth, is no lip."""
    contrasts = []
    for lip, below in zip(_LOWER_LIP_HALVES, _BELOW_LIP_HALVES, strict=True):
        part, mask = _cut_out(picture, [points[list(lip), :2]])
        colour = np.median(part[mask > 0], axis=0)
        contrasts.append(float(np.linalg.norm(_lab(colour) - _lab(_patch(picture, points[below], half)))))
    return min(contrasts)


def _clarity(picture: NDArray[np.uint8], points: NDArray[np.float32], face_width: float) -> tuple[float, float, float]:
    """`detail`, `white` and `brightest` of the face."""
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(points[:, :2].min(axis=0)).astype(int), 0, (width - 2, height - 2))
    right, bottom = np.ceil(points[:, :2].max(axis=0)).astype(int) + 1
    scale = _SIZE_PX / max(face_width, 1.0)
    part = picture[top : max(bottom, top + 2), left : max(right, left + 2)]
    size = max(round(part.shape[1] * scale), 8), max(round(part.shape[0] * scale), 8)
    face = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    inside = np.zeros(face.shape[:2], np.uint8)
    outline = cv2.convexHull(((points[:, :2] - (left, top)) * scale).astype(np.float32))
    cv2.fillConvexPoly(inside, np.rint(outline).astype(np.int32), 1)
    skin = cv2.erode(inside, np.ones((7, 7), np.uint8)) > 0
    if not skin.any():
        return 0.0, 0.0, 0.0
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (_FINE_PX, _COARSE_PX))
    detail = (grey - fine)[skin].std() / max(float((fine - coarse)[skin].std()), 1e-3)
    white = (face.min(axis=2)[skin] >= _WHITE).mean()
    return float(detail), float(white), float(np.percentile(grey[skin], 95))


def _patch(picture: NDArray[np.uint8], at: NDArray[np.float32], half: int) -> NDArray[np.float64]:
    """Mean colour of a square around a point, as far as it lies in the picture."""
    height, width = picture.shape[:2]
    x, y = int(np.clip(round(float(at[0])), 0, width - 1)), int(np.clip(round(float(at[1])), 0, height - 1))
    square = picture[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
    return np.asarray(square.reshape(-1, 3).mean(axis=0), np.float64)


def _lips(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean colour of both lips; what lies between them does not count."""
    return np.array(cv2.mean(*_cut_out(picture, [points[list(lip), :2] for lip in (_UPPER_LIP, _LOWER_LIP)]))[:3])


def _cut_out(
    picture: NDArray[np.uint8], outlines: list[NDArray[np.float32]]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The part of the picture about these outlines, and a mask of what is inside; of one pixel where nothing is."""
    every = np.vstack(outlines)
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(every.min(axis=0)).astype(int), 0, (width - 2, height - 2))
    right, bottom = np.ceil(every.max(axis=0)).astype(int) + 1
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline - (left, top)).astype(np.int32) for outline in outlines], 255)
    if not mask.any():
        mask[0, 0] = 255
    return part, mask


def _lab(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    pixel = (colour / 255).astype(np.float32).reshape(1, 1, 3)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_BGR2LAB)[0, 0], np.float64)
