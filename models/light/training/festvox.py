"""Voices built from recorded people: flite's, and festival's through its command line.

Owns how they are run and how their phone lists are read. flite prints `phone:end` pairs (`-psdur`); festival saves the
utterance's segments.
"""

import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from models.light.mel import SAMPLE_RATE_HZ
from models.light.training.phones import Segment, classes_of_arpabet, classes_of_ipa, split_evenly
from models.light.training.sentences import Sentences
from models.light.training.utterance import Utterance

FLITE_VOICES = {"kal16": 110, "slt": 170, "awb": 120, "rms": 100}  # mean pitch in Hz
# festival voice -> (family, language); the hts and clunits families are kept out of the training
FESTIVAL_VOICES = {
    "ked_diphone": ("diphone", "en"),
    "cmu_us_slt_arctic_hts": ("hts", "en"),
    "upc_ca_ona_hts": ("hts", "ca"),
    "msu_ru_nsh_clunits": ("clunits", "ru"),
}
_ENCODING = {"en": "ascii", "ca": "iso-8859-15", "ru": "utf-8"}
_BATCH = 40  # sentences per festival process

# Catalan SAMPA and the Russian voice's phone names, as IPA
_CATALAN = {"ax": "ə", "O": "ɔ", "E": "ɛ", "S": "ʃ", "Z": "ʒ", "J": "ɲ", "L": "ʎ", "rr": "r", "B": "b", "D": "d", "G": "g",
            "tS": "tʃ", "dZ": "dʒ", "ts": "ts", "dz": "dz", "y": "j", "N": "ŋ", "uw": "w", "x": "x"}  # fmt: skip
_RUSSIAN = {"sh": "ʃ", "zh": "ʒ", "ch": "tʃ", "sch": "ʃ", "c": "ts", "y": "ɨ", "yy": "ɨ", "ay": "ɐ", "ae": "ə", "ur": "ʊ",
            "h": "x", "hh": "x"}  # fmt: skip


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


def flite_segments(printed: str) -> list[Segment]:
    """The segments of what `flite -psdur` printed."""
    segments: list[Segment] = []
    start_s = 0.0
    for token in printed.split():
        name, end = token.rsplit(":", 1)
        segments += split_evenly(start_s, float(end), classes_of_arpabet(name))
        start_s = float(end)
    return segments


def festival_utterances(voice: str, minutes: float, seed: int) -> Iterator[Utterance]:
    """Random sentences by one festival voice until `minutes` are full, several sentences to a process."""
    pick, sentences = random.Random(seed), Sentences(seed)
    family, language = FESTIVAL_VOICES[voice]
    spoken_s = 0.0
    while spoken_s < 60 * minutes:
        with tempfile.TemporaryDirectory() as folder:
            texts = [sentences.english() if language == "en" else sentences.invented(language) for _ in range(_BATCH)]
            script = f"(voice_{voice})\n"
            for index, text in enumerate(texts):
                script += f"(Parameter.set 'Duration_Stretch {pick.uniform(0.8, 1.2):.2f})\n"
                script += (
                    f'(unwind-protect (begin (set! u (utt.synth (Utterance Text "{text}"))) '
                    f"(utt.save.wave u \"{folder}/{index}.wav\" 'riff) (utt.save.segs u \"{folder}/{index}.lab\")))\n"
                )
            path = Path(folder) / "say.scm"
            path.write_bytes(script.encode(_ENCODING[language], "replace"))
            subprocess.run(["festival", "-b", str(path)], capture_output=True, timeout=600, check=False)
            for index, text in enumerate(texts):
                label = Path(folder) / f"{index}.lab"
                if not label.exists():
                    continue  # a sentence the voice has no units for
                samples, rate_hz = soundfile.read(Path(folder) / f"{index}.wav", dtype="float32")
                segments = _festival_segments(label.read_text(encoding="latin-1"), language)
                utterance = Utterance(f"{family}/{voice}", _at_16_khz(samples, rate_hz), segments, text)
                if utterance.duration_s > 0.5 and abs(segments[-1].end_s - utterance.duration_s) < 0.15:
                    spoken_s += utterance.duration_s
                    yield utterance


def _festival_segments(labels: str, language: str) -> list[Segment]:
    segments: list[Segment] = []
    start_s = 0.0
    for line in labels.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        end_s, name = float(fields[0]), fields[2]
        segments += split_evenly(start_s, end_s, _festival_classes(name, language))
        start_s = end_s
    return segments


def _festival_classes(name: str, language: str) -> tuple[str, ...]:
    if language == "en" or name in ("pau", "#", "brth"):
        return classes_of_arpabet(name)
    bare = re.sub(r"\d", "", name)  # stress marks
    ipa = (_CATALAN if language == "ca" else _RUSSIAN).get(bare)
    if ipa is None and language == "ru" and len(bare) == 2 and bare[0] == bare[1]:
        bare = bare[0]  # doubled letters are palatalised or stressed
    return classes_of_ipa(ipa or bare) or ("AX",)


def _at_16_khz(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    divisor = gcd(rate_hz, SAMPLE_RATE_HZ)
    return resample_poly(samples, SAMPLE_RATE_HZ // divisor, rate_hz // divisor).astype(np.float32)
