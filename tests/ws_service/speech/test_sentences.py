"""Any text is cut into sentences that hold all of it, none too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.speech.sentences import MAX_SENTENCE_CHARS, is_spoken, split_sentences

PROSE = st.text(st.sampled_from("abcäДß字 \n\t.,;:!?…。！？\"')(«»—-09😀€\0\x1b"), max_size=400)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello.", ["Hello."]),
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("no stop at all", ["no stop at all"]),
        ('"Stop!" he said. (Really.) Yes.', ['"Stop!" he said.', "(Really.)", "Yes."]),
        ("It costs 3.50 euros at example.com. Buy it.", ["It costs 3.50 euros at example.com.", "Buy it."]),
        ("Dr. Watson and Mr. J. S. Bach met. They spoke.", ["Dr. Watson and Mr. J. S. Bach met.", "They spoke."]),
        ("Fruit, e.g. Apples, is fine. etc. Next.", ["Fruit, e.g. Apples, is fine. etc. Next."]),
        ("Wait... what? Yes…  Good", ["Wait... what?", "Yes…", "Good"]),
        ("one\ntwo\r\n\r\nthree", ["one", "two", "three"]),
        ("你好。你好吗？很好！", ["你好。", "你好吗？", "很好！"]),
        ("- \n ... !!! \n", []),
        ("", []),
        ("I ♥ it. 😀", ["I ♥ it.", "😀"]),
        ("a\0b\x1b \ud800c", ["a b c"]),
    ],
)
def test_sentences_end_where_a_reader_would_pause(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def heard(text: str) -> str:
    return "".join(char for char in text if is_spoken(char))


@given(PROSE)
def test_nothing_that_is_heard_is_lost_or_moved(text: str) -> None:
    assert heard("".join(split_sentences(text))) == heard(text)


@given(PROSE, st.integers(5, 60))
def test_no_sentence_is_empty_or_too_long_or_begins_with_a_space(text: str, most: int) -> None:
    for sentence in split_sentences(text, most):
        assert 0 < len(sentence) <= most
        assert sentence == sentence.strip()
        assert is_spoken(sentence)
        sentence.encode()
        assert "\0" not in sentence


@given(st.text(max_size=200))
def test_any_text_at_all_can_be_split(text: str) -> None:
    assert all(is_spoken(sentence) for sentence in split_sentences(text))


@given(PROSE)
def test_splitting_a_sentence_again_loses_nothing_either(text: str) -> None:
    again = [piece for sentence in split_sentences(text) for piece in split_sentences(sentence)]
    assert heard("".join(again)) == heard(text)


def test_a_sentence_too_long_is_cut_behind_a_clause_else_between_words() -> None:
    clauses = "word " * 30 + "word, " + "more " * 20 + "words; " + "and " * 100
    pieces = split_sentences(clauses)
    assert pieces[0].endswith("words;")
    assert all(set(piece.split()) <= {"word", "word,", "more", "words;", "and"} for piece in pieces)
    assert [len(piece) for piece in split_sentences("x" * (2 * MAX_SENTENCE_CHARS + 1))] == [300, 300, 1]
