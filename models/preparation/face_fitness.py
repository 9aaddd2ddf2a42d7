"""Whether a mouth can be made to speak in these pictures: refuses what cannot, with the reason and what is allowed.

Owns these judgements, each with its limit; what only could be better is for `face_warnings`. Where the face is, its
size and its pose are judged as it is found. Must not import modules that read or write files.

The limits are far from what usable faces show (in brackets), for a wrong refusal is a defect, too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.face_look import FaceLook

HIDDEN_MOUTH = (
    "the mouth is hidden, no lips are seen where they should be; "
    "nothing may cover them, no hand, mask, microphone or hair."
)

_HIDDEN_CONTRAST = 2.5  # CIE Lab (8 in very dark skin)
_HIDDEN_REDNESS = -6.0  # CIE Lab (0 in a grey picture, else above)
_HIDDEN_HALF_CONTRAST = 1.2  # CIE Lab (1.5 in a grey picture, 6 in half the light and in very dark skin)
# a cover with a pattern: neither skin nor, as a beard is, told from the lips by every pixel
_CHIN_NO_SKIN = 20.0  # CIE Lab's a and b (25 in grey beards, 35 in red ones: their lips are distinct)
_INDISTINCT = 0.68  # (0.72 in a red beard in poor light, 0.89 in good)
_HIDDEN_FRAMES = 5  # in a row; fewer are a landmark that slipped
_WIDE_OPEN = 0.28  # of the mouth's width, as the landmarker sees it (0.18 in a broad smile)
_BLURRED = 0.30  # what a face some 25 pixels wide would show (0.58 in one of 64)
_MOST_WHITE = 0.35  # of the face (0)
_DIMMEST = 45.0  # of 255 (93 in very dark skin)


def refuse_unfit(gaps: NDArray[np.float64], looks: Sequence[FaceLook], where: str) -> None:
    """Raises `PreparationError`, which begins with `where`, for a photo or for what a clip shows most of the time.

    `gaps`: (N,), as `lip_gaps` measures them; `looks`: N. A photo is one frame.
    """
    if len(looks) == 1 and _is_hidden(looks[0]):
        raise PreparationError(f"{where}: {HIDDEN_MOUTH}")
    detail, white, brightest = np.median([(look.detail, look.white, look.brightest) for look in looks], axis=0)
    if brightest < _DIMMEST:
        raise PreparationError(f"{where}: the face is underexposed, nearly black; it needs more light.")
    if white > _MOST_WHITE:
        raise PreparationError(
            f"{where}: the face is overexposed, {white:.0%} of it plain white; at most {_MOST_WHITE:.0%} may be."
        )
    if detail < _BLURRED:
        raise PreparationError(f"{where}: the face is blurred; eyes and lips must be in focus.")
    if (gap := float(np.median(gaps))) > _WIDE_OPEN:
        raise PreparationError(
            f"{where}: the mouth is wide open, by {gap:.0%} of its width; up to {_WIDE_OPEN:.0%}, a smile that shows "
            "teeth, is possible."
        )


def hidden_mouths(looks: Sequence[FaceLook]) -> list[int]:
    """The frames of a clip whose mouth is hidden, where it is so for a while."""
    hidden = [_is_hidden(look) for look in looks]
    frames: list[int] = []
    begin = 0
    for index, now in enumerate([*hidden, False]):
        if now:
            continue
        if index - begin >= min(_HIDDEN_FRAMES, len(looks)):
            frames += range(begin, index)
        begin = index + 1
    return frames


def _is_hidden(look: FaceLook) -> bool:
    lit = look.brightest >= _DIMMEST and look.white <= _MOST_WHITE  # without light no lip stands out
    return (
        look.lip_contrast < _HIDDEN_CONTRAST
        or look.lip_redness < _HIDDEN_REDNESS
        or (look.lips.chin_off > _CHIN_NO_SKIN and look.lips.distinct < _INDISTINCT)
        or (lit and look.half_lip_contrast < _HIDDEN_HALF_CONTRAST)
    )
