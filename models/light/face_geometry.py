"""Where a face's mouth, chin and jaw are in one picture, in the face's own frame of reference.

Owns the landmark lists (MediaPipe face-mesh numbering) and everything of a picture that painting needs and that does
not depend on the speech: measured once per base picture, then read only. Must not import OpenCV or any other module
of the engine.

The *face frame* has its origin in the middle of the closed lip line, x along the line between the outer eye corners
(towards the picture's right), y down the face; its unit is the picture's pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

OUTER_UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIP_POINTS = 11  # in each of the four contours, corners included
CHIN = (201, 421, 18, 83, 313, 182, 406, 175, 211, 431)  # between lip and jaw
JAW = (132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361)
CHEEKS = (205, 425, 207, 427, 212, 432)
NOSE = (2, 167, 393, 4)  # holds still
SKIN = CHIN + JAW + CHEEKS

_LEFT_EYE, _RIGHT_EYE = 33, 263  # outer corners, as the picture shows them
_LEFT_EAR, _RIGHT_EAR = 234, 454
_UNDER_NOSE, _CHIN_TIP = 2, 152

# A closing mouth meets nearer to the upper lip: the lower lip does most of the way.
_LIP_LINE_SHARE = 0.45

# Rows of `FaceGeometry.control_points`.
OUTER_UPPER_ROWS = slice(0, LIP_POINTS)
OUTER_LOWER_ROWS = slice(LIP_POINTS, 2 * LIP_POINTS)
INNER_UPPER_ROWS = slice(2 * LIP_POINTS, 3 * LIP_POINTS)
INNER_LOWER_ROWS = slice(3 * LIP_POINTS, 4 * LIP_POINTS)
SKIN_ROWS = slice(4 * LIP_POINTS, 4 * LIP_POINTS + len(SKIN))
NOSE_ROWS = slice(SKIN_ROWS.stop, SKIN_ROWS.stop + len(NOSE))
CONTROL_POINTS = NOSE_ROWS.stop


@dataclass(frozen=True, slots=True, eq=False)
class FaceGeometry:
    """One picture's face; about 3 KB. Lengths in pixels, arrays float32 and read only.

    `axes`: (2, 2), columns are the face frame's x and y in the picture. `origin`: (2,) in the picture.
    `control_points`: (CONTROL_POINTS, 2) at rest, face frame, see the `*_ROWS` above.
    `lip_line`: (11, 2) where the lips meet when they close; `sag`: (11,) how far it hangs below its corners' chord.
    `corner_distance`: (11,) of the lip line's points: 0 in the middle, 1 at a corner.
    `skin_drop`, `skin_closing`, `skin_spread`: (len(SKIN),) how much each skin point follows the jaw's drop, follows
    the lower lip as it closes, and moves sideways (pixels for a mouth twice as wide).
    `smile`: 0..1, how much the picture shows an open, smiling mouth.
    """

    axes: Floats
    origin: Floats
    face_width: float
    mouth_width: float
    lower_face_height: float
    resting_gap: float
    smile: float
    control_points: Floats
    lip_line: Floats
    sag: Floats
    corner_distance: Floats
    skin_drop: Floats
    skin_closing: Floats
    skin_spread: Floats

    def to_picture(self, points: Floats) -> Floats:
        """Points (..., 2) of the face frame in pixels of the picture."""
        return points @ self.axes.T + self.origin


def measure_face(landmarks: Floats, lip_inset: Floats) -> FaceGeometry:
    """Measure one picture's face.

    `landmarks`: (468, 2) pixels of the picture. `lip_inset`: (2, 11), for the upper and the lower lip, which share of
    the way from the inner to the outer contour the visible lip really begins at when the mouth is open.
    """
    points = np.asarray(landmarks, np.float64)
    right = points[_RIGHT_EYE] - points[_LEFT_EYE]
    right /= np.hypot(*right)
    axes = np.stack([right, [-right[1], right[0]]], axis=1)
    line = points[list(INNER_UPPER_LIP)] * (1 - _LIP_LINE_SHARE) + points[list(INNER_LOWER_LIP)] * _LIP_LINE_SHARE
    origin = line[LIP_POINTS // 2]

    face = (points - origin) @ axes
    lip_line = (line - origin) @ axes
    outer_upper, outer_lower = face[list(OUTER_UPPER_LIP)], face[list(OUTER_LOWER_LIP)]
    inner_upper, inner_lower = face[list(INNER_UPPER_LIP)], face[list(INNER_LOWER_LIP)]
    mouth_width = float(np.hypot(*(points[291] - points[61])))
    face_width = float(np.hypot(*(points[_RIGHT_EAR] - points[_LEFT_EAR])))
    height = float(abs(face[_CHIN_TIP, 1] - face[_UNDER_NOSE, 1]))

    gap = inner_lower[:, 1] - inner_upper[:, 1]
    openness = np.clip(gap / (0.05 * height), 0, 1)[:, None]
    openness[[0, -1]] = 0
    inner_upper = inner_upper + (outer_upper - inner_upper) * openness * lip_inset[0][:, None]
    inner_lower = inner_lower + (outer_lower - inner_lower) * openness * lip_inset[1][:, None]

    chord = np.interp(lip_line[:, 0], lip_line[[0, -1], 0], lip_line[[0, -1], 1])
    skin = face[list(SKIN)]
    return FaceGeometry(
        axes=_frozen(axes),
        origin=_frozen(origin),
        face_width=face_width,
        mouth_width=mouth_width,
        lower_face_height=height,
        resting_gap=float(gap.max()),
        smile=float(np.clip((gap.max() / height - 0.04) / 0.12, 0, 1)),
        control_points=_frozen(
            np.concatenate([outer_upper, outer_lower, inner_upper, inner_lower, skin, face[list(NOSE)]])
        ),
        lip_line=_frozen(lip_line),
        sag=_frozen(lip_line[:, 1] - chord),
        corner_distance=_frozen(_corner_distance(lip_line[:, 0])),
        **_skin_motion(skin, face[[_LEFT_EAR, _RIGHT_EAR], 0], mouth_width),
    )


def face_widths(landmarks: Floats) -> Floats:
    """(N, 468, 2) -> (N,): the face's width in every picture, as `measure_face` measures it."""
    return np.asarray(np.linalg.norm(landmarks[:, _RIGHT_EAR] - landmarks[:, _LEFT_EAR], axis=-1), np.float64)


