"""Photos and clips damaged at random, each for a real preparation child: `python -m tests.soak.damaged_recordings`.

Each ends in time, as a whole avatar or with a sentence about the file, and leaves nothing over.
"""

import argparse
import random
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from models.prepared_avatar import load_avatar
from ws_service.avatars.child_messages import PreparationRequest
from ws_service.avatars.child_process import PreparationChild

PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"
_LONGEST_S = 120.0
_MEMORY_BYTES = 1 << 30


def recordings(folder: Path) -> list[tuple[Path, str]]:
    """Good ones of several kinds, small."""
    portrait = cv2.resize(cv2.imread(str(PORTRAIT)), (384, 384), interpolation=cv2.INTER_AREA)
    found: list[tuple[Path, str]] = []
    for suffix in ("png", "jpg", "webp"):
        cv2.imwrite(str(folder / f"photo.{suffix}"), portrait)
        found.append((folder / f"photo.{suffix}", "image_file"))
    for suffix, codec in (("mp4", "libx264"), ("webm", "libvpx"), ("avi", "mjpeg"), ("ts", "libx264")):
        _write_clip(folder / f"clip.{suffix}", codec, portrait)
        found.append((folder / f"clip.{suffix}", "video_file"))
    return found


def _write_clip(path: Path, codec: str, portrait: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 384, 384
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(30):
            moved = np.roll(portrait, round(3 * np.sin(index / 5)), axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), "bgr24")))
        container.mux(stream.encode())


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The same with one to three injuries."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice((_flipped, _cut_off, _blanked, _moved, _stuffed))(bytearray(data), rng)
    return data


def _flipped(data: bytearray, rng: random.Random) -> bytes:
    reach = rng.choice((64, len(data)))  # headers, or anywhere
    for _ in range(rng.choice((1, 10, 200))):
        data[rng.randrange(min(reach, len(data)))] = rng.randrange(256)
    return bytes(data)


def _cut_off(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(1, len(data) + 1)])


def _blanked(data: bytearray, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((16, 1000, 20_000))
    data[at : at + length] = bytes(len(data[at : at + length]))
    return bytes(data)


def _moved(data: bytearray, rng: random.Random) -> bytes:
    at, to = rng.randrange(len(data)), rng.randrange(len(data))
    return bytes(data[:at] + data[to:] + data[at:to])


def _stuffed(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return bytes(data[:at]) + rng.randbytes(rng.choice((1, 100, 10_000))) + bytes(data[at:])


def prepare_damaged(source: Path, field: str, seed: int) -> str:
    """Damage a recording, prepare it. Returns what came of it, "whole" or the sentence."""
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place, "avatars"), Path(place, field)
        folder.mkdir()
        file.write_bytes(damaged(source.read_bytes(), random.Random(seed)))
        child = PreparationChild(
            PreparationRequest("anna", folder, {field: file}, replace=False, memory_bytes=_MEMORY_BYTES), lambda _: None
        )
        late = threading.Timer(_LONGEST_S, child.stop)
        late.start()
        ending = child.run()
        late.cancel()
        left = [entry.name for entry in folder.iterdir()]
        if ending.error is None:
            load_avatar(folder / "anna")
            assert left == ["anna"], left
            return "whole"
        assert ending.error.startswith(file.name), f"{source.name}, seed {seed}: {ending.error} {ending.trace}"
        assert not ending.trace, f"{source.name}, seed {seed}: {ending.trace}"
        assert not left, left
        return ending.error


def prepare_many(count: int, seed: int, tell: Callable[[str], object]) -> None:
    """One recording after the other, of all kinds in turn."""
    with tempfile.TemporaryDirectory() as place:
        good = recordings(Path(place))
        for index in range(count):
            source, field = good[index % len(good)]
            tell(f"{index + 1}: {source.name}: {prepare_damaged(source, field, seed + index)}")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    prepare_many(asked.count, asked.seed, lambda line: print(line, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
