import numpy as np
import pytest

from test_client.load_figures import UserRecord
from test_client.statistics import StreamStatistics
from ws_service.engine_bench.lateness import lateness, picture_lateness_s, slip_s, strict_problem


def user(ticks: list[int], generated: list[bool] | None = None, late_s: dict[int, float] | None = None) -> UserRecord:
    """A speaking user who got a picture at each of these ticks, some of them later than due."""
    statistics = StreamStatistics()
    for tick in ticks:
        received_s = tick * 0.04 + (late_s or {}).get(tick, 0.0)
        statistics.frame(received_s, tick * 40, generated is None or generated[tick], tick == 0, 1000)
    return UserRecord(speaks=True, statistics=statistics)


def test_pictures_in_time_are_not_late_whatever_their_common_delay() -> None:
    assert picture_lateness_s(5.0 + np.arange(100) * 0.04) == pytest.approx(0)
    assert picture_lateness_s(np.zeros(0)) == 0


def test_the_latest_picture_counts() -> None:
    received_s = np.arange(100) * 0.04
    received_s[60:63] += (0.09, 0.05, 0.01)
    assert picture_lateness_s(received_s) == pytest.approx(0.09)


def test_speech_slips_by_each_frame_that_was_held_and_a_new_utterance_begins_anew() -> None:
    first = np.delete(np.arange(53), [10, 11, 30]) * 0.04  # 50 frames, three ticks without one
    second = 5.0 + np.arange(50) * 0.04
    assert slip_s(first) == pytest.approx(0.12)
    assert slip_s(np.concatenate([first, second])) == pytest.approx(0.12)
    assert slip_s(np.concatenate([second - 5, 2 * second])) > 1
    assert slip_s(np.zeros(0)) == 0


def test_users_who_get_all_in_time_have_no_problem() -> None:
    records = [user(list(range(300))), user(list(range(300)), late_s={100: 0.07})]
    assert strict_problem(records, 1.0, 11.0) is None
    seen = lateness(records, 1.0, 11.0)
    assert seen.picture_ms == pytest.approx(70)
    assert seen.generated_fps == pytest.approx(25, abs=0.11)


def test_whatever_is_not_strict_is_named() -> None:
    every_second = [tick % 2 == 0 for tick in range(300)]
    a_few_held = [tick % 60 != 0 for tick in range(300)]
    lost = user(list(range(300)))
    lost.failure = "The server closed the conversation."
    cases = {
        "refused or lost: The server closed": [user(list(range(300))), lost],
        "1 pictures did not arrive": [user([tick for tick in range(300) if tick != 150])],
        "got 12.50 generated": [user(list(range(300)), every_second)],
        "slipped 4.0 frames": [user(list(range(300)), a_few_held)],
        "came 130 ms late": [user(list(range(300)), late_s={100: 0.13})],
    }
    for words, records in cases.items():
        problem = strict_problem(records, 1.0, 11.0)
        assert problem is not None
        assert words in problem


def test_users_who_only_watch_are_not_counted() -> None:
    watching = user(list(range(300)), [False] * 300, late_s={100: 0.5})
    watching.speaks = False
    assert lateness([watching], 1.0, 11.0).picture_ms == 0
