"""What the inside of a mouth looks like: cavity, teeth and tongue as layers, made once when an avatar is prepared.

Owns the layers' looks, the person's own teeth where a picture shows them, and the lip inset. Plain arrays leave here;
`models.light.interior` paints them. Must not import the warp or the renderer.

The layers are canvases of `CANVAS_SHAPE` in the face frame's directions: u across, in mouth widths, 0 in the middle;
v down, in lower-face heights, 0 at the closed lip line. Upper teeth stay with the skull; lower teeth and tongue move
with the jaw.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import (
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LIP_POINTS,
    OUTER_LOWER_LIP,
    OUTER_UPPER_LIP,
    FaceGeometry,
    measure_face,
)

CANVAS_SHAPE = (120, 160)
CANVAS_WIDTH = 1.2  # mouth widths
CANVAS_TOP, CANVAS_HEIGHT = -0.35, 1.0  # lower-face heights
MATERIAL_KEYS = ("cavity", "upper_teeth", "lower_teeth", "tongue", "slit", "lip_inset")

_DEFAULT_INSET = 0.22
_CHEEK_SAMPLES = (50, 280, 205, 425, 101, 330)
_SKIN_BRIGHTNESS = 185.0  # of the photographs that the colours below were chosen on
_CAVITY_DARKNESS = 0.5  # of the lip's lightness
_OWN_TEETH_FROM = 0.085  # gap between the lips, lower-face heights
# BGR -> Y, U, V: BT.601, limited range, as OpenCV's I420 conversions.
_BGR_TO_YUV = np.array([[0.098, 0.504, 0.257], [0.439, -0.291, -0.148], [-0.071, -0.368, 0.439]])
_YUV_OFFSET = np.array([16.0, 128.0, 128.0])

Floats = NDArray[np.floating]


class _Layer(NamedTuple):
    """BGR colours (h, w, 3), 0..255, and their opacity (h, w), 0..1."""

    colour: Floats
    opacity: Floats


def build_material(pictures: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Make the mouth material of one avatar; about 310 KB.

    `pictures`: (N, 768, 512) uint8 I420; `landmarks`: (N, 468, 2) pixels: any base pictures of the avatar, at least
    one. The picture with the widest open mouth decides about teeth and lips.
    Returns `MATERIAL_KEYS`: four layers (120, 160, 4) uint8 of Y, U, V and opacity; `slit`: (3,) uint8 Y, U, V of the
    line between closed lips; `lip_inset`: (2, 11) float32, see `face_geometry.measure_face`.
    """
    no_inset = np.zeros((2, LIP_POINTS), np.float32)
    faces = [measure_face(points, no_inset) for points in landmarks]
    widest = max(range(len(faces)), key=lambda index: faces[index].resting_gap / faces[index].lower_face_height)
    face, points = faces[widest], landmarks[widest]
    picture = cv2.cvtColor(np.ascontiguousarray(pictures[widest]), cv2.COLOR_YUV2BGR_I420)

    light = _skin_light(picture, points)
    brightness = float(np.clip(light.mean() / _SKIN_BRIGHTNESS, 0.4, 1.05))
    tint = np.clip(light / max(light.mean(), 1.0), 0.75, 1.25) ** 0.25
    u, v = _canvas_axes()
    upper_teeth = _upper_teeth(u, v, brightness, tint)
    if face.resting_gap > _OWN_TEETH_FROM * face.lower_face_height:
        upper_teeth = _own_teeth(picture, points, face, u, v, upper_teeth)
    return {
        "cavity": _yuva(_cavity(u, v, brightness)),
        "upper_teeth": _yuva(upper_teeth),
        "lower_teeth": _yuva(_lower_teeth(u, v, brightness, tint)),
        "tongue": _yuva(_tongue(u, v, brightness)),
        "slit": _bgr_to_yuv(np.array([45.0, 40.0, 85.0]) * brightness),
        "lip_inset": _lip_inset(picture, points, face),
    }


def _canvas_axes() -> tuple[Floats, Floats]:
    """u and v of every canvas pixel."""
    rows, columns = CANVAS_SHAPE
    u = (np.arange(columns) / (columns - 1) - 0.5) * CANVAS_WIDTH
    v = np.arange(rows) / (rows - 1) * CANVAS_HEIGHT + CANVAS_TOP
    return np.broadcast_to(u, CANVAS_SHAPE), np.broadcast_to(v[:, None], CANVAS_SHAPE)


def _skin_light(picture: NDArray, landmarks: Floats) -> Floats:
    """Median colour of the cheeks: how bright and how warm the face is lit."""
    last = picture.shape[0] - 1
    samples = np.clip(np.rint(landmarks[list(_CHEEK_SAMPLES)]), 0, last).astype(int)
    return np.median(picture[samples[:, 1], samples[:, 0]].astype(np.float64), axis=0)


