"""From six mouth parameters to where the lips, the chin and the jaw should be: the model of how a mouth moves.

Owns every amplitude of the visemes. Knows geometry only: no pictures, no OpenCV.
Amplitudes are in units of the lower face's height (nose to chin) or of the mouth's width; their values were tuned by
eye on photographs and on the drawn portrait. The jaw's .25 is about a relaxed speaker's; .30 looks like shouting.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import (
    INNER_LOWER_ROWS,
    INNER_UPPER_ROWS,
    LIP_POINTS,
    OUTER_LOWER_ROWS,
    OUTER_UPPER_ROWS,
    SKIN_ROWS,
    FaceGeometry,
)
from models.light.mouth_parameters import MouthParameters

JAW_DROP = 0.25  # of the lower face's height, for `open` = 1
# Below this a resting gap between the lips starts to close in proportion, so that no speech means no change at all.
ENGAGED_FROM = 0.12


class MouthTargets(NamedTuple):
    """Where a mouth's control points go.

    `points`: (CONTROL_POINTS, 2) float64, face frame, pixels. `lower_teeth`: how far down the lower teeth and the
    tongue are, pixels. `spread`: factor of the mouth's width. `aperture`: the lips' largest distance, pixels.
    `engaged`: 0..1, how far the mouth has left its rest.
    """

    points: NDArray[np.float64]
    lower_teeth: float
    spread: float
    aperture: float
    engaged: float


def control_targets(face: FaceGeometry, mouth: MouthParameters) -> MouthTargets:
    """Where every control point of `face` goes for `mouth`."""
    _, wide, pucker, close, fv, _ = mouth
    height = face.lower_face_height
    engaged = min(1.0, max(mouth) / ENGAGED_FROM)
    opening = mouth.open * (1 - 0.85 * close)
    # Rounded lips are small: without this the lower lip of "oo" hangs long and pointed.
    jaw_drop = JAW_DROP * height * opening * (1 - 0.40 * pucker)
    spread = (1 + 0.07 * wide * (1 - 0.5 * pucker) - 0.30 * pucker - 0.05 * opening) * (1 - 0.10 * face.smile * engaged)
    upper_lift = height * (0.03 * opening + 0.045 * fv + 0.012 * wide)
    lower_drop = jaw_drop - 0.05 * height * fv
    corner_drop = height * (0.085 * opening * (1 - 0.5 * wide) - 0.018 * wide)

    lip_line = _relaxed_lip_line(face, opening, wide, engaged)
    # 1 in the middle of the mouth, 0 at the corners; a rounded mouth is fuller towards its corners.
    upper_bow = 1 - face.corner_distance ** (2.0 + 0.6 * pucker)
    lower_bow = upper_bow**0.85
    corners = corner_drop * (1 - upper_bow)
    widening = spread - 1

    rest = face.control_points
    targets = rest.astype(np.float64)
    # What closes the resting gap: both inner contours meet in the lip line.
    upper_closing = (lip_line - rest[INNER_UPPER_ROWS]) * engaged
    lower_closing = (lip_line - rest[INNER_LOWER_ROWS]) * engaged

    inner_upper = rest[INNER_UPPER_ROWS] + upper_closing
    inner_lower = rest[INNER_LOWER_ROWS] + lower_closing
    targets[INNER_UPPER_ROWS] = inner_upper
    targets[INNER_UPPER_ROWS, 0] += inner_upper[:, 0] * widening
    targets[INNER_UPPER_ROWS, 1] += corners - upper_lift * upper_bow
    targets[INNER_LOWER_ROWS] = inner_lower
    targets[INNER_LOWER_ROWS, 0] += inner_lower[:, 0] * widening
    targets[INNER_LOWER_ROWS, 1] += corners + lower_drop * lower_bow

    # The outer contours follow; the lips get thinner when spread or pressed, fuller when rounded.
    thickness = 1 - 0.20 * close - 0.10 * wide + 0.10 * pucker
    upper_move = corners - (0.9 * upper_lift + 0.015 * height * pucker) * upper_bow
    lower_move = corners + (0.97 * lower_drop + 0.012 * height * pucker) * lower_bow
    for rows, closing, inner, thicker, move in (
        (OUTER_UPPER_ROWS, upper_closing, inner_upper, thickness, upper_move),
        (OUTER_LOWER_ROWS, lower_closing, inner_lower, thickness * (1 - 0.12 * fv), lower_move),
    ):
        outer = rest[rows] + closing
        targets[rows] = outer
        targets[rows][1:-1] += (outer - inner)[1:-1] * (thicker - 1)
        targets[rows, 0] += outer[:, 0] * widening
        targets[rows, 1] += move

    targets[SKIN_ROWS, 0] += face.skin_spread * widening
    targets[SKIN_ROWS, 1] += face.skin_drop * jaw_drop + face.skin_closing * lower_closing[5, 1]
    aperture = float((targets[INNER_LOWER_ROWS, 1] - targets[INNER_UPPER_ROWS, 1]).max())
    return MouthTargets(targets, float(lip_line[LIP_POINTS // 2, 1]) + jaw_drop, spread, aperture, engaged)


def _relaxed_lip_line(face: FaceGeometry, opening: float, wide: float, engaged: float) -> NDArray[np.floating]:
    """The lip line, flattened where the picture smiles openly: else an open smiling mouth becomes a V."""
    if face.smile == 0:
        return face.lip_line
    flatten = engaged * face.smile * (0.25 * (1 - wide) + 0.35 * min(1.0, 1.2 * opening))
    line = face.lip_line.copy()
    line[:, 1] += flatten * (0.5 * face.sag.max() - face.sag)
    return line
