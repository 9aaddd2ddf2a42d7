"""How far live speech is from the offline reference, on the tiny checkpoint: the figures of `docs/streaming.md`.

    OMP_NUM_THREADS=1 python -m tests.models.musetalk.streaming_difference

Live, the encoder does not know the future; its attention and the loudest sound, which sets the floor of the features,
are of the past alone. So tokens differ wherever they depend on more than the look-ahead. The tiny checkpoint's weights
are no trained ones: the figures show where the difference lies, not what it is with the published weights.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.musetalk.audio_features import LogMel
from models.musetalk.listening import tokens_of
from models.musetalk.nets import MuseTalkNets, load_nets
from models.musetalk.voice import MuseTalkVoice
from models.musetalk.whisper_encoder import HIDDEN_STATES
from tests.models.musetalk.speech_windows import frames_of
from tests.models.musetalk.tiny_checkpoint import GOLDEN, write_checkpoint

STEPS_BETWEEN = 6  # every sixth frame, and all of the last ones
LAST_FRAMES = 4
PIECE_STARTS = (0, 10_000, 20_000, 30_000, 40_000)  # samples
PIECE_SECONDS = 3


@dataclass(frozen=True)
class Heard:
    """Some frames of an utterance in one mode. `tokens`: (F, 50, 384); `faces`: (F, 256, 256, 3) uint8."""

    tokens: np.ndarray
    faces: np.ndarray

    @property
    def by_layer(self) -> np.ndarray:
        """(F, 10, 5, 384)"""
        return self.tokens.reshape(len(self.tokens), -1, HIDDEN_STATES, self.tokens.shape[-1])


def hear(nets: MuseTalkNets, pcm: np.ndarray, wanted: list[int], latents: np.ndarray, *, whole: bool) -> Heard:
    """The tokens and faces of the frames `wanted`, each generated alone as the service does for one speaker."""
    voice, tokens, faces = MuseTalkVoice(LogMel()), [], []
    with torch.inference_mode():
        for frame in frames_of(voice, pcm, whole=whole):
            heard = voice.hear(frame)
            if frame.index in wanted:
                found = tokens_of(nets, [heard])
                tokens.append(found[0].numpy())
                drawn = nets.decode(nets.predict_latents(nets.add_positions(found), torch.from_numpy(latents)))
                faces.append(drawn[0].numpy())
    return Heard(np.stack(tokens), np.stack(faces))


def frames_wanted(count: int) -> list[int]:
    """Which frames of an utterance of `count` are looked at."""
    return sorted({*range(0, count, STEPS_BETWEEN), *range(count - LAST_FRAMES, count)})


def layer_differences(live: Heard, offline: Heard) -> np.ndarray:
    """Largest difference of each frame and layer as a share of the layer's largest value, (F, 5)."""
    largest = np.abs(offline.by_layer).max(axis=(0, 1, 3))
    return np.abs(live.by_layer - offline.by_layer).max(axis=(1, 3)) / largest


def level_differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each picture in levels of 255, (F,)."""
    return np.abs(one.astype(int) - other).mean(axis=(1, 2, 3))


def main() -> None:
    """Print the figures, second by second, over several pieces of the golden sound."""
    with np.load(GOLDEN / "musetalk_tiny.npz") as golden, tempfile.TemporaryDirectory() as folder:
        pcm, latents = golden["pcm16k"], golden["latents"]
        write_checkpoint(Path(folder))
        nets = load_nets(Path(folder), "cpu", torch.float32)
    frames = PIECE_SECONDS * 25
    wanted = frames_wanted(frames)
    layers, levels, steps = [], [], []
    for start in PIECE_STARTS:
        piece = pcm[start : start + frames * 640]
        live, offline = (hear(nets, piece, wanted, latents, whole=whole) for whole in (False, True))
        layers.append(layer_differences(live, offline))
        levels.append(level_differences(live.faces, offline.faces))
        steps.append(level_differences(offline.faces[1:], offline.faces[:-1]))
    by_layer, by_face = np.stack(layers), np.stack(levels)  # (pieces, F, 5), (pieces, F)
    groups = {f"second {n + 1}": [i for i, f in enumerate(wanted) if f // 25 == n and f < frames - 3] for n in range(3)}
    groups["the last 3 frames"] = [i for i, f in enumerate(wanted) if f >= frames - 3]
    sys.stdout.write("frames: stem median, largest; deepest layer median, largest; face in levels median, largest\n")
    for name, places in groups.items():
        parts = (100 * by_layer[:, places, 0], 100 * by_layer[:, places, -1], by_face[:, places])
        figures = "; ".join(f"{np.median(part):.2f}, {part.max():.2f}" for part in parts)
        sys.stdout.write(f"{name}: {figures}\n")
    sys.stdout.write(f"offline, from one looked-at frame to the next: median {np.median(steps):.1f} levels\n")


if __name__ == "__main__":
    main()
