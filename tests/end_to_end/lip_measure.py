"""How well a mouth that is seen follows the phonemes that are heard: measured on pictures by a face landmarker.

The landmarker is the one of avatar preparation; here it looks at decoded video, which the service never does.
"""

import json
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.light.training.phones import Segment, mouth_curves, pool_over_picture
from models.preparation.face_mesh import FaceMesh

SPEECH = Path(__file__).parents[1] / "golden" / "speech"
OPEN_VOWELS = {"AA", "AE", "AH", "EH", "OO"}
UPPER_LIP, LOWER_LIP, FOREHEAD, NOSE_ROOT = 13, 14, 10, 168


@dataclass(frozen=True)
class Clip:
    """A stored utterance with its phonemes' times."""

    pcm: bytes
    segments: list[Segment]

    @classmethod
    def load(cls, name: str) -> "Clip":
        """By the file's name in tests/golden/speech."""
        with wave.open(str(SPEECH / f"{name}.wav")) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (16000, 1)
            pcm = sound.readframes(sound.getnframes())
        phones = json.loads((SPEECH / f"{name}.json").read_text())["phones"]
        return cls(pcm, [Segment(*phone) for phone in phones])

    @property
    def frames(self) -> int:
        """Video frames it lasts."""
        return -(-len(self.pcm) // 1280)

    def curves(self) -> np.ndarray:
        """True parameters at the middle of each 10 ms, (4 * frames, 6)."""
        return mouth_curves(self.segments, (np.arange(4 * self.frames) + 0.5) * 0.01)

    def parameters(self) -> np.ndarray:
        """True parameters of each frame, (frames, 6)."""
        return np.stack([pool_over_picture(self.curves()[4 * n : 4 * n + 4]) for n in range(self.frames)])

    def opening(self, times_s: np.ndarray) -> np.ndarray:
        """How far the phonemes open the lips at these times."""
        curves = self.curves()
        grid = (np.arange(len(curves)) + 0.5) * 0.01
        return np.interp(times_s, grid, curves[:, 0] * (1 - 0.85 * curves[:, 3]))


def apertures(pictures: list[np.ndarray]) -> np.ndarray:
    """Lip opening of each BGR picture of a film over the face's size, (pictures,). Two threads."""
    half = len(pictures) // 2
    with ThreadPoolExecutor(2) as threads:
        return np.concatenate(list(threads.map(_apertures, (pictures[:half], pictures[half:]))))


def _apertures(pictures: list[np.ndarray]) -> np.ndarray:
    mesh = FaceMesh()
    found = []
    points = None
    for number, picture in enumerate(pictures):
        where = f"frame {number}"
        points = mesh.find_one(picture, where) if points is None else mesh.follow(picture, points, where)
        size = np.linalg.norm(points[FOREHEAD, :2] - points[NOSE_ROOT, :2])
        found.append(np.linalg.norm(points[UPPER_LIP, :2] - points[LOWER_LIP, :2]) / size)
    return np.array(found)


def correlation(aperture: np.ndarray, clip: Clip, lag_ms: float = 0.0) -> float:
    """Of the lips with the phonemes; frame k is seen at 40k + 20 ms, `lag_ms` later than it should."""
    times_s = np.arange(0.02, clip.frames * 0.04 - 0.02, 0.005)
    seen = np.interp(times_s + lag_ms / 1000, np.arange(len(aperture)) * 0.04 + 0.02, aperture)
    return float(np.corrcoef(seen, clip.opening(times_s))[0, 1])


def best_lag_ms(aperture: np.ndarray, clip: Clip) -> float:
    """The lag at which lips and phonemes agree best; positive: the lips are late."""
    lags = np.arange(-300, 301, 5.0)
    return float(lags[np.argmax([correlation(aperture, clip, lag) for lag in lags])])


def closed_pairs(aperture: np.ndarray, clip: Clip) -> float:
    """Share of pairs in which a p, b or m is nearer closed than an open vowel."""

    def at_middle(classes: set[str]) -> np.ndarray:
        return np.array(
            [
                aperture[min(int((s.start_s + s.end_s) / 2 / 0.04), len(aperture) - 1)]
                for s in clip.segments
                if s.phone_class in classes
            ]
        )

    closed, opened = at_middle({"PBM"}), at_middle(OPEN_VOWELS)
    return float(np.mean(closed[:, None] < opened[None, :]))
