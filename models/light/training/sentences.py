"""Nonsense sentences to be spoken: every sound in every neighbourhood matters, sense does not.

Owns the word sources. Must not import a synthesiser.
"""

import random
import re
from pathlib import Path

WORD_LIST = Path("/usr/share/dict/american-english")  # Debian package `wamerican`, public domain

_COMMON_WORDS = (
    "the of and to in a is that it was for on you he be with as by at have are this not but had his they from she "
    "which or we an there her were one do been all their has would will what if so up out about who get them can "
    "more when no my into me some could him your time two like only new than then other its also back after use how "
    "our work first well way even want because any these give day most us people make good think say know take come "
    "see look"
)

# simple syllables, enough for the letter-to-sound rules of a Catalan voice
_SYLLABLES = {
    "ca": ("b c d f g j l m n p r s t v x ll ny p b m f", "a e i o u à è í ó u", "n l r s t"),
}


class Sentences:
    """A seeded source of sentences."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        words = WORD_LIST.read_text().splitlines()
        self._rare_words = [word for word in words if re.fullmatch(r"[a-z]{2,11}", word)]

    def english(self) -> str:
        """5 to 10 words, nearly half of them common, sometimes a comma, any final mark. Used for every Latin voice."""
        pick = self._random
        common = _COMMON_WORDS.split()
        words = [pick.choice(common if pick.random() < 0.45 else self._rare_words) for _ in range(pick.randint(5, 10))]
        if pick.random() < 0.4:
            words[pick.randint(1, len(words) - 3)] += ","
        return " ".join(words) + pick.choice("..?!")

    def invented(self, language: str) -> str:
        """4 to 9 made-up words of 1 to 4 syllables for `ca`."""
        pick = self._random
        onsets, nuclei, codas = (part.split() for part in _SYLLABLES[language])

        def syllable() -> str:
            onset = pick.choice(onsets) if pick.random() < 0.93 else ""
            return onset + pick.choice(nuclei) + (pick.choice(codas) if pick.random() < 0.22 else "")

        words = ["".join(syllable() for _ in range(pick.choice([1, 2, 2, 3, 3, 4]))) for _ in range(pick.randint(4, 9))]
        return " ".join(words) + "."
