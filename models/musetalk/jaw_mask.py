"""The soft mask through which a generated face is seen: skin of the lower face, mouth and lips, but not the nose.

Owns the square around a face box, the rules from a face-parsing label map to a mask, and a label map drawn from
landmarks for when no parsing net is there. Knows no net; must not import torch.

A *box* is (left, top, right, bottom) in pixels, right and bottom excluded. The *crop* is a square around it, which may
leave the picture. Constants in pixels are of the crop scaled to 512 x 512.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PARSING_SIZE = 512
EXPANSION = 1.5  # of the face box's half size
REALTIME_BLUR = 0.1  # share of the crop's width; MuseTalk's cached path
OFFLINE_BLUR = 0.05  # its inference script

# classes of the CelebAMask-HQ label map
SKIN, NOSE, MOUTH, UPPER_LIP, LOWER_LIP, NECK = 1, 10, 11, 12, 13, 14
_LIPS = (MOUTH, UPPER_LIP, LOWER_LIP)
_UPPER_SHARE = 0.5  # rows of the crop above this share stay as they are
_CHEEK_COLUMNS_PX = 90  # the middle between the cheeks reaches so far from column 256 to both sides

# MediaPipe face-mesh rings, for a label map without a parsing net
_FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_NOSE_RING = (168, 193, 245, 188, 174, 217, 126, 209, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 429, 355, 437,
              399, 412, 465, 417)  # fmt: skip
_OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_LINE_OF_UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78)

Mode = Literal["jaw", "raw", "neck"]


class Box(NamedTuple):
    """Pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top


def crop_box(box: Box, expansion: float = EXPANSION) -> Box:
    """The square around a face box; its sides may lie outside the picture."""
    x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    half = int(max(box.width, box.height) // 2 * expansion)
    return Box(x - half, y - half, x + half, y + half)


def parsing_input(picture: NDArray[np.uint8], crop: Box) -> NDArray[np.uint8]:
    """(H, W, 3) BGR -> (512, 512, 3) RGB: the crop as face parsing sees it, black outside the picture."""
    square = Image.fromarray(picture[..., ::-1]).crop(crop)
    return np.asarray(square.resize((PARSING_SIZE, PARSING_SIZE), Image.Resampling.BILINEAR))


def draw_labels(landmarks: NDArray[np.floating], crop: Box) -> NDArray[np.uint8]:
    """A label map (512, 512) of the crop from landmarks (468, 2): skin, nose, lips and mouth; 0 elsewhere."""
    scale = PARSING_SIZE / crop.width
    points = (landmarks[:, :2].astype(np.float64) - (crop.left, crop.top) + 0.5) * scale - 0.5
    labels = np.zeros((PARSING_SIZE, PARSING_SIZE), np.uint8)
    for ring, label in (
        (_FACE_OVAL, SKIN),
        (_NOSE_RING, NOSE),
        (_OUTER_LIPS, LOWER_LIP),
        (_LINE_OF_UPPER_LIP, UPPER_LIP),
        (_INNER_LIPS, MOUTH),
    ):
        cv2.fillPoly(labels, [np.rint(points[list(ring)]).astype(np.int32)], label)
    return labels


def spread_kernel() -> NDArray[np.uint8]:
    """(33, 33) of 0 and 1: a cone of widths 1, 3, .. 21 in rows 10-20 over a bar 21 wide in rows 21-32.

    OpenCV does not mirror a kernel, so a skin pixel spreads 16 pixels up and 6 down.
    """
    kernel = np.zeros((33, 33), np.uint8)
    for row in range(10, 33):
        half = min(row - 10, 10)
        kernel[row, 16 - half : 17 + half] = 1
    return kernel


def narrow_kernel() -> NDArray[np.uint8]:
    """(3, 35): the ellipse that takes 17 pixels from each side and one from above and below."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (35, 3)), np.uint8)


def cheek_columns() -> NDArray[np.uint8]:
    """(512, 512): 255 left and right of the middle columns, where the mask is narrowed."""
    cheeks = np.zeros((PARSING_SIZE, PARSING_SIZE), np.uint8)
    middle = PARSING_SIZE // 2
    cv2.rectangle(cheeks, (0, 0), (middle - _CHEEK_COLUMNS_PX, PARSING_SIZE), 255, -1)
    cv2.rectangle(cheeks, (middle + _CHEEK_COLUMNS_PX, 0), (PARSING_SIZE, PARSING_SIZE), 255, -1)
    return cheeks


def face_region(labels: NDArray[np.uint8], mode: Mode = "jaw") -> NDArray[np.uint8]:
    """Label map (512, 512) -> 255 where the generated face may be seen, else 0.

    `raw`: skin and lips; `neck`: the neck, too; `jaw`: skin grown downwards over the chin, narrowed at the cheeks,
    without the nose.
    """
    if mode != "jaw":
        shown = (SKIN, *_LIPS, NECK) if mode == "neck" else (SKIN, *_LIPS)
        return np.isin(labels, shown).astype(np.uint8) * np.uint8(255)
    skin = (labels == SKIN).astype(np.uint8) * np.uint8(255)
    grown = cv2.dilate(skin, spread_kernel(), iterations=1)
    narrowed = cv2.erode(grown, narrow_kernel(), iterations=2)
    cheeks = cheek_columns()
    face = cv2.bitwise_and(narrowed, cheeks) + cv2.bitwise_and(grown, cv2.bitwise_not(cheeks))
    shown = ((face != 0) & (labels != NOSE)) | np.isin(labels, _LIPS)
    return shown.astype(np.uint8) * np.uint8(255)


def soft_mask(region: NDArray[np.uint8], box: Box, crop: Box, blur: float = REALTIME_BLUR) -> NDArray[np.uint8]:
    """Region (512, 512) -> the mask of the crop (h, w): the part inside the box, its lower half, with soft edges."""
    size = (crop.width, crop.height)
    resized = np.asarray(Image.fromarray(region).resize(size, Image.Resampling.BICUBIC))  # (h, w)
    inside = np.zeros_like(resized)
    rows = slice(box.top - crop.top, box.bottom - crop.top)
    columns = slice(box.left - crop.left, box.right - crop.left)
    inside[rows, columns] = resized[rows, columns]
    inside[: int(crop.height * _UPPER_SHARE)] = 0
    kernel = int(blur * crop.width // 2 * 2) + 1
    return np.asarray(cv2.GaussianBlur(inside, (kernel, kernel), 0), np.uint8)
