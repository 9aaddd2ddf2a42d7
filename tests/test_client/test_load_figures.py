import pytest

from test_client.load_figures import UserRecord, load_figures, steady_gaps_s
from test_client.statistics import Distribution, StreamStatistics


def user(*, speaks: bool = False, began_s: float = 0.0, frames: int = 100, step_s: float = 0.04) -> UserRecord:
    statistics = StreamStatistics(connect_began_s=began_s - 0.05)
    for index in range(frames):
        statistics.frame(began_s + index * step_s, index * 40, speaks, index % 25 == 0, 5000)
    if speaks:
        statistics.speech_sent(began_s - 0.1)
    return UserRecord(speaks, statistics)


def test_users_of_each_kind_are_joined() -> None:
    figures = load_figures([user(), user(), user(speaks=True)], 0.0, 10.0, 0.25, Distribution(0))
    assert (figures.idle.users, figures.speaking.users) == (2, 1)
    assert figures.idle.frames == 200
    assert figures.idle.mean_fps == pytest.approx(25.0)
    assert figures.idle.first_frame.p50_ms == pytest.approx(50.0)
    assert figures.idle.speaking_start == Distribution(0)
    assert figures.speaking.speaking_start.max_ms == pytest.approx(100.0)
    assert figures.speaking.speaking_mbit_s == pytest.approx(1.0)
    assert figures.all_well


def test_only_the_time_that_counts_makes_gaps_and_rates() -> None:
    slow_at_first = user(began_s=0.0)
    gaps_s = steady_gaps_s([slow_at_first], 2.0, 3.0)
    assert gaps_s.size == 25
    assert steady_gaps_s([], 0.0, 1.0).size == 0
    assert steady_gaps_s([slow_at_first], 50.0, 60.0).size == 0


def test_the_shares_of_short_gaps_and_the_slowest_user_are_told() -> None:
    figures = load_figures([user(frames=101), user(frames=101, step_s=0.055)], 0.0, 10.0, 0.0, Distribution(0))
    assert figures.idle.up_to_50_ms == pytest.approx(0.5)
    assert figures.idle.up_to_60_ms == pytest.approx(1.0)
    assert figures.idle.least_fps == pytest.approx(1 / 0.055)


def test_refused_and_lost_users_are_counted_and_their_reasons_joined() -> None:
    refused, lost = user(frames=0), user()
    refused.failure = lost.failure = "No place."
    figures = load_figures([refused, lost, user()], 0.0, 10.0, 0.0, Distribution(0))
    assert (figures.idle.refused, figures.idle.lost) == (1, 1)
    assert figures.failures == {"No place.": 2}
    assert not figures.all_well


def test_a_missing_frame_is_not_well() -> None:
    record = user()
    record.statistics.frame(4.0, 40_000, False, False, 1)
    assert not load_figures([record], 0.0, 10.0, 0.0, Distribution(0)).all_well


def test_no_users_of_a_kind_have_no_figures() -> None:
    group = load_figures([user()], 0.0, 10.0, 0.0, Distribution(0)).speaking
    assert (group.users, group.mean_fps, group.least_fps, group.up_to_50_ms) == (0, None, None, None)


def test_the_figures_become_json() -> None:
    as_dict = load_figures([user()], 0.0, 10.0, 0.5, Distribution(0)).as_dict()
    assert as_dict["client_cpu_share"] == 0.5
