"""Paints a mouth shape onto a base picture.

Owns the order of the steps: copy, targets, warp, inside of the mouth. Re-entrant: a renderer holds only what never
changes, and scratch memory that each thread has its own of. Knows no avatars, videos or audio.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.interface import PICTURE_SHAPE, Picture
from models.light.face_geometry import LIP_POINTS, FaceGeometry
from models.light.interior import Interior
from models.light.mouth_grid import MouthGrid
from models.light.mouth_material import CANVAS_SHAPE, MATERIAL_KEYS
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import control_targets
from models.light.scratch import Scratch
from models.light.warp import warp_picture

_LAYER = (np.dtype(np.uint8), (*CANVAS_SHAPE, 4))
_ARRAYS = dict.fromkeys(MATERIAL_KEYS, _LAYER) | {
    "slit": (np.dtype(np.uint8), (3,)),
    "lip_inset": (np.dtype(np.float32), (2, LIP_POINTS)),
}

# A mouth weaker than this is at rest: the widest opening would be a hundredth of a pixel.
_AT_REST = 1 / 2048


class MouthRenderer:
    """Paints mouths on the pictures of one avatar. Any number of threads may call `paint` at once."""

    def __init__(self, material: Mapping[str, NDArray[np.generic]], face_width: float, scratch: Scratch) -> None:
        """`material`: what `build_material` returned; `face_width`: pixels, typical of the avatar's pictures.

        Raises `ModelError` where the material lacks an array, or has another under its name.
        """
        missing = [key for key in MATERIAL_KEYS if key not in material]
        if missing:
            raise ModelError(f"mouth material lacks {', '.join(missing)}")
        odd = [
            key for key, (kind, shape) in _ARRAYS.items() if (material[key].dtype, material[key].shape) != (kind, shape)
        ]
        if odd or np.abs(material["lip_inset"]).max() > 1:
            raise ModelError(f"mouth material has another {', '.join(odd) or 'lip_inset'} than it should")
        self._interior = Interior({key: np.asarray(material[key]) for key in MATERIAL_KEYS})
        self._grid = MouthGrid(face_width)
        self._scratch = scratch

    def paint(self, mouth: MouthParameters, picture: Picture, face: FaceGeometry) -> Picture:
        """A new (768, 512) picture: `picture` with the mouth on it; an exact copy where the mouth is at rest."""
        base = np.ascontiguousarray(picture)
        if base.shape != PICTURE_SHAPE:
            raise ModelError(f"a picture must be {PICTURE_SHAPE}, not {base.shape}")
        output = base.copy()
        if max(mouth) < _AT_REST:
            return output
        targets = control_targets(face, mouth)
        motion = self._grid.motion(face, targets.points, self._scratch)
        if motion is not None:
            warp_picture(motion, base, output, self._scratch)
        self._interior.paint(face, targets, mouth, output)
        return output
