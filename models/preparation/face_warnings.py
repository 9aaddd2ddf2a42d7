"""What could be better about a recording, in sentences for its maker: nothing that keeps it from being used.

Owns these judgements; what cannot be used at all is refused elsewhere. Must not import modules that read or write
files.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.preparation.face_look import FaceLook
from models.preparation.face_mesh import face_width, head_pose

_RATE = 25
_SMALL_PX = 140.0  # shown 200 pixels wide: narrower than this is seen to be enlarged
_TURNED_DEG = 25.0
_LIPS_SHOW = 4.0  # distance in CIE Lab of lips and skin, of which a hand or a mask shows nothing
_LIPS_SHARE = 0.4  # of what the clip's other frames show
_CHIN_NO_SKIN, _DISTINCT = 20.0, 0.85  # CIE Lab; the share of pixels: a cloth with a pattern, or lips like the beard
_UPPER_LIP_SHOWS, _LIPS_DIFFER = 2.5, 35.0  # CIE Lab; in others than the moustached 3 and 31
_LIGHT_COMES_AND_GOES = 0.12  # of its median, from the 5th to the 95th percentile
_LIGHT_WANDERS = 0.20  # of the ratio of one cheek to the other: a head that turns a little changes it, too
_LIPS_APART = 0.10  # of the mouth's width
_UPPER_LIP, _LOWER_LIP, _LEFT_CORNER, _RIGHT_CORNER = 13, 14, 61, 291


def face_warnings(points: NDArray[np.float32], looks: Sequence[FaceLook]) -> list[str]:
    """`points`: (N, 468, 3), pixels of the source; `looks`: N. A photo is one frame."""
    warnings = []
    width = float(np.median([face_width(face) for face in points]))
    if width < _SMALL_PX:
        warnings.append(f"The face is small: {width:.0f} pixels wide, and shown about 200; it will look soft.")
    poses = [head_pose(face) for face in points]
    for way, angles in (("to the side", [p.yaw for p in poses]), ("up or down", [p.pitch for p in poses])):
        turned = np.abs(angles)
        if (turned > _TURNED_DEG).any():
            at = _when(turned > _TURNED_DEG)
            warnings.append(
                f"The head is turned {way} by up to {turned.max():.0f} degrees{at}; mouths fit best from the front."
            )
    contrast = np.array([look.lip_contrast for look in looks])
    hidden = contrast < max(_LIPS_SHOW, _LIPS_SHARE * float(np.median(contrast)))
    hidden |= [look.lips.chin_off > _CHIN_NO_SKIN and look.lips.distinct < _DISTINCT for look in looks]
    if hidden.any():
        warnings.append(f"The mouth may be hidden{_when(hidden)}: no lips stand out from what surrounds them.")
    shows, differ = np.median([(look.lips.upper_lip_contrast, look.lips.lips_differ) for look in looks], axis=0)
    if shows < _UPPER_LIP_SHOWS or differ > _LIPS_DIFFER:
        warnings.append("The upper lip is not to be seen; a moustache may be over it, but nothing else.")
    apart = lip_gaps(points) > _LIPS_APART
    if apart.mean() > 0.5:
        warnings.append("The lips are apart most of the time; a closed mouth is painted more faithfully.")
    return warnings + _light_warnings(looks)


def lip_gaps(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,): how far the lips are apart, in widths of the mouth."""
    gap = np.linalg.norm(points[:, _LOWER_LIP, :2] - points[:, _UPPER_LIP, :2], axis=-1)
    width = np.linalg.norm(points[:, _RIGHT_CORNER, :2] - points[:, _LEFT_CORNER, :2], axis=-1)
    return np.asarray(gap / np.maximum(width, 1e-3), np.float64)


def _light_warnings(looks: Sequence[FaceLook]) -> list[str]:
    warnings = []
    cheeks = np.array([(look.left, look.right) for look in looks]) + 1.0
    whole, sides = cheeks.mean(axis=1), cheeks[:, 0] / cheeks[:, 1]
    if (spread := _spread(whole)) > _LIGHT_COMES_AND_GOES:
        warnings.append(
            f"The light comes and goes: the face's brightness changes by {spread:.0%}; painted mouths may stand out."
        )
    if (spread := _spread(sides)) > _LIGHT_WANDERS:
        warnings.append(f"The light moves from side to side: one cheek against the other changes by {spread:.0%}.")
    return warnings


def _spread(values: NDArray[np.float64]) -> float:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return float((high - low) / middle)


def _when(flags: NDArray[np.bool_]) -> str:
    """ " at 1.2 to 2.0 s" of the first such frames; nothing for a photo."""
    if len(flags) == 1:
        return ""
    first = int(flags.argmax())
    after = flags[first:]
    last = first + (len(after) - 1 if after.all() else int((~after).argmax()) - 1)
    more = " and later" if flags[last + 1 :].any() else ""
    return f" at {first / _RATE:.1f} to {(last + 1) / _RATE:.1f} s{more}"
