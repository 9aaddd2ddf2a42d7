"""Recorded human speech: the telephone prompts that Debian packages, with phone times found by alignment.

Owns reading them and both ways of timing them. Italian and Russian (CC-BY 3.0) train; English and French (CC-BY-SA)
are for evaluation alone. Training prompts are aligned with a first network's phone classes (Viterbi); the evaluation
reference for English comes from elsewhere, a synthesis of the transcript warped onto the recording, so that no network
judges itself.
"""

import gzip
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.fft import dct

from models.light.mel import MEL_BANDS, POWER_FLOOR, log_mel
from models.light.training.alignment import FRAME_S, chain_of, segments_of, viterbi, warp
from models.light.training.espeak import Espeak
from models.light.training.labels import flite_segments
from models.light.training.network import PARAMETERS, RECEPTIVE_FRAMES, MouthNetwork, load_network
from models.light.training.phones import CLASSES, Segment
from models.light.training.train import POOLED_FRAMES
from models.light.training.utterance import Utterance, with_level

TRAINING_LANGUAGES = ("it", "ru")
_SOUNDS = Path("/usr/share/asterisk/sounds")
_TEXTS = "/usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
_FOLDERS = {"it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU", "fr": "fr_CA_f_June", "en": "en_US_f_Allison"}
_HELD_OUT_EVERY = 12
_FLOOR = np.float32(np.log(POWER_FLOOR) / 4)


def prompts(language: str, longest_s: float = 25.0) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(text, speech at the corpus's level) of every prompt whose text is plain."""
    with gzip.open(_TEXTS.format(language), "rt", encoding="utf-8") as lines:
        texts = dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith(";"))
    for name, text in sorted(texts.items()):
        text = text.strip().strip('"“”').replace("…", "")
        path = _SOUNDS / _FOLDERS[language] / f"{name.strip()}.g722"
        if not text or not path.exists() or any(mark in text for mark in "[(<"):
            continue
        with av.open(str(path), format="g722") as container:
            frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        samples = np.concatenate(frames).astype(np.float32) / 32768
        if 4000 < len(samples) < longest_s * 16_000:
            yield text, with_level(samples)


def aligned_prompts(language: str, network_path: Path, held_out: bool = False, keep: float = 0.8) -> list[Utterance]:
    """The prompts of a language with phone times by the given network; the worst-fitting fifth is dropped.

    Every twelfth prompt never trains; `held_out` gives those, else the others.
    """
    espeak, network = Espeak(), load_network(network_path)
    spoken = []
    for index, (text, samples) in enumerate(prompts(language)):
        if (index % _HELD_OUT_EVERY == 0) != held_out:
            continue
        classes = [s.phone_class for s in espeak.speak(text, language).segments]
        if language == "ru":  # espeak's ы is written with a rounded letter
            classes = ["IH" if name == "UY" else name for name in classes]
        spoken.append((text, samples, classes, class_log_probabilities(network, log_mel_centred(samples))))
    prior = np.log(np.mean(np.concatenate([np.exp(log_p) for *_, log_p in spoken]), axis=0) + 1e-3)

    aligned: list[tuple[float, Utterance]] = []
    for text, samples, classes, log_p in spoken:
        states, optional = chain_of(classes)
        if len(states) < 6 or len(log_p) < 1.5 * len(states):
            continue
        path = viterbi(np.maximum(log_p - 0.6 * prior, -6), states, optional)
        segments = segments_of(path, states, len(samples) / 16_000)
        hurried = np.mean([s.end_s - s.start_s < 0.025 for s in segments if s.phone_class != "sil"])
        fit = float(np.mean(log_p[np.arange(len(path)), [states[state] for state in path]]))
        if hurried < 0.35:
            aligned.append((fit, Utterance(f"recorded/{language}", samples, segments, text)))
    worst = np.quantile([fit for fit, _ in aligned], 1 - keep)
    return [utterance for fit, utterance in aligned if fit > worst]


def log_mel_centred(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of windows centred at 0, 10, 20 ms, ..."""
    return log_mel(np.pad(samples, 200))


def class_log_probabilities(network: MouthNetwork, mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log posteriors of the phone classes at every 10 ms frame: the strided network run at its four phases. (n, 25)."""
    ahead = -int(POOLED_FRAMES[2])
    before, after = np.full((RECEPTIVE_FRAMES - 1 - ahead, MEL_BANDS), _FLOOR), np.full((ahead + 3, MEL_BANDS), _FLOOR)
    padded = torch.from_numpy(np.concatenate([before, mel, after]).T[None].astype(np.float32))
    outputs = np.empty((len(mel) + 3, len(CLASSES)), np.float32)
    with torch.no_grad():
        for phase in range(4):
            logits = network(padded[..., phase:])[0, PARAMETERS:].T
            rows = outputs[phase::4]
            rows[:] = torch.log_softmax(logits, dim=1).numpy()[: len(rows)]
    return outputs[: len(mel)]


def warped_prompts(language: str = "en", count: int = 90) -> list[Utterance]:
    """English prompts timed by flite's `slt` saying the same words, warped onto the recording (evaluation only)."""
    found: list[Utterance] = []
    for text, samples in prompts(language, longest_s=12.0):
        if len(text.split()) < 4 or any(c.isdigit() for c in text):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reference.wav"
            command = ["flite", "-voice", "slt", "-psdur", text, str(path)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            reference, _ = soundfile.read(path, dtype="float32")
        moments = warp(_cepstra(with_level(reference)), _cepstra(samples))  # frame of the recording per reference frame
        edges = np.arange(len(moments)) * FRAME_S
        segments = []
        for segment in flite_segments(printed):
            start_s, end_s = np.interp([segment.start_s, segment.end_s], edges, moments * FRAME_S)
            segments.append(Segment(float(start_s), float(max(end_s, start_s + 1e-3)), segment.phone_class))
        segments = [Segment(0.0, segments[0].end_s, segments[0].phone_class), *segments[1:]]
        if len(samples) / 16_000 < 0.4 * len(reference) / 16_000 or len(samples) > 2.5 * len(reference):
            continue  # other words than the transcript's
        found.append(Utterance("recorded/allison", samples, segments, text))
        if len(found) == count:
            break
    return found


def _cepstra(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """13 mean-free cepstra of the bands below 3.6 kHz every 10 ms.

    Scaled to unit variance they align badly: the high ones, all speaker and noise, then weigh as much as the low.
    """
    cepstra = dct(log_mel_centred(samples)[:, :30], norm="ortho", axis=1)[:, :13]
    return cepstra - cepstra.mean(axis=0)
