"""Kinds of face, painted over the built-in portrait: what people wear and are, and what hides a mouth.

Owns the shapes, in the portrait's own landmarks; each variant is made the same to the bit from a seed. Pictures are
(H, W, 3) BGR, landmarks (468, 3).
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import OUTER_LOWER_LIP, OUTER_UPPER_LIP
from tests.faces.strokes import (
    Picture,
    Points,
    hairs,
    lay,
    line,
    polygon,
    recoloured,
    scattered,
    shade,
    skin_mask,
    smooth_curve,
)
from tests.faces.turned import turned

Variant = Callable[[Picture, Points], Picture]

_CHEEKS = (50, 280, 101, 330, 205, 425, 151, 199)
_JAW_LINE = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_BEARD_TOP = (454, 366, 411, 427, 436, 410, 269, 326, 2, 97, 39, 186, 216, 207, 187, 137, 234)
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, *_JAW_LINE[::-1], 127, 162, 21, 54, 103, 67, 109)
_LIPS = OUTER_UPPER_LIP + OUTER_LOWER_LIP[-2:0:-1]
_MASK_TOP = (234, 117, 50, 198, 195, 420, 280, 346, 454)
_BROWN, _BLACK, _GREY_HAIR = (38, 52, 74), (22, 24, 30), (150, 152, 156)

_DRAWN_LEFT, _DRAWN_TOP = 330, 500  # of the drawn lower faces in the portrait

# share of the portrait's light skin's red, green and blue that the skin and the lips send back, as B, G, R
_DARK, _DARK_LIPS = (0.19, 0.22, 0.29), (0.42, 0.36, 0.42)
_VERY_DARK, _VERY_DARK_LIPS = (0.08, 0.085, 0.105), (0.17, 0.15, 0.19)
_LIGHT, _LIGHT_LIPS = (1.4, 1.25, 1.1), (1.6, 1.5, 1.2)


def _at(points: Points, indices: tuple[int, ...]) -> Points:
    return points[list(indices), :2].astype(np.float32)


def _width(points: Points) -> float:
    return float(np.linalg.norm(points[454, :2] - points[234, :2]))


def _outline(points: Points, sides: tuple[int, ...], grown: float = 1.0) -> Points:
    corners = _at(points, sides)
    middle = corners.mean(axis=0)
    return middle + (corners - middle) * np.float32(grown)


def _skin(picture: Picture, points: Points, skin: tuple[float, ...], lips: tuple[float, ...]) -> Picture:
    everywhere = skin_mask(picture, _at(points, _OVAL), _at(points, _CHEEKS))
    mouth = polygon(picture, _outline(points, _LIPS, 0.98), 3)
    return recoloured(recoloured(picture, everywhere * (1 - mouth), skin), mouth, lips)


def dark_skin(picture: Picture, points: Points) -> Picture:
    """Brown skin, in the portrait's light."""
    return _skin(picture, points, _DARK, _DARK_LIPS)


def very_dark_skin(picture: Picture, points: Points) -> Picture:
    """Skin that sends back a tenth of the light."""
    return _skin(picture, points, _VERY_DARK, _VERY_DARK_LIPS)


def light_skin(picture: Picture, points: Points) -> Picture:
    """Very pale skin and lips."""
    return _skin(picture, points, _LIGHT, _LIGHT_LIPS)


def smile(picture: Picture, points: Points) -> Picture:
    """Lips apart over the upper teeth, drawn by the portrait's script (`--jaw 0.22 --spread 0.75`)."""
    return _with_drawn(picture, "smile.jpg")


def wide_open(picture: Picture, points: Points) -> Picture:
    """The mouth as far open as the portrait's script draws it (`--jaw 0.95`)."""
    return _with_drawn(picture, "wide.jpg")


def _with_drawn(picture: Picture, name: str) -> Picture:
    """The portrait's lower face in another drawing of the same size; softly set in."""
    drawn = cv2.imread(str(Path(__file__).parent / name))
    whole = picture.copy()
    whole[_DRAWN_TOP : _DRAWN_TOP + len(drawn), _DRAWN_LEFT : _DRAWN_LEFT + drawn.shape[1]] = drawn
    inside = np.zeros(picture.shape[:2], np.float32)
    edge = 20
    inside[
        _DRAWN_TOP + edge : _DRAWN_TOP + len(drawn) - edge, _DRAWN_LEFT + edge : _DRAWN_LEFT + drawn.shape[1] - edge
    ] = 1
    return lay(picture, cv2.GaussianBlur(inside, (0, 0), edge / 3), whole)


