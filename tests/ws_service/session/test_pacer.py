"""The 40 ms grid: no drift, no burst, every missed deadline counted."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.session.pacer import PERIOD_S, Pacer

START_S = 1234.5


def stream(works_s: list[float]) -> tuple[list[float], list[int], Pacer]:
    """Frames that take so long each: when each was begun, and what `advance` said."""
    pacer, now_s, begun_s, missed = Pacer(START_S), START_S, [], []
    for work_s in works_s:
        now_s = max(now_s, pacer.deadline_s)
        begun_s.append(now_s)
        missed.append(pacer.advance(now_s))
        now_s += work_s
    return begun_s, missed, pacer


def test_the_first_frame_is_due_at_once():
    assert Pacer(START_S).deadline_s == START_S


def test_an_hour_of_frames_does_not_drift():
    begun_s, missed, pacer = stream([0.013] * 90_000)
    assert pacer.deadline_s == pytest.approx(START_S + 3600, abs=1e-6)
    assert not any(missed)
    assert begun_s[45_000] == pytest.approx(START_S + 1800, abs=1e-6)


def test_late_by_less_than_two_periods_keeps_the_grid():
    pacer = Pacer(START_S)
    assert pacer.advance(START_S + 0.079) == 0
    assert pacer.deadline_s == START_S + PERIOD_S


@pytest.mark.parametrize(("late_s", "missed"), [(0.081, 2), (0.119, 2), (0.121, 3), (1.001, 25), (3600.001, 90_000)])
def test_late_by_more_starts_the_grid_anew_and_counts_what_was_missed(late_s, missed):
    pacer = Pacer(START_S)
    assert pacer.advance(START_S + late_s) == missed
    assert pacer.deadline_s == pytest.approx(START_S + late_s + PERIOD_S)


def test_after_a_long_stall_no_frames_come_in_a_burst():
    begun_s, missed, _ = stream([10.0] + [0.001] * 100)
    assert sum(missed) == 249, "the second frame was due 40 ms into the stall"
    gaps = [later - earlier for earlier, later in pairwise(begun_s[1:])]
    assert min(gaps) == pytest.approx(PERIOD_S)


def test_a_machine_that_is_always_too_slow_makes_every_frame_and_counts_the_rest():
    begun_s, missed, _ = stream([0.100] * 500)
    elapsed_s = begun_s[-1] - begun_s[0]
    assert len(begun_s) == 500
    assert sum(missed) + 499 == pytest.approx(elapsed_s / PERIOD_S, rel=0.25)


@given(st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=120))
def test_whatever_the_frames_take_the_stream_is_never_more_than_two_frames_ahead_of_the_clock(works_s):
    begun_s, missed, pacer = stream(works_s)
    for first in range(len(begun_s)):
        for last in range(first, len(begun_s)):
            assert (last - first) * PERIOD_S <= begun_s[last] - begun_s[first] + 2 * PERIOD_S + 1e-9
    restarts = sum(count > 0 for count in missed)
    counted_s = START_S + (len(works_s) + sum(missed)) * PERIOD_S
    assert -1e-9 <= pacer.deadline_s - counted_s <= restarts * PERIOD_S + 1e-9


@given(st.lists(st.floats(0, PERIOD_S), max_size=200))
def test_frames_that_take_less_than_a_period_stay_on_the_grid(works_s):
    begun_s, missed, _ = stream(works_s)
    assert not any(missed)
    for n, at_s in enumerate(begun_s):
        assert at_s - (START_S + n * PERIOD_S) <= PERIOD_S
