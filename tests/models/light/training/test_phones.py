"""Phones to classes to curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.light.training.phones import (
    CLASS_INDEX,
    CLASSES,
    SHAPES,
    Segment,
    class_labels,
    classes_of_arpabet,
    classes_of_ipa,
    mouth_curves,
    pool_over_picture,
    split_evenly,
)

SEGMENTS = st.lists(st.tuples(st.floats(0.02, 0.3), st.sampled_from(CLASSES)), min_size=1, max_size=30)


def timed(pairs) -> list[Segment]:
    segments, start_s = [], 0.0
    for duration_s, phone_class in pairs:
        segments.append(Segment(start_s, start_s + duration_s, phone_class))
        start_s += duration_s
    return segments


def at(segments, *times_s):
    return mouth_curves(segments, np.array(times_s))


def test_there_are_25_classes_with_shapes_within_bounds():
    assert len(CLASSES) == 25
    for shape in SHAPES.values():
        assert all(0 <= value <= 1 for value in shape.target)
        assert all(value > 0 for value in shape.dominance)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("p", ("PBM",)), ("ˈɑː", ("AA",)), ("aɪ", ("AA", "IH")), ("tʃ", ("DT", "SH")), ("(en)b", ("PBM",)),
        ("", ("sil",)), ("_:", ("sil",)), ("ɚ", ("AX",)), ("☃", ()), ("oʊ", ("OH", "UH")),
    ],
)  # fmt: skip
def test_ipa_names(name, classes):
    assert classes_of_ipa(name) == classes


@pytest.mark.parametrize(
    ("name", "classes"),
    [("m", ("PBM",)), ("ow", ("OH", "UH")), ("ch", ("DT", "SH")), ("pau", ("sil",)), ("never heard of", ("AX",))],
)
def test_arpabet_names(name, classes):
    assert classes_of_arpabet(name) == classes


def test_a_diphthong_is_halved_and_an_affricate_starts_with_the_shorter_stop():
    assert split_evenly(1.0, 2.0, ("AA", "IH"))[0].end_s == pytest.approx(1.5)
    assert split_evenly(1.0, 2.0, ("DT", "SH"))[0].end_s == pytest.approx(1.45)
    assert split_evenly(1.0, 2.0, ("AA",)) == [Segment(1.0, 2.0, "AA")]


def test_a_long_vowel_reaches_its_own_shape():
    segments = timed([(0.3, "sil"), (0.5, "AA"), (0.3, "sil")])
    assert at(segments, 0.55)[0] == pytest.approx(SHAPES["AA"].target, abs=0.02)


def test_lips_meet_on_a_short_b_between_open_vowels():
    segments = timed([(0.3, "sil"), (0.2, "AA"), (0.06, "PBM"), (0.2, "AA"), (0.3, "sil")])
    (closed,) = at(segments, 0.53)
    assert closed[CLASSES.index("sil")] < 0.1  # open
    assert closed[3] > 0.85


def test_a_following_rounded_vowel_is_seen_before_it_is_heard():
    rounded = timed([(0.2, "sil"), (0.1, "DT"), (0.3, "UW"), (0.2, "sil")])
    spread = timed([(0.2, "sil"), (0.1, "DT"), (0.3, "IY"), (0.2, "sil")])
    assert at(rounded, 0.26)[0, 2] > at(spread, 0.26)[0, 2] + 0.2


def test_a_long_pause_is_closed():
    segments = timed([(0.2, "AA"), (0.8, "sil"), (0.2, "AA")])
    assert at(segments, 0.6)[0, 0] < 0.01


@settings(max_examples=50)
@given(pairs=SEGMENTS)
def test_curves_stay_within_bounds_and_move_smoothly(pairs):
    segments = timed(pairs)
    curves = mouth_curves(segments, np.arange(0, segments[-1].end_s + 0.1, 0.005))
    assert np.all(np.isfinite(curves))
    assert np.all((curves >= 0) & (curves <= 1))
    assert np.abs(np.diff(curves[:, :3], axis=0)).max(initial=0) < 0.25  # per 5 ms


@settings(max_examples=30)
@given(pairs=SEGMENTS)
def test_labels_are_the_segment_at_that_time(pairs):
    segments = timed(pairs)
    middles_s = np.array([(s.start_s + s.end_s) / 2 for s in segments])
    assert class_labels(segments, middles_s).tolist() == [CLASS_INDEX[s.phone_class] for s in segments]
    outside = class_labels(segments, np.array([-1.0, 1e3]))
    assert outside.tolist() == [CLASS_INDEX[segments[0].phone_class], CLASS_INDEX[segments[-1].phone_class]]


def test_a_picture_takes_means_and_half_the_maximum_of_quick_parameters():
    curves = np.zeros((3, 4, 6), np.float32)
    curves[1, 2] = 1
    pooled = pool_over_picture(curves)
    assert pooled.shape == (3, 6)
    assert pooled[1].tolist() == [0.25, 0.25, 0.25, 0.625, 0.625, 0.25]
    assert not pooled[[0, 2]].any()
