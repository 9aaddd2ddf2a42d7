"""One utterance of the corpus: speech at 16 kHz and its timed phone classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.light.mel import SAMPLE_RATE_HZ
from models.light.training.phones import Segment


@dataclass(frozen=True)
class Utterance:
    """Speech with phone times in seconds from its first sample. `voice` is `family/name`."""

    voice: str
    samples: NDArray[np.float32]  # (n,) 16 kHz
    segments: list[Segment]
    text: str

    @property
    def family(self) -> str:
        """The synthesiser, or `recorded`."""
        return self.voice.split("/", 1)[0]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ
