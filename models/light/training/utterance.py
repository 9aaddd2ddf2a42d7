"""One utterance of the corpus: speech at 16 kHz and its timed phone classes."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.light.mel import SAMPLE_RATE_HZ
from models.light.training.phones import Segment

SPEECH_RMS = 0.06  # -24 dBFS


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


def with_level(samples: NDArray[np.float32], rms: float = SPEECH_RMS) -> NDArray[np.float32]:
    """The same wave at the given root mean square level."""
    return (samples * (rms / (np.sqrt(np.mean(samples**2)) + 1e-9))).astype(np.float32)


def load_utterance(path: Path) -> Utterance:
    """A stored WAV (16 kHz mono, 16 bit) with its phones from the `.json` of the same name."""
    with wave.open(str(path), "rb") as stored:
        if (stored.getframerate(), stored.getnchannels(), stored.getsampwidth()) != (SAMPLE_RATE_HZ, 1, 2):
            raise ValueError(f"{path}: wanted 16 kHz mono of 16 bits")
        samples = np.frombuffer(stored.readframes(stored.getnframes()), "<i2").astype(np.float32) / 32768
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Utterance(facts["voice"], samples, [Segment(*phone) for phone in facts["phones"]], facts["text"])


def save_utterance(utterance: Utterance, path: Path) -> None:
    """The counterpart of `load_utterance`; phone times to the millisecond."""
    with wave.open(str(path), "wb") as stored:
        stored.setnchannels(1)
        stored.setsampwidth(2)
        stored.setframerate(SAMPLE_RATE_HZ)
        stored.writeframes(np.round(np.clip(utterance.samples, -1, 1) * 32767).astype("<i2").tobytes())
    phones = [[round(s.start_s, 3), round(s.end_s, 3), s.phone_class] for s in utterance.segments]
    facts = {"voice": utterance.voice, "text": utterance.text, "phones": phones}
    path.with_suffix(".json").write_text(json.dumps(facts, ensure_ascii=False) + "\n", encoding="utf-8")