def _beard_area(picture: Picture, points: Points, softness: float) -> NDArray[np.float32]:
    corners = np.vstack([_outline(points, _JAW_LINE, 1.03), _at(points, _BEARD_TOP)])
    lips = polygon(picture, _outline(points, _LIPS, 0.94), 1.5)
    return polygon(picture, corners, softness) * (1 - lips)


def _hair_ways(roots: Points, points: Points, length: float, random: np.random.Generator) -> Points:
    """Downwards and away from the middle; under the nose to the sides."""
    across = (roots[:, 0] - points[2, 0]) / _width(points)
    above_mouth = np.clip((points[13, 1] - roots[:, 1]) / (0.1 * _width(points)), 0, 1)
    ways = np.stack([across * (0.5 + 2.2 * above_mouth), 1 - 0.3 * above_mouth], axis=1)
    ways += random.normal(0, 0.18, ways.shape)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return (ways * length * random.uniform(0.6, 1.2, (len(roots), 1))).astype(np.float32)


def beard(picture: Picture, points: Points, colour: tuple[int, ...] = _BROWN, length: float = 0.05) -> Picture:
    """A full beard with a moustache that touches the upper lip; `length` in face widths."""
    random = np.random.default_rng(7)
    area = _beard_area(picture, points, 0.02 * _width(points))
    under = lay(shade(picture, area * 0.9, 0.45), area * 0.55, np.array(colour) * 0.6)
    roots = scattered(area, 16000, random)
    return hairs(under, roots, _hair_ways(roots, points, length * _width(points), random), colour, random)


def black_beard(picture: Picture, points: Points) -> Picture:
    """A short black beard."""
    return beard(picture, points, _BLACK, 0.035)


def long_grey_beard(picture: Picture, points: Points) -> Picture:
    """A grey beard that hangs far below the chin, under a trimmed moustache."""
    mouth = polygon(picture, _outline(points, _LIPS, 1.04), 2)
    grown = beard(beard(picture, points, _GREY_HAIR, 0.22), points, _GREY_HAIR, 0.03)
    return lay(grown, mouth, picture)


def beard_over_mouth(picture: Picture, points: Points) -> Picture:
    """A grey beard and moustache that cover both lips."""
    return beard(picture, points, _GREY_HAIR, 0.22)


def stubble(picture: Picture, points: Points) -> Picture:
    """Three days without a razor."""
    random = np.random.default_rng(8)
    area = _beard_area(picture, points, 0.03 * _width(points))
    roots = scattered(area, 9000, random)
    ways = _hair_ways(roots, points, 0.010 * _width(points), random)
    return lay(picture, area * 0.75, hairs(shade(picture, area * 0.5, 0.75), roots, ways, _BLACK, random))


def _rim(points: Points, side: int) -> Points:
    """Outline of one lens: an ellipse with corners about an eye."""
    upper, lower, left, right = ((159, 145, 33, 133), (386, 374, 362, 263))[side]
    middle = (points[[upper, lower, left, right], :2].mean(axis=0) + np.array([0, 0.02 * _width(points)])).astype(
        np.float32
    )
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    shape = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shape = np.sign(shape) * np.abs(shape) ** 0.72
    return np.asarray(middle + shape * (0.185 * _width(points), 0.145 * _width(points)), np.float32)


def _frame(picture: Picture, points: Points, width_px: int) -> NDArray[np.float32]:
    left, right = _rim(points, 0), _rim(points, 1)
    bridge = smooth_curve([left[0], points[168, :2] + (0, 4), right[30]])
    temples = [np.array([rim[at], points[ear, :2]], np.float32) for rim, at, ear in ((left, 34, 127), (right, 56, 356))]
    masks = [line(picture, rim, width_px, closed=True) for rim in (left, right)]
    masks += [line(picture, part, width_px) for part in (bridge, *temples)]
    return np.asarray(np.max(masks, axis=0), np.float32)


