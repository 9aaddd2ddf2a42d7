from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preparation.one_euro import one_euro

RATE = 25.0


def _wave(hz: float, size: float = 1.0, count: int = 200) -> np.ndarray:
    return size * np.sin(2 * np.pi * hz * np.arange(count) / RATE)[:, None]


def test_one_direction_is_the_published_formula():
    values, (speed, filtered) = [0.0, 1.0, 1.5, 0.5], (0.0, 0.0)
    forward = [0.0]
    for before, value in pairwise(values):
        share = 1 / (1 + RATE / (2 * np.pi * 1.0))
        speed = share * (value - before) * RATE + (1 - share) * speed
        share = 1 / (1 + RATE / (2 * np.pi * (0.5 + 0.3 * abs(speed))))
        filtered = share * value + (1 - share) * filtered
        forward.append(filtered)
    both = one_euro(np.array(values)[:, None], RATE, 0.5, 0.3)
    # the other direction is the same filter on the reversed samples
    backward = 2 * one_euro(np.array(values[::-1])[:, None], RATE, 0.5, 0.3)[::-1] - 2 * both
    assert np.allclose(backward, 0)
    assert both[-1, 0] == pytest.approx((forward[-1] + values[-1]) / 2)


def test_shaking_is_held_and_slow_movement_is_let_through_without_lag():
    shaking, sway = _wave(5.0, 0.02), _wave(0.2)
    filtered = one_euro(shaking + sway, RATE, 0.5, 1.0)[25:-25]
    assert np.abs(filtered - sway[25:-25]).max() < 0.08
    fast = np.diff(filtered, 3, axis=0).std() / np.diff((shaking + sway)[25:-25], 3, axis=0).std()
    assert fast < 0.3


def test_the_faster_it_moves_the_less_is_held():
    held = [np.abs(one_euro(_wave(1.5, size), RATE, 0.5, 1.0)).max() / size for size in (0.01, 0.1, 1.0)]
    assert held == sorted(held)
    assert held[2] > held[0] + 0.2


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_what_comes_out_lies_between_what_went_in(values):
    track = np.array(values)[:, None]
    filtered = one_euro(track, RATE, 0.5, 1.0)
    assert filtered.shape == track.shape
    assert track.min() - 1e-6 <= filtered.min() <= filtered.max() <= track.max() + 1e-6
