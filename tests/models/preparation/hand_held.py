"""A clip as from a camera in a hand: the built-in portrait with shake, a slow sway, zoom, roll and moving light.

`python -m tests.models.preparation.hand_held clip.mp4 [seconds]` writes one of 1280x720.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

RATE = 25


def camera(count: int, size: float) -> np.ndarray:
    """(N, 4): what is added to x and y in pixels, the zoom, and the roll in radians. `size`: side of the portrait."""
    time_s = np.arange(count) / RATE
    rng = np.random.default_rng(11)

    def shake(low_hz: float, high_hz: float) -> np.ndarray:
        waves = [np.sin(2 * np.pi * (rng.uniform(low_hz, high_hz) * time_s + rng.uniform())) for _ in range(5)]
        return np.sum(waves, axis=0) / np.sqrt(2.5)

    sway = np.stack([np.sin(2 * np.pi * 0.23 * time_s), 0.4 * np.cos(2 * np.pi * 0.31 * time_s)], axis=1)
    shift = 0.006 * size * np.stack([shake(2, 7), shake(2, 7)], axis=1) + 0.02 * size * sway
    zoom = 1 + 0.03 * np.sin(2 * np.pi * 0.17 * time_s) + 0.006 * shake(1, 4)
    return np.column_stack([shift, zoom, np.radians(0.6) * shake(1.5, 5)])


def hand_held(
    portrait: np.ndarray, count: int, *, width: int = 480, height: int = 400, light: float = 0.0
) -> Iterator[np.ndarray]:
    """`count` BGR pictures (height, width, 3). `light`: how much its brightness comes and goes, a share."""
    size = round(0.9 * height)
    wall = cv2.resize(cv2.resize(portrait[:64], (6, 4)), (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    top, left = height - size // 2, width - size // 2
    wall[top : top + size, left : left + size] = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
    for index, (x, y, zoom, roll) in enumerate(camera(count, size)):
        turn = cv2.getRotationMatrix2D((width, height), -np.degrees(roll), zoom)
        turn[:, 2] += (x - width / 2, y - height / 2)
        shown = cv2.warpAffine(wall, turn, (width, height), flags=cv2.INTER_CUBIC)
        yield np.clip(shown * (1 + light * np.sin(2 * np.pi * 0.6 * index / RATE)), 0, 255).astype(np.uint8)


def _main(path: Path, seconds: int) -> None:
    import av

    portrait = cv2.imread(str(Path(__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for picture in hand_held(portrait, seconds * RATE, width=1280, height=720, light=0.08):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
