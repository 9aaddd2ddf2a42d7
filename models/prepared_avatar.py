"""What preparation leaves behind, and its form on disk: plain arrays and a manifest, no pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BaseVideo:
    """A loop (`idle_n`, `speaking_n`) or a clip that plays once (`action_n`). Its length is a multiple of 25 frames.

    `pictures`: (N, 768, 512) uint8 I420, memory-mapped. `landmarks`: (N, 468, 2) float32, pixels of the 512x512
    picture, MediaPipe face-mesh order, pixel centres at whole numbers.
    """

    name: str
    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PreparedAvatar:
    """One avatar as the service uses it. `same_pose`: the loops show the same pose at each index (made from one photo).

    `material`: the light engine's mouth material (arrays by name), made once at preparation.
    """

    name: str
    videos: Mapping[str, BaseVideo]
    same_pose: bool
    material: Mapping[str, NDArray[np.generic]]


def load_avatar(folder: Path) -> PreparedAvatar:
    """Read an avatar; pictures are memory-mapped. Raises `AvatarError` naming the file that is wrong."""
    raise NotImplementedError
