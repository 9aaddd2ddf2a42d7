"""Reads the phone lists that flite and festival write.

Owns their formats and the Catalan phone names. Must not run a synthesiser.
"""

import re

from models.light.training.phones import Segment, classes_of_arpabet, classes_of_ipa, split_evenly

# Catalan phone names, as IPA
_CATALAN = {
    "ax": "ə", "O": "ɔ", "E": "ɛ", "S": "ʃ", "Z": "ʒ", "J": "ɲ", "L": "ʎ", "rr": "r", "B": "b", "D": "d", "G": "g",
    "tS": "tʃ", "dZ": "dʒ", "y": "j", "N": "ŋ", "uw": "w",
}  # fmt: skip


def flite_segments(printed: str) -> list[Segment]:
    """The segments of what `flite -psdur` printed."""
    segments: list[Segment] = []
    start_s = 0.0
    for token in printed.split():
        name, end = token.rsplit(":", 1)
        segments += split_evenly(start_s, float(end), classes_of_arpabet(name))
        start_s = float(end)
    return segments


def festival_segments(labels: str, language: str) -> list[Segment]:
    """The segments of what festival saved: lines of `end 100 phone` after a header. `language` is `en` or `ca`."""
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
    return classes_of_ipa(_CATALAN.get(bare, bare)) or ("AX",)
