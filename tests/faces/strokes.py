"""Brushes for faces that are painted over the built-in portrait: soft shapes, hairs, skin of another colour.

Owns how pixels are laid down; which shapes make a beard or glasses is for `variants`. Pictures are (H, W, 3) BGR.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Points = NDArray[np.float32]

_SUBPIXEL_BITS = 4
_WHITE = np.ones(3)


def polygon(picture: Picture, corners: Points, softness_px: float = 1.0) -> NDArray[np.float32]:
    """(H, W), 0..1: a filled outline (n, 2) with a soft edge."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return cv2.GaussianBlur(mask, (0, 0), softness_px).astype(np.float32) / 255


def line(picture: Picture, points: Points, width_px: int, *, closed: bool = False) -> NDArray[np.float32]:
    """(H, W), 0..1: a line through (n, 2) points."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], closed, 255, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / 255


def smooth_curve(points: Sequence[tuple[float, float]] | Points, steps: int = 40) -> Points:
    """(steps, 2): a quadratic spline along the corners, which it need not touch."""
    corners = np.asarray(points, np.float64)
    for _ in range(3):
        middles = (corners[:-1] * 0.75 + corners[1:] * 0.25, corners[:-1] * 0.25 + corners[1:] * 0.75)
        inner = np.stack(middles, axis=1).reshape(-1, 2)
        corners = np.vstack([corners[:1], inner, corners[-1:]])
    along = np.linspace(0, len(corners) - 1, steps)
    whole = np.arange(len(corners))
    return np.stack([np.interp(along, whole, corners[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def lay(picture: Picture, mask: NDArray[np.float32], colour: Sequence[float] | NDArray) -> Picture:
    """A colour (3,), or a picture of colours (H, W, 3), laid over the picture."""
    share = mask[..., None]
    return np.asarray(np.rint(picture * (1 - share) + np.asarray(colour, np.float32) * share), np.uint8)


def shade(picture: Picture, mask: NDArray[np.float32], factor: float) -> Picture:
    """Darker by `factor` where the mask is 1."""
    return lay(picture, mask, picture.astype(np.float32) * factor)


def hairs(
    picture: Picture,
    roots: Points,
    ways: Points,
    colour: Sequence[float],
    random: np.random.Generator,
    width_px: int = 1,
) -> Picture:
    """A bent hair from each root (n, 2) along its way (n, 2), each a little lighter or darker than `colour`."""
    output = picture.copy()
    bends = random.normal(0, 0.22, len(roots))
    tones = np.clip(random.normal(1, 0.28, len(roots)), 0.4, 2.2)
    along = np.linspace(0, 1, 5)[:, None]
    for root, way, bend, tone in zip(roots, ways, bends, tones, strict=True):
        across = np.array([-way[1], way[0]]) * bend
        curve = root + way * along + across * along**2
        shown = tuple(float(min(255, value * tone)) for value in colour)
        whole = np.rint(curve * 16).astype(np.int32)
        cv2.polylines(output, [whole], False, shown, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)
    return output


def scattered(mask: NDArray[np.float32], count: int, random: np.random.Generator) -> Points:
    """(count, 2) random places where the mask is high, from the top down, as hairs lie over those below them."""
    rows, columns = np.nonzero(mask > 0.02)
    weights = mask[rows, columns].astype(np.float64)
    chosen = random.choice(len(rows), count, p=weights / weights.sum())
    places = np.stack([columns[chosen], rows[chosen]], axis=1) + random.random((count, 2))
    return places[np.argsort(-places[:, 1])].astype(np.float32)


def skin_mask(picture: Picture, face: Points, cheeks: Points) -> NDArray[np.float32]:
    """(H, W), 0..1: the face's outline (n, 2), and what hangs together with it in the hue of the cheeks (m, 2).

    Hair, brows and the eyes' white have other hues or are darker.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 2.0)
    at = np.rint(cheeks).astype(int)
    light, red, yellow = np.median(smooth[at[:, 1], at[:, 0]], axis=0)
    likeness = np.exp(-(((smooth[..., 1] - red) / 20) ** 2) - ((smooth[..., 2] - yellow) / 18) ** 2)
    alike = (likeness > 0.3) & (smooth[..., 0] > 0.45 * light)
    inside = polygon(picture, face) > 0.5
    alike = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    alike |= inside & (smooth[..., 0] > 0.6 * light) & (smooth[..., 1] > 128 + 0.3 * (red - 128))
    _, parts = cv2.connectedComponents(alike)
    skin = (parts == np.bincount(parts[inside & (parts > 0)]).argmax()).astype(np.uint8)
    skin = cv2.morphologyEx(skin, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(skin, (0, 0), 2.0), np.float32)


def recoloured(picture: Picture, mask: NDArray[np.float32], albedo: Sequence[float]) -> Picture:
    """Skin that sends back `albedo` (B, G, R) times as much light, with the same gloss on it.

    Gloss has the light's colour, not the skin's (Shafer 1985, dichromatic reflection): each pixel is the skin's own
    colour and white in the shares that fit it best.
    """
    linear = (picture.astype(np.float64) / 255) ** 2.2
    body = cv2.GaussianBlur(linear, (0, 0), 6)
    body /= np.maximum(np.linalg.norm(body, axis=-1, keepdims=True), 1e-6)
    white = _WHITE / np.sqrt(3)
    cosine = body @ white
    with_body, with_white = (linear * body).sum(-1), linear @ white
    sine2 = np.maximum(1 - cosine**2, 1e-3)
    gloss = np.clip((with_white - cosine * with_body) / sine2, 0, 0.18 * with_white)[..., None] * white
    changed = (linear - gloss) * np.asarray(albedo) + gloss
    changed = changed / (1 + np.maximum(changed - 0.75, 0))
    return lay(picture, mask, np.clip(changed, 0, 1) ** (1 / 2.2) * 255)
