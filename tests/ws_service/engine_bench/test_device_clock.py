# ruff: noqa: E402 - without torch this module is skipped
import pytest

torch = pytest.importorskip("torch")

from ws_service.engine_bench.device_clock import DeviceClock

CPU = torch.device("cpu")


def test_works_run_in_turns_after_a_warm_up_and_at_least_three_times() -> None:
    ran: list[str] = []
    medians = DeviceClock(CPU, budget_s=0.0).medians_ms(lambda: ran.append("ours"), lambda: ran.append("theirs"))
    assert ran == ["ours", "theirs"] * 4
    assert len(medians) == 2
    assert all(ms >= 0 for ms in medians)


def test_it_stops_at_the_most_runs_however_much_time_there_is() -> None:
    ran: list[int] = []
    DeviceClock(CPU, budget_s=60.0, most_runs=7).medians_ms(lambda: ran.append(1))
    assert len(ran) == 1 + 7


def test_what_fails_is_not_hidden() -> None:
    def fails() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        DeviceClock(CPU).medians_ms(fails)
