"""Moving pictures for the tests of video: a shaded head before a fine texture, a swaying pose and an opening mouth."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def head(count: int, speaking: bool = True, seed: int = 0) -> np.ndarray:
    """-> (count, 768, 512) uint8 I420. Without `speaking`, the same pictures with the mouth closed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:512, 0:512].astype(np.float32)
    texture = rng.normal(0, 10, (512 + 64, 512 + 64)).astype(np.float32)
    texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 2, 0)) / 2
    pictures = np.empty((count, 768, 512), np.uint8)
    openings = np.abs(np.sin(np.arange(count) * 0.9)) * 30 if speaking else np.zeros(count)
    for n in range(count):
        dx, dy = 4 * np.sin(n / 20), 2 * np.cos(n / 31)
        left, top = int(16 + dx), int(16 + dy)
        face = np.exp(-((((x - 256 - dx) / 130) ** 2 + ((y - 256 - dy) / 170) ** 2) ** 4))
        luma = 70 + 90 * face + 0.08 * y + texture[top : top + 512, left : left + 512] * (1 - face)
        mouth = ((x - 256 - dx) / 45) ** 2 + ((y - 350 - dy) / (4 + openings[n])) ** 2 < 1
        luma[mouth] = 40
        pictures[n, :512] = np.clip(luma, 16, 235)
        pictures[n, 512:640] = (128 - 14 * face[::2, ::2]).astype(np.uint8).reshape(128, 512)
        pictures[n, 640:] = (128 + 22 * face[::2, ::2]).astype(np.uint8).reshape(128, 512)
    pictures.setflags(write=False)
    return pictures
