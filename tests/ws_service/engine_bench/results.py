"""A whole result with made-up figures of a card that reaches every target, for tests of tables, targets and files."""

from ws_service.engine_bench.figures import (
    Arithmetic,
    BenchResult,
    BucketFigures,
    Card,
    FailedPart,
    ServiceBench,
    SpeakingFigures,
    StartFigures,
    TestedNumber,
)


def bucket(decoder: str = "full", batch: int = 8, path_ms: float = 20.0, reference_ms: float = 110.0) -> BucketFigures:
    stages = {"audio encoder": 2.0, "UNet": 5.0, "VAE decoder": 12.0, "blend and YUV": 2.0, "copy to the host": 1.0}
    return BucketFigures(decoder, batch, stages, path_ms, reference_ms, 30.0, path_ms + 4, 0.4)


def speaking(speakers: int = 1, seconds: float = 30.0, p95_ms: float = 200.0) -> SpeakingFigures:
    counts = {"frames_sent_total": 750, "frames_late_total": 0}
    return SpeakingFigures(speakers, seconds, 12, 150.0, p95_ms, 12.0, 0.4, 600, counts, 0.1, None)


def service(decoder: str, speakers: int) -> ServiceBench:
    engine = {"capacity": {"speakers_full_rate": speakers}}
    tested = [TestedNumber(speakers, None), TestedNumber(speakers + 1, "not run")]
    return ServiceBench(decoder, 20.0, engine, tested, speaking(), speaking(speakers), speaking(speakers, 299.0))


def result(*, on_gpu: bool = True) -> BenchResult:
    return BenchResult(
        command="musetalk bench engine --random-weights",
        began="2026-01-31T12:00:00+00:00",
        weights="random weights, full size",
        real_size=True,
        on_gpu=on_gpu,
        card=Card("A Card", 141.0, "float16", "570.1", "clocks.sm 1980 MHz", 700.0, "A CPU", 16, "torch 2"),
        arithmetic=Arithmetic(36.9, 177.8, {"full": 622.2, "tiny": 60.0}),
        starts=[
            StartFigures(decoder, 8.0, 5.0, 0.1, 40.0, 6 * 2**30, "triton", [1, 2], None)
            for decoder in ("full", "tiny")
        ],
        buckets=[bucket("full", batch) for batch in (1, 8)] + [bucket("tiny", 8, 15.0)],
        services=[service("full", 20), service("tiny", 40)],
        failed=[FailedPart("batch 32, full decoder", "not enough | memory\nat all")],
        seconds=321.0,
    )
