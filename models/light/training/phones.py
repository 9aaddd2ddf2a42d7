"""Phones to mouth shapes: the classes, how each is named by a synthesiser, and the curves the network learns.

Owns the table of 25 visual classes and the dominance blending that turns a list of timed classes into six smooth
parameters. numpy only; must not import torch, a synthesiser or the corpus.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Segment(NamedTuple):
    """One phone (or half of a diphthong) of one class."""

    start_s: float
    end_s: float
    phone_class: str


class _Shape(NamedTuple):
    """What a class asks of the mouth, and how strongly it insists against its neighbours."""

    target: tuple[float, float, float, float, float, float]  # open wide pucker close fv tongue
    dominance: tuple[float, float, float]  # of open | of wide and pucker | of close, fv and tongue


SHAPES: dict[str, _Shape] = {
    "sil": _Shape((0.00, 0.00, 0.00, 0.0, 0.0, 0.0), (0.60, 0.5, 0.5)),
    "PBM": _Shape((0.00, 0.00, 0.05, 1.0, 0.0, 0.0), (5.00, 0.3, 6.0)),
    "FV": _Shape((0.12, 0.10, 0.00, 0.0, 1.0, 0.0), (3.00, 0.5, 5.0)),
    "TH": _Shape((0.22, 0.10, 0.00, 0.0, 0.0, 1.0), (1.20, 0.3, 3.0)),
    "DT": _Shape((0.18, 0.15, 0.00, 0.0, 0.0, 0.5), (0.60, 0.2, 1.0)),
    "L": _Shape((0.30, 0.10, 0.00, 0.0, 0.0, 0.8), (0.60, 0.2, 1.0)),
    "KG": _Shape((0.25, 0.05, 0.00, 0.0, 0.0, 0.0), (0.25, 0.1, 1.0)),
    "SZ": _Shape((0.10, 0.35, 0.00, 0.0, 0.0, 0.1), (1.50, 0.5, 1.0)),
    "SH": _Shape((0.16, 0.00, 0.65, 0.0, 0.0, 0.0), (1.50, 1.5, 1.0)),
    "R": _Shape((0.22, 0.00, 0.45, 0.0, 0.0, 0.1), (0.60, 0.8, 1.0)),
    "W": _Shape((0.12, 0.00, 1.00, 0.0, 0.0, 0.0), (1.50, 2.5, 1.0)),
    "J": _Shape((0.18, 0.50, 0.00, 0.0, 0.0, 0.0), (0.60, 0.8, 1.0)),
    "H": _Shape((0.30, 0.00, 0.00, 0.0, 0.0, 0.0), (0.10, 0.1, 1.0)),
    "AA": _Shape((1.00, 0.15, 0.00, 0.0, 0.0, 0.0), (1.00, 1.0, 1.0)),
    "AE": _Shape((0.80, 0.45, 0.00, 0.0, 0.0, 0.0), (1.00, 1.0, 1.0)),
    "AH": _Shape((0.60, 0.15, 0.00, 0.0, 0.0, 0.0), (0.80, 0.6, 1.0)),
    "AX": _Shape((0.35, 0.10, 0.05, 0.0, 0.0, 0.0), (0.50, 0.3, 1.0)),
    "EH": _Shape((0.55, 0.50, 0.00, 0.0, 0.0, 0.0), (1.00, 1.0, 1.0)),
    "IH": _Shape((0.32, 0.55, 0.00, 0.0, 0.0, 0.0), (1.00, 0.9, 1.0)),
    "IY": _Shape((0.22, 0.90, 0.00, 0.0, 0.0, 0.0), (1.00, 1.2, 1.0)),
    "OO": _Shape((0.65, 0.00, 0.55, 0.0, 0.0, 0.0), (1.00, 1.2, 1.0)),
    "OH": _Shape((0.42, 0.00, 0.75, 0.0, 0.0, 0.0), (1.00, 1.4, 1.0)),
    "UH": _Shape((0.30, 0.00, 0.55, 0.0, 0.0, 0.0), (1.00, 1.2, 1.0)),
    "UW": _Shape((0.18, 0.00, 1.00, 0.0, 0.0, 0.0), (1.00, 1.6, 1.0)),
    "UY": _Shape((0.20, 0.00, 0.90, 0.0, 0.0, 0.0), (1.00, 1.6, 1.0)),
}
CLASSES = tuple(SHAPES)
CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}
OPEN_VOWELS = ("AA", "AE", "AH", "OO", "EH")

_IPA: dict[str, str] = {
    letter: phone_class
    for phone_class, letters in {
        "PBM": "p b m ɓ ɸ",
        "FV": "f v ʋ ɱ β",
        "TH": "θ ð",
        "DT": "t d n ɗ ɾ ʈ ɖ ɳ ɲ ɟ c",
        "L": "l ɫ ɭ ʎ ɬ",
        "KG": "k ɡ g ŋ x ɣ q χ ç ʝ ħ",
        "SZ": "s z ɕ ʑ",
        "SH": "ʃ ʒ ʂ ʐ",
        "R": "r ɹ ʁ ʀ ɻ ɽ",
        "W": "w ʍ ɥ",
        "J": "j",
        "H": "h ɦ ʔ",
        "AA": "a ɑ ɒ",
        "AE": "æ",
        "AH": "ʌ ɐ",
        "AX": "ə ɚ ɜ ɝ ɵ ɘ ᵊ",
        "EH": "e ɛ",
        "IH": "ɪ ᵻ ɨ",
        "IY": "i",
        "OO": "ɔ",
        "OH": "o ɤ",
        "UH": "ʊ",
        "UW": "u ʉ ɯ",
        "UY": "y ʏ ø œ",
    }.items()
    for letter in letters.split()
}
_ARPABET: dict[str, tuple[str, ...]] = {
    name: tuple(classes.split())
    for name, classes in {
        "aa": "AA", "ae": "AE", "ah": "AH", "ao": "OO", "ax": "AX", "eh": "EH", "er": "R", "ih": "IH", "iy": "IY",
        "uh": "UH", "uw": "UW", "b": "PBM", "p": "PBM", "m": "PBM", "f": "FV", "v": "FV", "th": "TH", "dh": "TH",
        "t": "DT", "d": "DT", "n": "DT", "l": "L", "k": "KG", "g": "KG", "ng": "KG", "s": "SZ", "z": "SZ", "sh": "SH",
        "zh": "SH", "r": "R", "w": "W", "y": "J", "hh": "H", "pau": "sil", "ssil": "sil", "h#": "sil", "#": "sil",
        "brth": "sil", "ay": "AA IH", "aw": "AA UH", "ey": "EH IH", "ow": "OH UH", "oy": "OO IH", "ch": "DT SH",
        "jh": "DT SH", "el": "L", "em": "PBM", "en": "DT", "dx": "DT", "axr": "R",
    }.items()
}  # fmt: skip
_AFFRICATE_STOP_SHARE = 0.45
_TAU_SHAPE_S = 0.045  # how far open, wide and pucker reach into the neighbours
_TAU_CLOSURE_S = 0.018  # closures, teeth on lip and tongue are quick
_SHORT_PAUSE_S = 0.06


def classes_of_ipa(name: str) -> tuple[str, ...]:
    """The one or two classes of an IPA phone name as espeak-ng gives it; empty when no letter is known.

    Language switches in brackets, stress, length and other marks are passed over; an empty name is a pause.
    """
    name = re.sub(r"\(.*?\)", "", name)
    if not name.strip("_:| "):
        return ("sil",)
    found: list[str] = []
    for letter in name:
        phone_class = _IPA.get(letter)
        if phone_class is not None and (not found or found[-1] != phone_class):
            found.append(phone_class)
    return tuple(found[:2])


def classes_of_arpabet(name: str) -> tuple[str, ...]:
    """The one or two classes of a CMU phone name; an unknown name counts as a neutral vowel."""
    return _ARPABET.get(name, ("AX",))


def split_evenly(start_s: float, end_s: float, classes: tuple[str, ...]) -> list[Segment]:
    """A phone's segments: halves for a diphthong, 45 % stop and 55 % fricative for an affricate."""
    if len(classes) == 1:
        return [Segment(start_s, end_s, classes[0])]
    share = _AFFRICATE_STOP_SHARE if classes[0] == "DT" else 0.5
    middle_s = start_s + share * (end_s - start_s)
    return [Segment(start_s, middle_s, classes[0]), Segment(middle_s, end_s, classes[1])]


