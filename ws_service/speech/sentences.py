"""Text to sentences, so that the first is heard while the others are still being made. Pure; knows no voice."""

import re
import unicodedata

MAX_SENTENCE_CHARS = 300  # some 20 s of speech: what one step of a voice makes, and may hold in memory

# never back over what was read: a text may be ten thousand stops
_END = re.compile(
    r"""
    (?<![.!?\u2026]) [.!?\u2026]++ ["'\u2019\u201d\u00bb)\]]*+ (?=\s)  # a full stop, closed, and a space behind it
    | [\u3002\uff01\uff1f]++ [\u300d\u300f\u201d\uff09]*+         # the full-width ones need no space
    | \n
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'\u201c\u2018])(?:\w|(?:\w\.)+\w|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|approx|Nr|bzw|ca)\.$",
    re.IGNORECASE,
)
_CLOSING = ('"', "'", "\u2019", "\u201d", "\u00bb", ")", "]")
_CONTEXT_CHARS = 24  # around a stop: enough to know what it ends, few enough for a text that is nothing but stops
_CLAUSE_ENDS = (";:\u2014\uff1b\uff1a", ",\u3001\uff0c", " ")  # where a sentence too long is cut: the best first
_SPOKEN_SYMBOLS = {"So", "Sc", "Sm"}  # emoji, currencies and mathematics have names


def split_sentences(text: str, max_chars: int = MAX_SENTENCE_CHARS) -> list[str]:
    """The sentences in order, none longer than `max_chars`; together they hold every character of `text` that is
    heard. A sentence too long is cut behind a clause, else between words. Empty when there is nothing to say.
    """
    text = _without_control_characters(text)
    pieces: list[str] = []
    begin = 0
    for end in _END.finditer(text):
        at = end.end()
        if _goes_on(text[max(begin, at - _CONTEXT_CHARS) : at], text[at : at + _CONTEXT_CHARS]):
            continue
        pieces += _cut(text[begin : end.end()], max_chars)
        begin = end.end()
    pieces += _cut(text[begin:], max_chars)
    return [piece for piece in pieces if is_spoken(piece)]


def is_spoken(text: str) -> bool:
    """Something of it is heard; a voice may say nothing to punctuation alone."""
    return any(char.isalnum() or unicodedata.category(char) in _SPOKEN_SYMBOLS for char in text)


def _goes_on(sentence: str, rest: str) -> bool:
    """The stop at the end of `sentence` is not one of a sentence: "Dr. Who", "J. S. Bach", "approx. five"."""
    following = rest.lstrip(" \t")[:1]
    if sentence.endswith("."):
        return following.islower() or (_ABBREVIATION.search(sentence) is not None and following.isalnum())
    return sentence.endswith(_CLOSING) and following.islower()  # "Stop!" she said


def _cut(sentence: str, max_chars: int) -> list[str]:
    sentence = " ".join(sentence.split())
    pieces = []
    while len(sentence) > max_chars:
        at = _best_cut(sentence, max_chars)
        pieces.append(sentence[:at].rstrip())
        sentence = sentence[at:].lstrip()
    return [piece for piece in [*pieces, sentence] if piece]


def _best_cut(sentence: str, max_chars: int) -> int:
    head = sentence[:max_chars]
    for ends in _CLAUSE_ENDS:
        at = max(head.rfind(end) for end in ends) + 1
        if at > max_chars // 3:
            return at
    return max_chars


def _without_control_characters(text: str) -> str:
    """NUL would end the text in C, and half a surrogate pair cannot be encoded; each becomes a space."""
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cs") else " "
        for char in text.replace("\r\n", "\n")
    )