def _cavity(u: Floats, v: Floats, brightness: float) -> _Layer:
    """Dark red-brown, nearly black in the middle."""
    depth = np.clip(1.2 - np.hypot(u / 0.45, (v - 0.12) / 0.35), 0, 1)[..., None]
    colour = (np.array([30.0, 24.0, 62.0]) * (1 - depth) + np.array([12.0, 9.0, 24.0]) * depth) * brightness
    return _Layer(colour, np.ones_like(u))


def _tooth_gaps(u: Floats, depth: float) -> Floats:
    """Faint lines between the teeth; a factor of the brightness."""
    shade = np.ones_like(u)
    for gap in (0.0, 0.085, 0.155, 0.225, 0.285, 0.335, 0.375):
        for side in (1, -1) if gap else (1,):
            shade = shade * (1 - depth * np.exp(-(((u - side * gap) / 0.007) ** 2)))
    return shade


def _upper_teeth(u: Floats, v: Floats, brightness: float, tint: Floats) -> _Layer:
    """A synthetic row of upper teeth, darker towards the sides and the gums."""
    across = np.abs(u)
    edge = 0.070 - 0.095 * (across / 0.42) ** 2.2 - 0.008 + 0.008 * np.abs(np.sin(np.pi * across / 0.078))
    sides = np.clip(1 - 0.72 * (across / 0.42) ** 2.0, 0.15, 1)
    gums = np.clip(1.02 - 0.9 * np.clip((edge - v - 0.06) / 0.2, 0, 1), 0.3, 1)
    colour = np.array([222.0, 230.0, 234.0]) * (0.25 + 0.75 * brightness) * tint
    opacity = np.clip((edge - v) / 0.018 + 0.5, 0, 1) * np.clip((0.44 - across) / 0.05, 0, 1)
    return _Layer(colour * (sides * gums * _tooth_gaps(u, 0.09))[..., None], opacity)


def _lower_teeth(u: Floats, v: Floats, brightness: float, tint: Floats) -> _Layer:
    """A synthetic row of lower teeth, in the lip's shadow."""
    across = np.abs(u)
    edge = -0.030 + 0.09 * (across / 0.36) ** 2.2
    sides = np.clip(1 - 0.7 * (across / 0.36) ** 1.8, 0.15, 1)
    colour = np.array([196.0, 208.0, 215.0]) * 0.62 * brightness * tint
    opacity = np.clip((v - edge) / 0.02 + 0.5, 0, 1) * np.clip((0.33 - across) / 0.08, 0, 1)
    return _Layer(colour * (sides * _tooth_gaps(u, 0.13))[..., None], opacity)


def _tongue(u: Floats, v: Floats, brightness: float) -> _Layer:
    """A rounded tongue with a faint furrow."""
    inside = 1 - np.hypot(u / 0.29, (v - 0.03) / 0.105)
    shade = 1 - 0.35 * np.clip(np.abs(u) / 0.3, 0, 1) - 0.12 * np.exp(-((u / 0.02) ** 2))
    shade = shade * np.clip(1.05 - 0.5 * v / 0.2, 0.5, 1.1)
    colour = np.array([78.0, 74.0, 150.0]) * brightness
    return _Layer(colour * shade[..., None], 0.9 * np.clip(inside / 0.35, 0, 1))


def _own_teeth(
    picture: NDArray, landmarks: Floats, face: FaceGeometry, u: Floats, v: Floats, synthetic: _Layer
) -> _Layer:
    """The upper teeth that the picture shows, completed where lips hide them; the synthetic ones if too few show."""
    directions = face.axes * (face.mouth_width, face.lower_face_height)
    places = (np.stack([u, v], axis=-1) @ directions.T + face.origin).astype(np.float32)
    seen = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outline = landmarks[list(INNER_UPPER_LIP) + list(INNER_LOWER_LIP[-2:0:-1])] - face.origin
    outline = (outline @ face.axes) / (face.mouth_width, face.lower_face_height)
    rows, columns = CANVAS_SHAPE
    corners = (outline - (-CANVAS_WIDTH / 2, CANVAS_TOP)) / (CANVAS_WIDTH, CANVAS_HEIGHT) * (columns - 1, rows - 1)
    inside: NDArray = np.zeros(CANVAS_SHAPE, np.uint8)
    cv2.fillPoly(inside, [np.rint(corners).astype(np.int32)], 255)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    if not inside.any():
        return synthetic

    darkest = seen.min(axis=2)
    bright = (darkest > 0.62 * np.percentile(darkest[inside > 0], 85)) & (inside > 0)
    bright = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    edge = _biting_edge(bright, v)
    if edge is None:
        return synthetic
    completed = _filled_from_teeth(seen, bright)
    sides = np.clip(1 - 0.62 * (np.abs(u) / 0.42) ** 1.8, 0.2, 1)
    gums = np.clip(1.02 - 0.9 * np.clip((edge - v - 0.06) / 0.2, 0, 1), 0.3, 1)
    colour = np.where(bright[..., None], seen, completed * ((sides * gums) ** 0.35)[..., None])
    opacity = np.clip((edge - v) / 0.02 + 0.5, 0, 1) * np.clip((0.46 - np.abs(u)) / 0.05, 0, 1)
    return _Layer(colour, opacity)


