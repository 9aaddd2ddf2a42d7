"""Moves the lids' landmarks outwards where the picture shows that the eye goes on beyond them.

Landmarkers trained on photographs make the large eyes of drawn faces too small; a blink by warp would leave a strip of
the eye open. Must not import modules of the project besides `eye_frame`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preparation.eye_frame import EYES, EyeFrame

_NO_SKIN = 25.0  # difference of colour, CIE Lab, between an eye and the skin below it
_FITS_WITHIN, _STEP, _LIMIT = 0.035, 0.01, 0.20  # below the lower lid, in eye widths
_SKIN_AT = (0.22, 0.26, 0.30)
_LASHES = 0.02  # beyond the last of the eye
_WIDENING = 1.2  # of the eye's half width, per eye width that the lower lid is too high


def fit_lids(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The points with the lids' rows where the eyes of this BGR picture (H, W, 3) end; unchanged where they fit.

    `points`: (468, 2 or more), pixels of this picture.
    """
    fitted = points.copy()
    for upper, lower, _, _ in EYES:
        frame = EyeFrame(points[list(upper), :2].astype(np.float64))
        beyond = _eye_beyond(picture, frame, points[list(lower), :2].astype(np.float64))
        if beyond <= _FITS_WITHIN:
            continue
        beyond += _LASHES
        for row, down in ((upper, 0.0), (lower, beyond * 2 * frame.half_width)):
            u, v = frame.to_frame(points[list(row), :2].astype(np.float64))
            v = v + down * np.sqrt(np.clip(1 - u * u, 0, 1))
            fitted[list(row), :2] = frame.to_picture(u * (1 + _WIDENING * beyond), v)
    return fitted


def _eye_beyond(picture: NDArray[np.uint8], frame: EyeFrame, lower: NDArray) -> float:
    """How far below the lower lid's points the picture still shows no skin, in eye widths."""
    u = np.linspace(-0.8, 0.8, 33)
    v = frame.curve(lower, u, 4)

    def colours(down: float) -> NDArray[np.float32]:
        at = frame.to_picture(u, v + down * 2 * frame.half_width)[None]
        row = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.cvtColor(row.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0], np.float32)

    skin = np.median(np.concatenate([colours(down) for down in _SKIN_AT]), axis=0)
    for down in np.arange(0.03, _LIMIT, _STEP):
        if np.mean(np.linalg.norm(colours(float(down)) - skin, axis=1) > _NO_SKIN) < 0.5:
            return float(down)
    return 0.0  # no skin found: glasses, say; trust the points
