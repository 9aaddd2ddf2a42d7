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
from models.light.training.augmentation import with_level
from models.light.training.espeak import Espeak
from models.light.training.festvox import flite_segments
from models.light.training.network import PARAMETERS, RECEPTIVE_FRAMES, MouthNetwork, load_network
from models.light.training.phones import CLASS_INDEX, Segment
from models.light.training.train import POOLED_FRAMES
from models.light.training.utterance import Utterance

TRAINING_LANGUAGES = ("it", "ru")
_SOUNDS = Path("/usr/share/asterisk/sounds")
_TEXTS = "/usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
_FOLDERS = {"it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU", "fr": "fr_CA_f_June", "en": "en_US_f_Allison"}
_FLOOR = np.float32(np.log(POWER_FLOOR) / 4)
_FRAME_S = 0.01


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


def aligned_prompts(language: str, network_path: Path, keep: float = 0.8) -> list[Utterance]:
    """The prompts of a language with phone times by the given network; the worst-fitting fifth is dropped."""
    espeak, network = Espeak(), load_network(network_path)
    spoken = []
    for text, samples in prompts(language):
        classes = [s.phone_class for s in espeak.speak(text, language).segments]
        if language == "ru":  # espeak's ы is written with a rounded letter
            classes = ["IH" if name == "UY" else name for name in classes]
        spoken.append((text, samples, classes, class_log_probabilities(network, log_mel_centred(samples))))
    prior = np.log(np.mean(np.concatenate([np.exp(log_p) for *_, log_p in spoken]), axis=0) + 1e-3)

    aligned: list[tuple[float, Utterance]] = []
    for text, samples, classes, log_p in spoken:
        states, optional = _states(classes)
        if len(states) < 4 or len(log_p) < 3 * len(states):
            continue
        path = viterbi(np.maximum(log_p - 0.6 * prior, -6), states, optional)
        segments = _segments_of(path, states, len(samples) / 16_000)
        hurried = np.mean([s.end_s - s.start_s < 0.015 for s in segments if s.phone_class != "sil"])
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
    ahead = -POOLED_FRAMES[2]
    before, after = np.full((RECEPTIVE_FRAMES - 1 - ahead, MEL_BANDS), _FLOOR), np.full((ahead + 3, MEL_BANDS), _FLOOR)
    padded = torch.from_numpy(np.concatenate([before, mel, after]).T[None].astype(np.float32))
    outputs = np.empty((len(mel) + 3, 25), np.float32)
    with torch.no_grad():
        for phase in range(4):
            logits = network(padded[..., phase:])[0, PARAMETERS:].T
            rows = outputs[phase::4]
            rows[:] = torch.log_softmax(logits, dim=1).numpy()[: len(rows)]
    return outputs[: len(mel)]


def _states(classes: list[str]) -> tuple[list[int], list[bool]]:
    """The left-to-right chain of classes; pauses may be skipped."""
    names = ["sil"]
    for name in classes:
        if name != "sil" or names[-1] != "sil":
            names.append(name)
    if names[-1] != "sil":
        names.append("sil")
    return [CLASS_INDEX[name] for name in names], [name == "sil" for name in names]


def viterbi(scores: NDArray[np.float32], states: list[int], optional: list[bool]) -> NDArray[np.int64]:
    """The best monotone path through the chain. (frames, classes) log scores -> (frames,) index into `states`."""
    emission = scores[:, states]
    frames, count = emission.shape
    skippable = np.r_[False, np.array(optional)[:-1]]  # the state before this one may be jumped over
    best = np.full(count, -1e9)
    best[0] = emission[0, 0]
    if optional[0]:
        best[1] = emission[0, 1]
    steps = np.zeros((frames, count), np.int8)
    for t in range(1, frames):
        one, two = np.r_[-1e9, best[:-1]] - 0.3, np.r_[-1e9, -1e9, best[:-2]] - 0.3
        moves = np.stack([best, one, np.where(skippable, two, -1e9)])
        steps[t] = moves.argmax(axis=0)
        best = moves.max(axis=0) + emission[t]
    state = count - 1 if not optional[-1] or best[-1] >= best[-2] else count - 2
    path = np.empty(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= steps[t, state]
    return path


def _segments_of(path: NDArray[np.int64], states: list[int], duration_s: float) -> list[Segment]:
    names = list(CLASS_INDEX)
    changes = np.flatnonzero(np.diff(path)) + 1
    firsts = np.r_[0, changes]
    edges_s = np.r_[0.0, changes * _FRAME_S - _FRAME_S / 2, duration_s]
    triples = zip(edges_s[:-1], edges_s[1:], firsts, strict=True)
    return [Segment(float(a), float(b), names[states[path[first]]]) for a, b, first in triples]


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
        moments = _warp(_cepstra(with_level(reference)), _cepstra(samples))  # frame of the recording per reference frame
        edges = np.arange(len(moments)) * _FRAME_S
        segments = []
        for segment in flite_segments(printed):
            start_s, end_s = np.interp([segment.start_s, segment.end_s], edges, moments * _FRAME_S)
            segments.append(Segment(float(start_s), float(max(end_s, start_s + 1e-3)), segment.phone_class))
        segments = [Segment(0.0, segments[0].end_s, segments[0].phone_class), *segments[1:]]
        if len(samples) / 16_000 < 0.4 * len(reference) / 16_000 or len(samples) > 2.5 * len(reference):
            continue  # other words than the transcript's
        found.append(Utterance("recorded/allison", samples, segments, text))
        if len(found) == count:
            break
    return found


def _cepstra(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """13 mean- and variance-free cepstra of the bands below 3.6 kHz, and loudness, every 10 ms."""
    mel = log_mel_centred(samples)[:, :30]
    cepstra = dct(mel, norm="ortho", axis=1)[:, :13]
    return (cepstra - cepstra.mean(axis=0)) / (cepstra.std(axis=0) + 1e-6)


def _warp(reference: NDArray[np.float64], recording: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dynamic time warping: for every reference frame the mean frame of the recording it meets."""
    distance = np.sqrt(((reference[:, None] - recording[None]) ** 2).sum(axis=2))
    rows, columns = distance.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, rows + 1):
        above, line, cost = total[i - 1], total[i], distance[i - 1]
        reach = np.minimum(above[1:] + 0.1, above[:-1])  # the diagonal is free, a stretch costs a little
        value = np.inf
        for j in range(columns):
            value = min(reach[j], value + 0.1) + cost[j]
            line[j + 1] = value
    i, j, met = rows, columns, [[] for _ in range(rows)]
    while i > 0 and j > 0:
        met[i - 1].append(j - 1)
        moves = (total[i - 1, j - 1], total[i - 1, j] + 0.1, total[i, j - 1] + 0.1)
        move = int(np.argmin(moves))
        i, j = i - (move != 2), j - (move != 1)
    return np.array([np.mean(frames) for frames in met])
