import json
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")


def run(*options: str, cwd) -> subprocess.CompletedProcess[str]:
    program = "from ws_service.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "bench", "engine", *options], cwd=cwd, capture_output=True, text=True
    )


@pytest.mark.timeout(600)  # about a minute on a quiet machine
def test_the_whole_benchmark_runs_on_a_cpu_with_tiny_random_weights(tmp_path) -> None:
    ended = run("--random-weights", "--size", "tiny", "--device", "cpu", "--quick", "--output", "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    made = json.loads((tmp_path / "out" / "engine.json").read_text())
    assert made["failed"] == []
    assert [(row["decoder"], row["batch"]) for row in made["buckets"]] == [("full", 1), ("tiny", 1)]
    assert all(row["ratio"] > 0 for row in made["buckets"])
    assert [service["decoder"] for service in made["services"]] == ["full", "tiny"]
    for service in made["services"]:
        assert service["engine"]["vae_decoder"] == service["decoder"]
        assert service["one"]["generated_frames"] > 0
        assert service["tested"]
    block = (tmp_path / "out" / "engine.md").read_text()
    assert "random weights, tiny size" in block
    assert "Targets" not in block  # they are for a GPU
    assert "times faster" in ended.stdout


def test_missing_weights_are_one_sentence_that_knows_a_way_out(tmp_path) -> None:
    ended = run("--device", "cpu", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.strip().startswith("musetalk: weights/musetalkV15/musetalk.json is missing (MODEL_PATH)")
    assert "--random-weights" in ended.stderr
