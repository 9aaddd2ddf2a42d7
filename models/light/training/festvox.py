"""Voices built from recorded people: flite's, and festival's through its command line.

Owns how they are run and how their phone lists are read. flite prints `phone:end` pairs (`-psdur`); festival saves the
utterance's segments.
"""

import random
import subprocess
import tempfile
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from models.light.mel import SAMPLE_RATE_HZ
from models.light.training.labels import festival_segments, flite_segments
from models.light.training.sentences import Sentences
from models.light.training.utterance import Utterance

FLITE_VOICES = {"kal16": 110, "slt": 170, "awb": 120, "rms": 100}  # mean pitch in Hz
# festival voice -> (family, language); the hts family is kept out of the training
FESTIVAL_VOICES = {
    "ked_diphone": ("diphone", "en"),
    "cmu_us_slt_arctic_hts": ("hts", "en"),
    "upc_ca_ona_hts": ("hts", "ca"),
}
_ENCODING = {"en": "ascii", "ca": "iso-8859-15"}
_BATCH = 40  # sentences a process


def flite_utterances(voice: str, minutes: float, seed: int) -> Iterator[Utterance]:
    """Random sentences with random tempo and pitch until `minutes` are full."""
    pick, sentences = random.Random(seed), Sentences(seed)
    spoken_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        while spoken_s < 60 * minutes:
            text = sentences.english()
            stretch, pitch_hz = pick.uniform(0.85, 1.25), pick.uniform(0.8, 1.3) * FLITE_VOICES[voice]
            options = ["--setf", f"duration_stretch={stretch:.2f}", "--setf", f"int_f0_target_mean={pitch_hz:.0f}"]
            command = ["flite", "-voice", voice, *options, "-psdur", text, str(path)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            samples, rate_hz = soundfile.read(path, dtype="float32")
            utterance = Utterance(f"flite/{voice}", _at_16_khz(samples, rate_hz), flite_segments(printed), text)
            spoken_s += utterance.duration_s
            yield utterance


def festival_utterances(voice: str, minutes: float, seed: int) -> Iterator[Utterance]:
    """Random sentences with random tempo by one festival voice until `minutes` are full."""
    pick, sentences = random.Random(seed), Sentences(seed)
    language = FESTIVAL_VOICES[voice][1]
    spoken_s = 0.0
    while spoken_s < 60 * minutes:
        texts = [sentences.english() if language == "en" else sentences.invented(language) for _ in range(_BATCH)]
        for utterance in festival_says(voice, texts, [pick.uniform(0.8, 1.2) for _ in texts]):
            spoken_s += utterance.duration_s
            yield utterance


def festival_says(voice: str, texts: list[str], stretches: list[float] | None = None) -> Iterator[Utterance]:
    """The given sentences, in one process; those the voice has no units for are passed over."""
    family, language = FESTIVAL_VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        script = f"(voice_{voice})\n"
        for index, (text, stretch) in enumerate(zip(texts, stretches or [1.0] * len(texts), strict=True)):
            script += (
                f"(Parameter.set 'Duration_Stretch {stretch:.2f})\n"
                f'(unwind-protect (begin (set! u (utt.synth (Utterance Text "{text}"))) '
                f'(utt.save.wave u "{folder}/{index}.wav" \'riff) (utt.save.segs u "{folder}/{index}.lab")))\n'
            )
        path = Path(folder) / "say.scm"
        path.write_bytes(script.encode(_ENCODING[language], "replace"))
        subprocess.run(["festival", "-b", str(path)], capture_output=True, timeout=600, check=False)
        for index, text in enumerate(texts):
            label = Path(folder) / f"{index}.lab"
            if not label.exists():
                continue
            samples, rate_hz = soundfile.read(Path(folder) / f"{index}.wav", dtype="float32")
            segments = festival_segments(label.read_text(encoding="latin-1"), language)
            utterance = Utterance(f"{family}/{voice}", _at_16_khz(samples, rate_hz), segments, text)
            if utterance.duration_s > 0.5 and abs(segments[-1].end_s - utterance.duration_s) < 0.15:
                yield utterance


def _at_16_khz(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    divisor = gcd(rate_hz, SAMPLE_RATE_HZ)
    return resample_poly(samples, SAMPLE_RATE_HZ // divisor, rate_hz // divisor).astype(np.float32)
