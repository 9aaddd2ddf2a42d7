"""Both ways to time a known text."""

import numpy as np
import pytest

from models.light.training.alignment import chain_of, segments_of, viterbi, warp
from models.light.training.phones import CLASS_INDEX, CLASSES


def scores_of(*spoken: tuple[str, int]) -> np.ndarray:
    """Clear class scores: each class for its number of frames."""
    rows = []
    for name, frames in spoken:
        row = np.full(len(CLASSES), -5.0, np.float32)
        row[CLASS_INDEX[name]] = -0.1
        rows += [row] * frames
    return np.array(rows)


def test_the_chain_begins_and_ends_with_a_pause_that_may_be_skipped():
    states, optional = chain_of(["PBM", "sil", "sil", "AA"])
    assert [CLASSES[state] for state in states] == ["sil", "PBM", "PBM", "sil", "AA", "AA", "sil"]
    assert optional == [True, False, False, True, False, False, True]


def test_the_path_finds_when_each_phone_was_said():
    states, optional = chain_of(["PBM", "AA", "DT"])
    path = viterbi(scores_of(("sil", 10), ("PBM", 8), ("AA", 20), ("DT", 6), ("sil", 6)), states, optional)
    segments = segments_of(path, states, 0.5)
    assert [s.phone_class for s in segments] == ["sil", "PBM", "AA", "DT", "sil"]
    assert [s.start_s for s in segments[1:]] == pytest.approx([0.095, 0.175, 0.375, 0.435])
    assert segments[-1].end_s == 0.5


def test_pauses_nobody_made_are_skipped():
    states, optional = chain_of(["PBM", "sil", "AA"])
    path = viterbi(scores_of(("PBM", 10), ("AA", 20)), states, optional)
    assert [s.phone_class for s in segments_of(path, states, 0.3)] == ["PBM", "AA"]


def test_every_phone_of_the_text_gets_a_frame_even_when_unheard():
    states, optional = chain_of(["PBM", "SZ", "AA"])
    path = viterbi(scores_of(("PBM", 10), ("AA", 20)), states, optional)
    segments = segments_of(path, states, 0.3)
    assert [s.phone_class for s in segments] == ["PBM", "SZ", "AA"]
    assert segments[1].end_s - segments[1].start_s >= 0.0199
    assert np.all(np.diff(path) >= 0)


def test_the_same_class_twice_in_a_row_stays_two_phones():
    states, optional = chain_of(["DT", "DT"])
    path = viterbi(scores_of(("sil", 5), ("DT", 12), ("sil", 5)), states, optional)
    assert [s.phone_class for s in segments_of(path, states, 0.22)] == ["sil", "DT", "DT", "sil"]


def test_a_speaker_who_is_slower_is_followed():
    melody = np.cumsum(np.random.default_rng(4).normal(size=(60, 5)), axis=0)
    slower = np.repeat(melody, 2, axis=0)
    moments = warp(melody, slower)
    assert np.abs(moments - (2 * np.arange(60) + 0.5)).max() <= 1.0


def test_a_recording_warped_onto_itself_stays_in_place():
    melody = np.cumsum(np.random.default_rng(6).normal(size=(40, 5)), axis=0)
    assert warp(melody, melody) == pytest.approx(np.arange(40))
