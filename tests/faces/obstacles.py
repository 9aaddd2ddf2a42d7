"""What keeps a face from speaking: things before the mouth, and pictures in which little is to be seen.

Owns these variants of the built-in portrait. Pictures are (H, W, 3) BGR, landmarks (468, 3).
"""

from collections.abc import Callable

import cv2
import numpy as np

from tests.faces.strokes import Picture, Points, lay, line, polygon, shade, smooth_curve
from tests.faces.variants import CHEEKS, JAW_LINE, at, outline, width_of

_RED, _WHITE = (60, 50, 190), (225, 230, 235)
_MASK_TOP = (234, 117, 50, 198, 195, 420, 280, 346, 454)


def face_mask(picture: Picture, points: Points) -> Picture:
    """A blue medical mask over nose, mouth and chin."""
    corners = np.vstack([at(points, _MASK_TOP), outline(points, JAW_LINE, 1.02)[-3:2:-1]])
    cloth = polygon(picture, corners, 2)
    folds = np.sin(np.arange(picture.shape[0]) / (0.02 * width_of(points)))[:, None, None] * 7
    light = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), 0.08 * width_of(points))[..., None]
    worn = lay(picture, cloth, np.clip(np.array([1.15, 1.02, 0.8]) * light + folds, 0, 255))
    for ear, cheek in ((127, 117), (356, 346)):
        worn = lay(worn, line(picture, at(points, (ear, cheek)), 3), (215, 215, 210))
    return worn


def microphone(picture: Picture, points: Points) -> Picture:
    """A black foam ball before the mouth, on its stand."""
    random = np.random.default_rng(10)
    middle, radius = points[[13, 14], :2].mean(axis=0) + np.array([0, 6]), 0.24 * width_of(points)
    angles = np.linspace(0, 2 * np.pi, 60)
    ball = (middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    distance = np.hypot(columns - middle[0] + 0.4 * radius, rows - middle[1] + 0.5 * radius) / radius
    foam = np.clip(78 - 42 * distance, 18, 90) + random.normal(0, 7, distance.shape)
    stand = np.array([middle, (middle[0] + 30, picture.shape[0])], np.float32)
    held = lay(picture, line(picture, stand, round(0.16 * width_of(points))), (40, 40, 42))
    return lay(held, polygon(picture, ball, 1.5), np.repeat(np.clip(foam, 0, 255)[..., None], 3, axis=2))


def hand(picture: Picture, points: Points) -> Picture:
    """Four fingers and the back of a hand before the mouth, in the skin's own colour."""
    width, covered = width_of(points), picture
    skin = np.median(picture[tuple(np.rint(at(points, CHEEKS)).astype(int).T[::-1])], axis=0)
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
    top = at(points, (93, 187, 165, 2, 391, 411, 323))
    low = np.array(
        [(points[454, 0] + 90, points[152, 1] + 200), (points[234, 0] - 90, points[152, 1] + 200)], np.float32
    )
    weave = np.sin(np.add.outer(np.arange(picture.shape[0]) * 0.9, np.arange(picture.shape[1]) * 0.5))[..., None] * 14
    return lay(picture, polygon(picture, np.vstack([top, low]), 2), np.clip(np.array([45, 40, 150]) + weave, 0, 255))


def cloth(colour: tuple[int, int, int], top: int) -> Callable[[Picture, Points], Picture]:
    """Plain cloth over everything below the landmark `top`."""

    def worn(picture: Picture, points: Points) -> Picture:
        covered = picture.copy()
        covered[round(float(points[top, 1])) :] = colour
        return covered

    return worn


def patterned_cloth(top: int, period: float, *, checks: bool = False) -> Callable[[Picture, Points], Picture]:
    """Slanting stripes or checks in red and white below the landmark `top`; `period`: in face widths."""

    def worn(picture: Picture, points: Points) -> Picture:
        rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]] / (period * width_of(points))
        first = ((columns + 0.6 * rows) % 1 < 0.5).astype(np.float32)
        if checks:
            first = (first + (rows % 1 < 0.5)) / 2
        share = cv2.GaussianBlur(first.astype(np.float32), (0, 0), 1.5)[..., None]
        covered = picture.copy()
        cloth = np.array(_RED) * share + np.array(_WHITE) * (1 - share)
        begin = round(float(points[top, 1]))
        covered[begin:] = np.rint(cloth[begin:])
        return covered

    return worn


def finger(picture: Picture, points: Points) -> Picture:
    """A finger laid along the upper lip, in the skin's own colour."""
    width = width_of(points)
    skin = np.median(picture[tuple(np.rint(at(points, CHEEKS)).astype(int).T[::-1])], axis=0)
    along = points[13, :2] + np.array([(-0.3, -0.06), (0.3, -0.06), (0.9, 0.1)]) * width
    return lay(picture, line(picture, along.astype(np.float32), round(0.12 * width)), skin * 0.97)


def half_mouth(picture: Picture, points: Points, side: int = -1) -> Picture:
    """A patch in the skin's own colour over one half of the mouth, on the picture's left or, 1, right."""
    width, (x, y) = width_of(points), points[13, :2]
    corners = np.array([(0, -0.2), (side * 0.4, -0.2), (side * 0.4, 0.22), (0, 0.22)], np.float32) * width + (x, y)
    skin = np.median(picture[tuple(np.rint(at(points, CHEEKS)).astype(int).T[::-1])], axis=0)
    return lay(picture, polygon(picture, corners.astype(np.float32), 1), skin)


def blurred(picture: Picture, points: Points) -> Picture:
    """Out of focus: no more detail than a face 30 pixels wide has."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.028 * width_of(points)), np.uint8)


def overexposed(picture: Picture, points: Points) -> Picture:
    """Three stops too much light, cut off at white."""
    linear = (picture / 255.0) ** 2.2 * 8
    return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2) * 255, np.uint8)


def underexposed(picture: Picture, points: Points) -> Picture:
    """Six stops too little light."""
    linear = (picture / 255.0) ** 2.2 / 64
    return np.asarray(np.rint(linear ** (1 / 2.2) * 255), np.uint8)