def _filled_from_teeth(seen: NDArray, bright: NDArray[np.bool_]) -> Floats:
    """The visible teeth carried on over the canvas: upwards from each column's topmost, sideways from the last."""
    columns = np.flatnonzero(bright.sum(axis=0) > 1)
    nearest = columns[np.abs(np.arange(bright.shape[1])[:, None] - columns).argmin(axis=1)]
    rows = np.arange(bright.shape[0])[:, None]
    top = bright.argmax(axis=0)[nearest] + 4  # the topmost pixels are half gum
    bottom = bright.shape[0] - 1 - bright[::-1].argmax(axis=0)[nearest]
    filled = seen[np.clip(rows, np.minimum(top, bottom), bottom), nearest]
    return cv2.blur(filled, (3, 5)).astype(np.float64)


def _biting_edge(bright: NDArray[np.bool_], v: Floats) -> Floats | None:
    """v of the lowest bright pixel as a smooth curve over the columns; the raw edge looks chipped. None: too few."""
    columns = np.flatnonzero(bright.sum(axis=0) > 1)
    if len(columns) <= 20:
        return None
    lowest = np.array([v[np.flatnonzero(bright[:, column])[-1], 0] for column in columns])
    x = columns - bright.shape[1] / 2
    residual = np.abs(np.polyval(np.polyfit(x, lowest, 2), x) - lowest)
    near = residual <= 2 * np.median(residual) + 0.01
    curve = np.polyfit(x[near], lowest[near], 2)
    return np.polyval(curve, np.arange(bright.shape[1]) - bright.shape[1] / 2)[None]


def _lip_inset(picture: NDArray, landmarks: Floats, face: FaceGeometry) -> NDArray[np.float32]:
    """Where, on the way from inner to outer lip landmark, the picture turns red enough to be lip.

    Face meshes put the inner contour of an open mouth a pixel or two onto the teeth.
    """
    inset = np.full((2, LIP_POINTS), _DEFAULT_INSET, np.float32)
    if face.resting_gap < 0.05 * face.lower_face_height:
        return inset
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.float32)
    steps = np.linspace(-0.3, 0.9, 25)
    contours = ((INNER_UPPER_LIP, OUTER_UPPER_LIP, 0.12), (INNER_LOWER_LIP, OUTER_LOWER_LIP, 0.18))
    for lip, (inner_ids, outer_ids, least) in enumerate(contours):
        inner, outer = landmarks[list(inner_ids)], landmarks[list(outer_ids)]
        starts, cavity_ends = [], []
        for begin, end in zip(inner[1:-1], outer[1:-1], strict=True):
            way = (begin + (end - begin) * steps[:, None]).astype(np.float32)
            profile = cv2.remap(lab, way[None, :, 0], way[None, :, 1], cv2.INTER_LINEAR)[0]
            starts.append(_lip_start(profile[:, 1], steps))
            cavity_ends.append(_cavity_end(profile[:, 0], steps))
        smooth = 0.5 * np.array(starts) + 0.5 * np.median(starts)
        thickness = float(np.hypot(*(outer[LIP_POINTS // 2] - inner[LIP_POINTS // 2])))
        least = max(least, min(0.40, 1.6 / max(thickness, 1e-3)))
        inset[lip, 1:-1] = np.clip(np.maximum(smooth, cavity_ends), least, 0.6)
    return inset


def _lip_start(redness: Floats, steps: Floats) -> float:
    """The step at which a profile from teeth to lip is 70 % of the way to the lip's redness."""
    lip, teeth = redness[(steps > 0.4) & (steps < 0.8)].max(), redness[:5].min()
    if lip - teeth < 4:
        return 0.3
    crossed = np.flatnonzero(redness > teeth + 0.7 * (lip - teeth))
    return float(np.clip(steps[crossed[0]] + 0.12, 0.1, 0.55)) if len(crossed) else 0.3


def _cavity_end(lightness: Floats, steps: Floats) -> float:
    """The step at which a profile leaves the dark beside the teeth, half-way to the lip's lightness; 0: no dark."""
    darkest, lip = lightness[steps < 0.6].min(), lightness[-1]
    if darkest > _CAVITY_DARKNESS * lip:
        return 0.0
    return float(steps[np.flatnonzero(lightness < (darkest + lip) / 2)[-1]])


def _bgr_to_yuv(colour: Floats) -> NDArray[np.uint8]:
    """(..., 3) BGR 0..255 to Y, U, V."""
    yuv = np.clip(colour, 0, 255) @ _BGR_TO_YUV.T + _YUV_OFFSET
    return np.rint(np.clip(yuv, 0, 255)).astype(np.uint8)


def _yuva(layer: _Layer) -> NDArray[np.uint8]:
    """(h, w, 4) uint8: Y, U, V and opacity."""
    opacity = np.rint(np.clip(layer.opacity, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.dstack([_bgr_to_yuv(layer.colour), opacity]))
