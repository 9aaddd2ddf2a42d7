"""Paints the inside of an open mouth: cavity, tongue and teeth behind the lips, and the line of pressed lips.

Owns how the layers of `mouth_material` are placed, shaded and blended into Y, U and V. Runs after the warp, inside
the lips' contours only.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import PICTURE_SIZE, Picture
from models.light.face_geometry import INNER_LOWER_ROWS, INNER_UPPER_ROWS, LIP_POINTS, FaceGeometry
from models.light.lip_contours import draw_line, fill_polygon, smooth_contour
from models.light.mouth_material import CANVAS_HEIGHT, CANVAS_SHAPE, CANVAS_TOP, CANVAS_WIDTH
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import MouthTargets
from models.light.warp import Planes, planes_of

Floats = NDArray[np.floating]

_LEAST_APERTURE = 0.004  # lower-face heights: smaller openings are left to the lips
_FULL_APERTURE = 0.03  # from here on the inside is opaque
_SLIT_UNTIL = 0.03  # pressed lips get their line below this
_HIDDEN_TEETH = 0.09  # rounded lips cover the upper teeth by this much; canvas heights
_TEETH_FROM = 0.03  # base pictures whose lips are further apart than this show teeth
_TONGUE_LOW, _TONGUE_HIGH, _TONGUE_STEPS = 0.03, 0.12, 17  # canvas heights; a step is about half a pixel
_MARGIN = 6  # pixels around the contours for the soft edge


class _Patch(NamedTuple):
    """A rectangle of the picture, even and half open."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as OpenCV wants them."""
        return self.right - self.left, self.bottom - self.top

    def of(self, plane: Picture, step: int) -> Picture:
        """The view of this rectangle in a plane; `step` 2 for chroma."""
        return plane[self.top // step : self.bottom // step, self.left // step : self.right // step]


class Interior:
    """One avatar's mouth from inside, ready to paint. Immutable: any thread may use it."""

    def __init__(self, material: Mapping[str, NDArray]) -> None:
        """`material`: see `mouth_material.build_material`."""
        self._upper_teeth = material["upper_teeth"]
        self._slit = material["slit"]
        self._jaw = [
            _jaw_layer(material, _TONGUE_LOW + (_TONGUE_HIGH - _TONGUE_LOW) * step / (_TONGUE_STEPS - 1))
            for step in range(_TONGUE_STEPS)
        ]

    def paint(self, face: FaceGeometry, targets: MouthTargets, mouth: MouthParameters, output: Picture) -> None:
        """Paint what the open lips show into `output`."""
        height = face.lower_face_height
        planes = planes_of(output)
        inner = targets.points[INNER_UPPER_ROWS.start : INNER_LOWER_ROWS.stop].reshape(2, LIP_POINTS, 2)
        upper, lower = smooth_contour(face.to_picture(inner))
        if targets.aperture > _LEAST_APERTURE * height:
            patch = _patch_around(outline := np.concatenate([upper, lower[-2:0:-1]]))
            if patch is not None:
                layers = self._composite(face, targets, mouth, patch)
                _paint_opening(layers, patch, outline, face, targets, planes)
        if face.resting_gap > _TEETH_FROM * height and targets.aperture < _SLIT_UNTIL * height:
            strength = 0.65 * (1 - targets.aperture / (_SLIT_UNTIL * height))
            _paint_slit(self._slit, strength, height, (upper + lower) / 2, planes)

    def _composite(self, face: FaceGeometry, targets: MouthTargets, mouth: MouthParameters, patch: _Patch) -> NDArray:
        """What lies behind the lips, the upper teeth in front; (h, w, 4), Y, U, V and nothing of meaning."""
        rows, columns = CANVAS_SHAPE
        across = (columns - 1) / (CANVAS_WIDTH * face.mouth_width * max(targets.spread, 0.8))
        down = (rows - 1) / (CANVAS_HEIGHT * face.lower_face_height)
        # Picture pixel -> canvas pixel: turn into the face frame, then scale.
        to_canvas = np.zeros((2, 3))
        to_canvas[:, :2] = face.axes.T * [[across], [down]]
        middle = np.array([0.5 * (columns - 1), -CANVAS_TOP / CANVAS_HEIGHT * (rows - 1)])
        to_canvas[:, 2] = middle + to_canvas[:, :2] @ (np.array([patch.left, patch.top]) - face.origin)
        resting_row = to_canvas[1, 2]

        def placed(layer: NDArray, drop_rows: float) -> NDArray:
            to_canvas[1, 2] = resting_row - drop_rows
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(layer, to_canvas, patch.size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

        jaw = placed(self._jaw[round(mouth.tongue * (_TONGUE_STEPS - 1))], targets.lower_teeth * down)
        teeth = placed(self._upper_teeth, -_HIDDEN_TEETH * mouth.pucker * (rows - 1))
        share = teeth[..., 3] * np.float32(1 / 255)
        return cv2.blendLinear(jaw, teeth, 1 - share, share)


def _jaw_layer(material: Mapping[str, NDArray], tongue_up: float) -> NDArray[np.uint8]:
    """Lower teeth before the tongue before the cavity: what moves with the jaw. `tongue_up`: of the canvas' height."""
    rows, columns = CANVAS_SHAPE
    shift = np.array([[1, 0, 0], [0, 1, tongue_up * (rows - 1)]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    tongue = cv2.warpAffine(material["tongue"], shift, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    result = material["cavity"].astype(np.float32)
    for layer in (tongue, material["lower_teeth"]):
        result += (layer - result) * (layer[..., 3:] / np.float32(255))
    return np.rint(result).astype(np.uint8)


def _paint_opening(
    layers: NDArray, patch: _Patch, outline: Floats, face: FaceGeometry, targets: MouthTargets, planes: Planes
) -> None:
    """Shade `layers` and blend them into the picture within the lips' outline."""
    height, aperture = face.lower_face_height, targets.aperture
    inside = np.empty(patch.size[::-1], np.uint8)
    fill_polygon(inside, outline - (patch.left, patch.top))
    softness = max(0.6, 0.016 * face.mouth_width)
    taps = 2 * round(2 * softness) + 1  # as many as matter: OpenCV's own choice takes three times as long
    soft = cv2.GaussianBlur(inside, (taps, taps), softness)
    # At rest the picture's own mouth shows, be it open or closed.
    open_at_rest = min(1.0, face.resting_gap / (_TEETH_FROM * height))
    strength = min(1.0, aperture / (_FULL_APERTURE * height)) * (1 - open_at_rest * (1 - targets.engaged))
    opacity = soft * np.float32(strength / 255)

    # The lips shade what is behind them, the upper one more. A fixed blur would make half-open teeth grey.
    blur = max(0.8, min(0.045 * height, 0.22 * aperture))
    shade = _wide_blur(inside, blur) * np.float32(0.92 / 255)
    shade += 0.30
    shift = round(0.6 * blur)
    if shift:
        shade[shift:] = shade[:-shift].copy()
    np.clip(shade, 0.35, 1, out=shade)

    half = patch.size[0] // 2, patch.size[1] // 2
    small, small_opacity, small_shade = (
        cv2.resize(image, half, interpolation=cv2.INTER_AREA) for image in (layers, opacity, shade)
    )
    _blend(patch.of(planes.y, 1), layers[..., 0], opacity, shade, 16)
    _blend(patch.of(planes.u, 2), small[..., 1], small_opacity, small_shade, 128)
    _blend(patch.of(planes.v, 2), small[..., 2], small_opacity, small_shade, 128)


def _wide_blur(mask: NDArray, sigma: float) -> NDArray:
    """About a Gaussian of this sigma, by two box filters (Wells, 1986): eight times faster at 4 pixels."""
    width = 2 * round((math.sqrt(6 * sigma * sigma + 1) - 1) / 2) + 1
    return cv2.blur(cv2.blur(mask, (width, width)), (width, width))


def _blend(plane: Picture, layer: NDArray, opacity: NDArray, shade: NDArray, black: int) -> None:
    """Blend one shaded channel into a plane; `black`: the channel's value without light or colour."""
    below = plane.astype(np.float32)
    painted = layer - np.float32(black)
    painted *= shade
    painted += np.float32(black)
    painted -= below
    painted *= opacity
    painted += below
    painted += np.float32(0.5)
    plane[:] = painted


def _paint_slit(colour: NDArray, strength: float, height: float, line: Floats, planes: Planes) -> None:
    """The dark line between pressed lips, where the base picture shows teeth instead."""
    patch = _patch_around(line)
    if patch is None:
        return
    mask = np.empty(patch.size[::-1], np.uint8)
    draw_line(mask, line - (patch.left, patch.top), max(1, round(0.014 * height)))
    opacity = cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.010 * height)) * np.float32(strength / 255)
    half = cv2.resize(opacity, (patch.size[0] // 2, patch.size[1] // 2), interpolation=cv2.INTER_AREA)
    for channel, (plane, share) in enumerate(zip(planes, (opacity, half, half), strict=True)):
        part = patch.of(plane, 1 if channel == 0 else 2)
        part[:] = part + (float(colour[channel]) - part) * share + np.float32(0.5)


def _patch_around(points: Floats) -> _Patch | None:
    """The even rectangle around some points, inside the picture; None where nothing is left."""
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN + 2
    left, top = (max(0, int(value) // 2 * 2) for value in low)
    right, bottom = (min(PICTURE_SIZE, int(value) // 2 * 2) for value in high)
    return _Patch(left, top, right, bottom) if right - left >= 4 and bottom - top >= 4 else None