def mouth_curves(segments: list[Segment], times_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """The six parameters at the given times, each 0..1. (len(times_s), 6) float32.

    Dominance blending: every segment pulls each parameter towards its own target with a weight that falls
    exponentially with distance (Cohen and Massaro, "Modeling coarticulation in synthetic visual speech", 1993).
    """
    starts = np.array([segment.start_s for segment in segments])
    ends = np.array([segment.end_s for segment in segments])
    targets = np.array([SHAPES[segment.phone_class].target for segment in segments])
    dominance = np.array([SHAPES[segment.phone_class].dominance for segment in segments])
    short_pause = np.array([s.phone_class == "sil" and s.end_s - s.start_s < _SHORT_PAUSE_S for s in segments])

    distance = np.maximum(0, np.maximum(starts - times_s[:, None], times_s[:, None] - ends))  # (times, segments)
    # float32 weights underflow to zero 16 tau away, so a floor keeps the division defined
    slow = np.exp(-distance / _TAU_SHAPE_S) * np.where(short_pause, 0.1, 1.0)
    quick = np.exp(-distance / _TAU_CLOSURE_S)
    curves = np.empty((len(times_s), 6), np.float32)
    for columns, weights in (
        ([0], slow * dominance[:, 0]),
        ([1, 2], slow * dominance[:, 1]),
        ([3, 4, 5], quick * dominance[:, 2]),
    ):
        curves[:, columns] = (weights @ targets[:, columns]) / (weights.sum(axis=1, keepdims=True) + 1e-9)
    curves[:, 0] *= 1 - 0.9 * np.clip(1.3 * curves[:, 3] - 0.3, 0, 1)  # a closure shuts the jaw's opening too
    return curves


def pool_over_picture(curves: NDArray[np.float32]) -> NDArray[np.float32]:
    """One picture's parameters from moments across it: means; for the short close and fv half of it the maximum.

    (..., moments, 6) -> (..., 6).
    """
    pooled = curves.mean(axis=-2)
    pooled[..., 3:5] = 0.5 * pooled[..., 3:5] + 0.5 * curves[..., 3:5].max(axis=-2)
    return pooled


def class_labels(segments: list[Segment], times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The class index at each time; before the first and after the last segment those segments go on."""
    starts = np.array([segment.start_s for segment in segments])
    index = np.clip(np.searchsorted(starts, times_s, side="right") - 1, 0, len(segments) - 1)
    return np.array([CLASS_INDEX[segment.phone_class] for segment in segments])[index]
