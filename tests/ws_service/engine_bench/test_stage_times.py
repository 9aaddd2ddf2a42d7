# ruff: noqa: E402 - without torch this module is skipped
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from ws_service.engine_bench.card import look_at_card
from ws_service.engine_bench.device_clock import DeviceClock
from ws_service.engine_bench.failure import BenchError
from ws_service.engine_bench.figures import Arithmetic
from ws_service.engine_bench.reference_way import ReferenceWay
from ws_service.engine_bench.stage_times import StageTimes, measure_start

CPU = torch.device("cpu")
CLOCK = DeviceClock(CPU, budget_s=0.0)


@pytest.mark.parametrize(("decoder", "batch"), [("full", 1), ("tiny", 2)])
def test_every_stage_and_both_ways_are_timed_with_each_decoder(
    decoder, batch, random_weights, avatar_folder, small_avatar
) -> None:
    engine, start = measure_start(random_weights, CPU, torch.float32, decoder, avatar_folder)
    assert start.decoder == decoder
    assert start.vram_bytes == 0
    assert min(start.load_s, start.avatar_first_s, start.avatar_again_s, start.first_frame_ms) > 0
    times = StageTimes(engine, ReferenceWay(random_weights, CPU, torch.float32), small_avatar, random_weights)
    arithmetic = Arithmetic(23.4, 1.1, {"full": 8.3, "tiny": 0.4})
    bucket = times.bucket(batch, CLOCK, arithmetic, look_at_card(CLOCK, torch.float32))
    assert (bucket.decoder, bucket.batch) == (decoder, batch)
    assert list(bucket.stages_ms) == ["audio encoder", "UNet", "VAE decoder", "blend and YUV", "copy to the host"]
    assert min(bucket.stages_ms.values()) > 0
    assert bucket.ratio == bucket.reference_ms / bucket.path_ms > 0
    assert 0 < bucket.reference_blend_ms < bucket.reference_ms
    assert bucket.fps == batch * 1000 / bucket.generate_ms > 0
    assert bucket.peak_share > 0  # the card and its peak are timed apart: a busy machine may say more than all of it
    engine.max_batch = 1
    with pytest.raises(BenchError, match="at most 1 frames"):
        times.bucket(2, CLOCK)
