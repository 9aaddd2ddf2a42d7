# ruff: noqa: E402 - without torch this module is skipped
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from tests.ws_service.engine_bench.results import result as any_result
from ws_service.engine_bench.benchmark import Benchmark
from ws_service.engine_bench.command import bench_plan
from ws_service.engine_bench.figures import BenchResult


def test_parts_that_fail_are_noted_with_their_reason_and_the_rest_goes_on(tmp_path) -> None:
    """Nothing but an empty folder to measure: all that needs weights fails, the card is looked at all the same."""
    result = BenchResult("musetalk bench engine", "2026-01-31T12:00:00+00:00", "none", False, False)
    saved: list[int] = []
    plan = bench_plan(tmp_path / "nothing", on_gpu=False, quick=True, minutes=0)
    Benchmark(plan, result, tmp_path, [].append, lambda made: saved.append(len(made.failed))).run()
    assert result.card is not None
    assert result.card.peak_tflops > 0
    reasons = {part.part: part.reason for part in result.failed}
    assert list(reasons) == ["arithmetic", "engine, full decoder", "service, full decoder"]
    assert "musetalk.json" in reasons["arithmetic"]
    assert "musetalk.json" in reasons["engine, full decoder"]
    assert "ENGINE=musetalk" in reasons["service, full decoder"]
    assert saved[0] == 0  # after the first part already
    assert saved[-1] == 3


@pytest.mark.parametrize("on_gpu", [True, False])
def test_quick_measures_less_and_a_cpu_gets_single_precision(on_gpu) -> None:
    quick = bench_plan(Path("weights"), on_gpu=on_gpu, quick=True, minutes=0)
    whole = bench_plan(Path("weights"), on_gpu=on_gpu, quick=False, minutes=5)
    assert whole.batches == (1, 2, 4, 8, 16, 32)
    assert whole.load.long_s == 300
    assert quick.load.long_s == 0
    assert quick.budget_s < whole.budget_s
    assert quick.dtype == (torch.float16 if on_gpu else torch.float32)
    assert (whole.short_avatar, quick.short_avatar) == (not on_gpu, True)


def test_the_services_own_capacity_is_found_in_what_it_says() -> None:
    full, _ = any_result().services
    assert full.full_rate == 20
    assert full.strict_speakers == 20
    full.engine = {"capacity": {"speakers_full_rate": None}}
    assert full.full_rate is None