def glasses(picture: Picture, points: Points, width_px: int = 11) -> Picture:
    """Dark frames, with their shadow on the cheeks and a reflection on one lens."""
    frame = _frame(picture, points, width_px)
    shadow = cv2.GaussianBlur(np.roll(frame, (9, 4), (0, 1)), (0, 0), 4)
    worn = lay(shade(picture, shadow * 0.55, 0.5), frame, (34, 30, 28))
    glint = polygon(picture, _rim(points, 1)[[35, 40, 50, 55]], 6)
    return lay(worn, glint * 0.28, (255, 250, 245))


def thin_glasses(picture: Picture, points: Points) -> Picture:
    """A wire frame."""
    return lay(picture, _frame(picture, points, 3), (88, 104, 118))


def sunglasses(picture: Picture, points: Points) -> Picture:
    """Nearly black lenses."""
    lenses = np.maximum(polygon(picture, _rim(points, 0)), polygon(picture, _rim(points, 1)))
    return lay(glasses(picture, points), lenses * 0.92, (24, 20, 18))


def hair_over_jaw(picture: Picture, points: Points) -> Picture:
    """Locks that fall over the cheeks and the jaw on both sides, to beside the mouth's corners."""
    random = np.random.default_rng(9)
    width, output = _width(points), picture.copy()
    for side, corner in ((-1, 61), (1, 291)):
        for lock in range(26):
            inward = (lock / 25) ** 1.4  # the innermost locks are few
            top = points[(127, 356)[side > 0], :2] + (side * -0.06 * width * inward, -0.35 * width)
            near = points[corner, :2] + (side * (0.10 + 0.26 * (1 - inward)) * width, -0.05 * width)
            below = near + np.array([side * random.uniform(-0.04, 0.12), random.uniform(0.4, 0.8)]) * width
            path = smooth_curve([top, (top + near) / 2 + (side * 0.10 * width, 0), near, below], 30)
            for _ in range(26):
                strand = path + random.normal(0, 0.012 * width, 2) + random.normal(0, 0.8, path.shape)
                tone = random.uniform(0.5, 1.5)
                shown = tuple(value * tone for value in (30, 50, 84))
                cv2.polylines(output, [np.rint(strand * 16).astype(np.int32)], False, shown, 1, cv2.LINE_AA, 4)
    return output


def face_mask(picture: Picture, points: Points) -> Picture:
    """A blue medical mask over nose, mouth and chin."""
    corners = np.vstack([_at(points, _MASK_TOP), _outline(points, _JAW_LINE, 1.02)[-3:2:-1]])
    cloth = polygon(picture, corners, 2)
    folds = np.sin(np.arange(picture.shape[0]) / (0.02 * _width(points)))[:, None, None] * 7
    light = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), 0.08 * _width(points))[..., None]
    worn = lay(picture, cloth, np.clip(np.array([1.15, 1.02, 0.8]) * light + folds, 0, 255))
    for ear, cheek in ((127, 117), (356, 346)):
        worn = lay(worn, line(picture, _at(points, (ear, cheek)), 3), (215, 215, 210))
    return worn