def _corner_distance(x: Floats) -> Floats:
    """0 in the middle of the mouth, 1 at each of its inner corners, in proportion between; x: (11,), rising."""
    to_corner = np.where(np.arange(len(x)) < LIP_POINTS // 2, x[0], x[-1])
    return np.clip(x / to_corner, 0, 1)


def _skin_motion(skin: Floats, sides: Floats, mouth_width: float) -> dict[str, Floats]:
    """How the points of the skin follow the mouth: fully under the lip, less along the jaw, hardly in the cheeks.

    `sides`: x of the face's left and right side. A turned head shows little of one, and its outline must not move.
    """
    chin, jaw, cheeks = np.split(np.arange(len(SKIN)), [len(CHIN), len(CHIN) + len(JAW)])
    x, y = skin[:, 0], skin[:, 1]
    drop, closing, spread = np.zeros((3, len(SKIN)))
    drop[chin], drop[jaw], drop[cheeks] = 0.88, 0.72, 0.25 * (y[cheeks] > 0)
    closing[chin], closing[jaw] = 0.7, 0.35
    spread[chin] = 0.35
    beyond_corner = np.maximum(2 * np.abs(x[cheeks]) / mouth_width - 1, 0)
    spread[cheeks] = 0.45 * np.exp(-((beyond_corner / 0.5) ** 2))
    half_width = np.maximum(np.where(x < 0, -sides[0], sides[1]), mouth_width / 2)
    central = np.clip(1 - np.abs(x / half_width) ** 2.2, 0, 1)
    return {
        "skin_drop": _frozen(drop * central),
        "skin_closing": _frozen(closing * central),
        "skin_spread": _frozen(spread * x),
    }


def _frozen(values: Floats) -> Floats:
    array = np.ascontiguousarray(values, np.float32)
    array.flags.writeable = False
    return array
