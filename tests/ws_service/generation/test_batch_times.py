"""From measured seconds to sizes and starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.generation.batch_times import (
    BUCKETS,
    COMPANY,
    LONGEST_BATCH_S,
    SLACK_UNMEASURED_S,
    TICK_S,
    TURN_IN_COMPANY_S,
    BatchTimes,
)

CARD = BatchTimes(BUCKETS, (0.003, 0.004, 0.0055, 0.009, 0.016, 0.030))

measured = st.lists(st.floats(1e-4, 0.2), min_size=1, max_size=6).map(
    lambda seconds: BatchTimes(BUCKETS[: len(seconds)], tuple(sorted(seconds)))
)


def test_nothing_measured_limits_nothing():
    nothing = BatchTimes()
    assert nothing.expected_s(7) == 0
    assert nothing.slack_s(7) == SLACK_UNMEASURED_S
    assert (nothing.limit(12), nothing.size(40, 12), nothing.frames_per_tick(12)) == (12, 12, None)


def test_the_quicker_the_engine_the_longer_its_batches_wait_for_company():
    quick = BatchTimes(BUCKETS, (0.0002, 0.0003, 0.0004, 0.0008, 0.0016, 0.0032))
    assert quick.slack_s(1) < quick.slack_s(8) < CARD.slack_s(1) < CARD.slack_s(8)
    assert quick.slack_s(8) == pytest.approx(0.005)


def test_a_batch_between_two_sizes_takes_as_long_as_the_larger_one():
    assert [CARD.expected_s(n) for n in (1, 3, 4, 5, 16, 17)] == [0.003, 0.0055, 0.0055, 0.009, 0.016, 0.030]


def test_beyond_the_largest_size_time_grows_in_proportion():
    assert CARD.expected_s(64) == pytest.approx(0.060)


def test_batches_are_not_longer_than_lets_two_of_them_fit_into_a_tick_and_its_grace():
    assert CARD.limit(32) == 16
    assert CARD.limit(8) == 8
    assert BatchTimes((1, 2), (0.3, 0.5)).limit(32) == 1


def test_a_mouth_may_take_the_batch_in_work_and_its_own():
    assert CARD.turn_s(16) == pytest.approx(0.032)
    assert BatchTimes().turn_s(16) == 0
    assert BatchTimes((1,), (2.0,)).turn_s(1) == pytest.approx(0.050), "more than a tick and its grace is never waited"


def test_among_several_speakers_a_mouth_may_wait_for_company():
    quick = BatchTimes(BUCKETS, (0.0002, 0.0003, 0.0004, 0.0008, 0.0016, 0.0032))
    assert quick.turn_s(COMPANY - 1) == pytest.approx(0.0008), "a few cost little either way"
    assert quick.turn_s(COMPANY) == TURN_IN_COMPANY_S


def test_a_full_smaller_batch_goes_before_a_larger_one_that_would_be_filled_up():
    assert CARD.size(9, 32) == 8
    assert CARD.size(15, 32) == 15
    assert CARD.size(40, 32) == 16
    assert CARD.size(3, 32) == 3
    assert CARD.size(0, 32) == 0


def test_short_batches_are_not_split():
    quick = BatchTimes(BUCKETS, (0.0002, 0.0003, 0.0004, 0.0008, 0.0016, 0.0032))
    assert quick.size(5, 32) == 5
    assert quick.size(9, 32) == 9


def test_a_card_of_40_frames_in_40_ms_is_known_as_one():
    assert CARD.frames_per_tick(32) == pytest.approx(40)


def test_out_of_memory_costs_frames():
    assert CARD.frames_per_tick(8) == pytest.approx(8 * 40 / 9)


def test_an_engine_far_from_real_time_is_known_by_its_smallest_batch():
    assert BatchTimes((1,), (2.0,)).frames_per_tick(32) == pytest.approx(0.02)


@given(measured, st.integers(1, 200), st.sampled_from(BUCKETS))
def test_whatever_was_measured_a_batch_is_never_empty_too_large_or_too_long(times, waiting, max_batch):
    size = times.size(waiting, max_batch)
    assert 1 <= size <= min(waiting, max_batch)
    assert size == 1 or times.expected_s(size) <= LONGEST_BATCH_S
    assert times.slack_s(size) > times.expected_s(size)
    assert times.frames_per_tick(max_batch) >= TICK_S / times.expected_s(1) * (1 - 1e-9)


@given(measured, st.integers(1, 200), st.sampled_from(BUCKETS))
def test_the_batch_that_is_taken_makes_as_many_frames_a_second_as_all_that_wait_would(times, waiting, max_batch):
    size = times.size(waiting, max_batch)
    all_of_them = min(waiting, times.limit(max_batch))
    if times.expected_s(all_of_them) < 0.004:
        assert size == all_of_them
        return
    assert size / times.expected_s(size) >= all_of_them / times.expected_s(all_of_them) * (1 - 1e-9)
