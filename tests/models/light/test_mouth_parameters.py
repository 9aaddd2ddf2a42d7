"""The filter between the network and the mouth: rest, closures, bounds, determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.light.mouth_parameters import PARAMETER_NAMES, PARAMETERS, MouthFilter, MouthParameters

REST = np.zeros(PARAMETERS, np.float32)
ESTIMATES = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=PARAMETERS, max_size=PARAMETERS), min_size=1, max_size=40
).map(lambda rows: np.array(rows, np.float32))


def estimate(**values: float) -> np.ndarray:
    return np.array([values.get(name, 0.0) for name in PARAMETER_NAMES], np.float32)


def movement(estimates) -> list[np.ndarray]:
    mouth = MouthFilter()
    return [mouth.step(row) for row in estimates]


def test_names_are_the_fields_in_order():
    assert MouthParameters._fields == PARAMETER_NAMES


def test_an_utterance_begins_at_rest_and_nothing_keeps_it_there():
    assert all(np.array_equal(shape, REST) for shape in movement([REST] * 5))


def test_the_jaw_reaches_an_open_vowel_within_two_pictures():
    shapes = movement([estimate(open=0.8)] * 2)
    assert shapes[0][0] > 0.5
    assert shapes[1][0] > 0.75


def test_a_clear_closure_is_there_at_once():
    mouth = MouthFilter()
    for _ in range(5):
        mouth.step(estimate(open=0.8))
    assert mouth.step(estimate(open=0.1, close=0.95))[3] == pytest.approx(1.0)


def test_weak_evidence_of_a_closure_closes_nothing():
    assert movement([estimate(open=0.5, close=0.2)] * 10)[-1][3] == 0


def test_breath_does_not_move_the_jaw():
    assert all(shape[0] == 0 for shape in movement([estimate(open=0.03)] * 10))


def test_lips_pressed_are_not_at_the_teeth():
    shape = movement([estimate(close=1.0, fv=1.0)] * 5)[-1]
    assert shape[3] == pytest.approx(1.0)
    assert shape[4] < 0.05


def test_three_hundred_milliseconds_of_silence_end_exactly_at_rest():
    mouth = MouthFilter()
    for _ in range(10):
        mouth.step(np.ones(PARAMETERS, np.float32))
    for _ in range(7):  # 280 ms
        shape = mouth.step(REST)
    assert np.array_equal(shape, REST)


@settings(max_examples=60)
@given(rows=ESTIMATES)
def test_any_estimates_give_finite_parameters_within_bounds(rows):
    for shape in movement(rows):
        assert shape.shape == (PARAMETERS,)
        assert shape.dtype == np.float32
        assert np.all((shape >= 0) & (shape <= 1))


@settings(max_examples=30)
@given(rows=ESTIMATES)
def test_the_same_estimates_give_the_same_movement(rows):
    assert np.array_equal(movement(rows), movement(rows))


def test_what_a_step_returned_stays_as_it_was():
    mouth = MouthFilter()
    first = mouth.step(estimate(open=0.9))
    kept = first.copy()
    mouth.step(REST)
    assert np.array_equal(first, kept)


def test_a_step_leaves_the_estimate_as_it_was():
    row = estimate(open=0.9, close=0.6, fv=0.3)
    kept = row.copy()
    MouthFilter().step(row)
    assert np.array_equal(row, kept)
