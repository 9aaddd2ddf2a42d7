"""What is measured before the service is ready, and how many speakers follow from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.avatars import make_avatar
from tests.fakes.engine import FakeEngine
from ws_service.generation.batch_times import BUCKETS, BatchTimes
from ws_service.generation.capacity import Measurement, NoiseSource, full_rate_speakers


def run(measurement: Measurement, batch_s, first_extra_s: float = 0.0) -> list[int]:
    """The sizes that were run, in order; `batch_s(size)` is how long each takes, the first of a size longer."""
    sizes: list[int] = []
    while (size := measurement.next_size) is not None:
        measurement.took(batch_s(size) + (first_extra_s if size not in sizes else 0.0))
        sizes.append(size)
    return sizes


def test_every_size_is_run_once_for_nothing_and_three_times_for_the_clock():
    measurement = Measurement(32)
    sizes = run(measurement, lambda size: 0.001 * size, first_extra_s=5.0)
    assert sizes == [size for size in BUCKETS for _ in range(4)]
    assert measurement.times().sizes == BUCKETS
    assert measurement.times().seconds == pytest.approx([0.001 * size for size in BUCKETS])


def test_the_median_counts_so_that_one_hiccup_does_not():
    measurement = Measurement(1)
    for taken_s in (9.0, 0.002, 0.090, 0.003):
        measurement.took(taken_s)
    assert measurement.times().seconds == (0.003,)


def test_an_engine_far_from_real_time_is_asked_for_two_batches_and_no_more():
    measurement = Measurement(32)
    assert run(measurement, lambda size: 2.0 * size) == [1, 1]
    assert full_rate_speakers(measurement.times(), 32) == 1


def test_sizes_that_take_longer_than_a_tick_are_not_gone_beyond():
    measurement = Measurement(32)
    run(measurement, lambda size: 0.011 * size)
    assert measurement.times().sizes == (1, 2, 4)


def test_the_largest_batch_of_an_engine_is_measured_whatever_its_size():
    measurement = Measurement(12)
    run(measurement, lambda size: 0.0001 * size)
    assert measurement.times().sizes == (1, 2, 4, 8, 12)


@given(st.lists(st.floats(0, 0.3), min_size=24, max_size=24), st.sampled_from([1, 2, 3, 32]))
def test_whatever_the_clock_says_there_is_an_answer_and_times_grow_with_size(taken_s, max_batch):
    measurement, clock = Measurement(max_batch), iter(taken_s)
    run(measurement, lambda size: next(clock))
    seconds = measurement.times().seconds
    assert list(seconds) == sorted(seconds)
    assert full_rate_speakers(measurement.times(), max_batch) >= 1


def test_a_fifth_is_kept_back():
    card = BatchTimes(BUCKETS, (0.003, 0.004, 0.0055, 0.009, 0.016, 0.030))
    assert full_rate_speakers(card, 32) == 32
    assert full_rate_speakers(card, 4) == int(0.8 * 4 * 40 / 5.5)


def test_without_a_measurement_nothing_is_said():
    assert full_rate_speakers(BatchTimes(), 32) is None


def test_the_noise_is_loud_fits_the_engine_and_goes_on_in_the_same_voices():
    engine, avatar = FakeEngine(max_batch=8), make_avatar()
    noise = NoiseSource(engine, avatar)
    engine.generate(noise.frames(2))
    frames = noise.frames(5)
    mouths = engine.generate(frames)
    assert [mouth.number for mouth in mouths] == [1, 1, 0, 0, 0]
    assert all(np.abs(frame.window).max() > 0.2 for frame in frames)
    assert [frame.base.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].avatar is avatar
