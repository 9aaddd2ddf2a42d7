"""Kinds of face, painted over the built-in portrait: what people are and wear.

Owns the shapes, in the portrait's own landmarks; each variant is made the same to the bit from a seed. Pictures are
(H, W, 3) BGR, landmarks (468, 3).
"""

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

CHEEKS = (50, 280, 101, 330, 205, 425, 151, 199)
JAW_LINE = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_BEARD_TOP = (454, 366, 411, 427, 436, 410, 269, 326, 2, 97, 39, 186, 216, 207, 187, 137, 234)
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, *JAW_LINE[::-1], 127, 162, 21, 54, 103, 67, 109)
_LIPS = OUTER_UPPER_LIP + OUTER_LOWER_LIP[-2:0:-1]
_MOUSTACHE_TOP = (216, 186, 92, 165, 167, 164, 393, 391, 322, 410, 436)
_PURPLE = (110, 40, 120)
_BROWN, _BLACK, _GREY_HAIR = (38, 52, 74), (22, 24, 30), (150, 152, 156)

_DRAWN_LEFT, _DRAWN_TOP = 330, 500  # of the drawn lower faces in the portrait

# share of the portrait's light skin's red, green and blue that the skin and the lips send back, as B, G, R
_DARK, _DARK_LIPS = (0.19, 0.22, 0.29), (0.42, 0.36, 0.42)
_VERY_DARK, _VERY_DARK_LIPS = (0.08, 0.085, 0.105), (0.17, 0.15, 0.19)
_LIGHT, _LIGHT_LIPS = (1.4, 1.25, 1.1), (1.6, 1.5, 1.2)


def at(points: Points, indices: tuple[int, ...]) -> Points:
    return points[list(indices), :2].astype(np.float32)


def width_of(points: Points) -> float:
    return float(np.linalg.norm(points[454, :2] - points[234, :2]))


def outline(points: Points, sides: tuple[int, ...], grown: float = 1.0) -> Points:
    corners = at(points, sides)
    middle = corners.mean(axis=0)
    return middle + (corners - middle) * np.float32(grown)


def _skin(picture: Picture, points: Points, skin: tuple[float, ...], lips: tuple[float, ...]) -> Picture:
    everywhere = skin_mask(picture, at(points, _OVAL), at(points, CHEEKS))
    mouth = polygon(picture, outline(points, _LIPS, 0.98), 3)
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
    corners = np.vstack([outline(points, JAW_LINE, 1.03), at(points, _BEARD_TOP)])
    lips = polygon(picture, outline(points, _LIPS, 0.94), 1.5)
    return polygon(picture, corners, softness) * (1 - lips)


def _hair_ways(roots: Points, points: Points, length: float, random: np.random.Generator) -> Points:
    """Downwards and away from the middle; under the nose to the sides."""
    across = (roots[:, 0] - points[2, 0]) / width_of(points)
    above_mouth = np.clip((points[13, 1] - roots[:, 1]) / (0.1 * width_of(points)), 0, 1)
    ways = np.stack([across * (0.5 + 2.2 * above_mouth), 1 - 0.3 * above_mouth], axis=1)
    ways += random.normal(0, 0.18, ways.shape)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return (ways * length * random.uniform(0.6, 1.2, (len(roots), 1))).astype(np.float32)


def beard(picture: Picture, points: Points, colour: tuple[int, ...] = _BROWN, length: float = 0.05) -> Picture:
    """A full beard with a moustache that touches the upper lip; `length` in face widths."""
    random = np.random.default_rng(7)
    area = _beard_area(picture, points, 0.02 * width_of(points))
    under = lay(shade(picture, area * 0.9, 0.45), area * 0.55, np.array(colour) * 0.6)
    roots = scattered(area, 16000, random)
    return hairs(under, roots, _hair_ways(roots, points, length * width_of(points), random), colour, random)


def black_beard(picture: Picture, points: Points) -> Picture:
    """A short black beard."""
    return beard(picture, points, _BLACK, 0.035)


def long_grey_beard(picture: Picture, points: Points) -> Picture:
    """A grey beard that hangs far below the chin, under a trimmed moustache."""
    mouth = polygon(picture, outline(points, _LIPS, 1.04), 2)
    grown = beard(beard(picture, points, _GREY_HAIR, 0.22), points, _GREY_HAIR, 0.03)
    return lay(grown, mouth, picture)


def beard_over_mouth(picture: Picture, points: Points) -> Picture:
    """A grey beard and moustache that cover both lips."""
    return beard(picture, points, _GREY_HAIR, 0.22)


def moustache(picture: Picture, points: Points) -> Picture:
    """A brown moustache that hangs over the upper lip, and a shaven chin."""
    random = np.random.default_rng(3)
    width = width_of(points)
    lip = at(points, OUTER_UPPER_LIP[-2:0:-1]) + np.array([0, 0.01 * width], np.float32)
    area = polygon(picture, np.vstack([at(points, _MOUSTACHE_TOP), lip]), 0.01 * width)
    under = lay(shade(picture, area * 0.9, 0.5), area * 0.5, np.array(_BROWN) * 0.6)
    roots = scattered(area, 4000, random)
    return hairs(under, roots, _hair_ways(roots, points, 0.05 * width, random), _BROWN, random)


def lipstick(picture: Picture, points: Points) -> Picture:
    """Lips painted purple."""
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True) / 130
    mouth = polygon(picture, outline(points, _LIPS), 2)
    return lay(picture, mouth * 0.7, np.clip(np.array(_PURPLE) * grey, 0, 255))


def stubble(picture: Picture, points: Points) -> Picture:
    """Three days without a razor."""
    random = np.random.default_rng(8)
    area = _beard_area(picture, points, 0.03 * width_of(points))
    roots = scattered(area, 9000, random)
    ways = _hair_ways(roots, points, 0.010 * width_of(points), random)
    return lay(picture, area * 0.75, hairs(shade(picture, area * 0.5, 0.75), roots, ways, _BLACK, random))


def _rim(points: Points, side: int) -> Points:
    """Outline of one lens: an ellipse with corners about an eye."""
    upper, lower, left, right = ((159, 145, 33, 133), (386, 374, 362, 263))[side]
    middle = (points[[upper, lower, left, right], :2].mean(axis=0) + np.array([0, 0.02 * width_of(points)])).astype(
        np.float32
    )
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    shape = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shape = np.sign(shape) * np.abs(shape) ** 0.72
    return np.asarray(middle + shape * (0.185 * width_of(points), 0.145 * width_of(points)), np.float32)


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
    width, output = width_of(points), picture.copy()
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