def microphone(picture: Picture, points: Points) -> Picture:
    """A black foam ball before the mouth, on its stand."""
    random = np.random.default_rng(10)
    middle, radius = points[[13, 14], :2].mean(axis=0) + np.array([0, 6]), 0.24 * _width(points)
    angles = np.linspace(0, 2 * np.pi, 60)
    ball = (middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    distance = np.hypot(columns - middle[0] + 0.4 * radius, rows - middle[1] + 0.5 * radius) / radius
    foam = np.clip(78 - 42 * distance, 18, 90) + random.normal(0, 7, distance.shape)
    stand = np.array([middle, (middle[0] + 30, picture.shape[0])], np.float32)
    held = lay(picture, line(picture, stand, round(0.16 * _width(points))), (40, 40, 42))
    return lay(held, polygon(picture, ball, 1.5), np.repeat(np.clip(foam, 0, 255)[..., None], 3, axis=2))


def hand(picture: Picture, points: Points) -> Picture:
    """Four fingers and the back of a hand before the mouth, in the skin's own colour."""
    width, covered = _width(points), picture
    skin = np.median(picture[tuple(np.rint(_at(points, _CHEEKS)).astype(int).T[::-1])], axis=0)
    start = points[14, :2] + np.array([0.55, 0.45]) * width
    for number in range(4):
        tip = points[13, :2] + (-0.33 * width, (0.17 - 0.145 * number) * width)
        knuckle = start + np.array([-0.12, -0.20 * number - 0.05]) * width
        path = np.array([tip, (tip + knuckle) / 2 + (0, -6), knuckle, start + np.array([120, 60])], np.float32)
        finger = line(picture, smooth_curve(path), round(0.15 * width))
        depth = cv2.distanceTransform((finger > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / (0.075 * width)
        covered = shade(covered, cv2.GaussianBlur(finger, (0, 0), 6), 0.72)
        covered = lay(covered, finger, skin * (0.62 + 0.42 * np.sqrt(np.clip(depth, 0, 1)))[..., None])
    return covered


def scarf(picture: Picture, points: Points) -> Picture:
    """A red woollen scarf up to the nose."""
    top = _at(points, (93, 187, 165, 2, 391, 411, 323))
    low = np.array(
        [(points[454, 0] + 90, points[152, 1] + 200), (points[234, 0] - 90, points[152, 1] + 200)], np.float32
    )
    weave = np.sin(np.add.outer(np.arange(picture.shape[0]) * 0.9, np.arange(picture.shape[1]) * 0.5))[..., None] * 14
    return lay(picture, polygon(picture, np.vstack([top, low]), 2), np.clip(np.array([45, 40, 150]) + weave, 0, 255))


def blurred(picture: Picture, points: Points) -> Picture:
    """Out of focus: no more detail than a face 30 pixels wide has."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.028 * _width(points)), np.uint8)


def overexposed(picture: Picture, points: Points) -> Picture:
    """Three stops too much light, cut off at white."""
    linear = (picture / 255.0) ** 2.2 * 8
    return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2) * 255, np.uint8)


def underexposed(picture: Picture, points: Points) -> Picture:
    """Six stops too little light."""
    linear = (picture / 255.0) ** 2.2 / 64
    return np.asarray(np.rint(linear ** (1 / 2.2) * 255), np.uint8)


def turned_by(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Variant:
    """A head turned to the picture's right and upwards."""
    return lambda picture, points: turned(picture, points, yaw_deg, pitch_deg)


def both(*variants: Variant) -> Variant:
    """One after the other."""

    def painted(picture: Picture, points: Points) -> Picture:
        for variant in variants:
            picture = variant(picture, points)
        return picture

    return painted


def plain(picture: Picture, points: Points) -> Picture:
    """The portrait as it is, without its drawn contours: a photo like any other."""
    return picture


# what an avatar can be made of
USABLE: dict[str, Variant] = {
    "plain": plain,
    "thin glasses": thin_glasses,
    "glasses": glasses,
    "sunglasses": sunglasses,
    "stubble": stubble,
    "beard": beard,
    "black beard": black_beard,
    "long grey beard": long_grey_beard,
    "light skin": light_skin,
    "dark skin": dark_skin,
    "very dark skin": very_dark_skin,
    "dark, beard, glasses": both(dark_skin, black_beard, glasses),
    "teeth": smile,
    "teeth, dark skin": both(smile, dark_skin),
    "hair over the jaw": hair_over_jaw,
    "25 degrees left": turned_by(-25),
    "25 degrees right": turned_by(25),
    "15 degrees up": turned_by(0, 15),
    "15 degrees down": turned_by(0, -15),
}

# what is refused, and words that the reason holds
REFUSED: dict[str, tuple[Variant, str]] = {
    "medical mask": (face_mask, "mouth is hidden"),
    "microphone": (microphone, "mouth is hidden"),
    "hand": (hand, "mouth is hidden"),
    "scarf": (scarf, "mouth is hidden"),
    "beard over the mouth": (beard_over_mouth, "mouth is hidden"),
    "wide open": (wide_open, "mouth is wide open"),
    "blurred": (blurred, "blurred"),
    "overexposed": (overexposed, "overexposed"),
    "underexposed": (underexposed, "underexposed"),
    "45 degrees": (turned_by(45), "turned to the side"),
    "45 degrees up": (turned_by(0, 45), "turned up or down"),
}
