"""The measure itself: the truth scores well, other mouths do not."""

import numpy as np
import pytest

from models.light.training.phones import Segment
from models.light.training.score import figures, opening, smooth, true_parameters
from models.light.training.utterance import Utterance


@pytest.fixture(scope="module")
def utterance() -> Utterance:
    rng = np.random.default_rng(8)
    names = ["PBM", "AA", "DT", "IY", "FV", "OH", "SZ", "AE", "KG", "UW"]
    segments, start_s = [Segment(0.0, 0.3, "sil")], 0.3
    for _ in range(60):
        end_s = start_s + float(rng.uniform(0.05, 0.16))
        segments.append(Segment(start_s, end_s, names[rng.integers(len(names))]))
        start_s = end_s
    segments.append(Segment(start_s, start_s + 0.3, "sil"))
    return Utterance("made/up", np.zeros(int((start_s + 0.3) * 16_000), np.float32), segments, "")


def test_the_true_parameters_score_nearly_one(utterance):
    row = figures([utterance], true_parameters)
    assert row.opening == pytest.approx(row.true_opening)
    assert row.opening > 0.97
    assert abs(row.lag_ms) <= 5
    assert row.closed_on_pbm > 0.99
    assert row.amplitude == pytest.approx(1, abs=0.01)
    assert row.busyness == pytest.approx(1)


def test_the_filter_costs_little_and_delays_less_than_a_picture(utterance):
    row = figures([utterance], lambda u: smooth(true_parameters(u)))
    assert row.opening > 0.85
    assert 0 <= row.lag_ms <= 30


def test_a_late_mouth_is_measured_late(utterance):
    row = figures([utterance], lambda u: np.roll(true_parameters(u), 2, axis=0))
    assert row.lag_ms == pytest.approx(80, abs=10)


def test_a_reversed_mouth_scores_low(utterance):
    row = figures([utterance], lambda u: true_parameters(u)[::-1])
    assert row.opening < 0.5
    assert row.closed_on_pbm < 0.85


def test_a_closure_takes_most_of_the_opening_away():
    assert opening(np.array([1.0, 0, 0, 0, 0, 0])) == pytest.approx(1.0)
    assert opening(np.array([1.0, 0, 0, 1.0, 0, 0])) == pytest.approx(0.15)
