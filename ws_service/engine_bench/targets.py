"""What a data-centre card is to reach with nets of the published size, and whether a run reached it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ws_service.engine_bench.figures import BenchResult, BucketFigures, ServiceBench, SpeakingFigures
from ws_service.engine_bench.lateness import STRICT_FRAMES

RATIO = {"full": 2.5, "tiny": 5.0}
SPEAKERS = {"full": 20, "tiny": 40}
START_ONE_MS = 250
START_FULL_MS = 350
LONG_S = 290.0  # a run of five minutes, less what it takes until all are connected


@dataclass(frozen=True, slots=True)
class Target:
    """`met` None: not measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None

    @property
    def row(self) -> tuple[str, str, str, str]:
        """For a table."""
        verdict = {True: "met", False: "missed", None: "not measured"}[self.met]
        return self.what, self.wanted, self.measured, verdict


def compare(result: BenchResult) -> list[Target]:
    """Every target; none where this was no GPU or the nets were not of the published size: they do not apply."""
    if not (result.on_gpu and result.real_size):
        return []
    return [target for decoder in RATIO for target in _of_decoder(result, decoder)]


def _of_decoder(result: BenchResult, decoder: str) -> Iterator[Target]:
    buckets = [bucket for bucket in result.buckets if bucket.decoder == decoder]
    service = next((service for service in result.services if service.decoder == decoder), None)
    yield _ratio(decoder, buckets)
    wanted = SPEAKERS[decoder]
    found = None if service is None else service.strict_speakers
    yield Target(
        f"speakers at strict 25 fps, {decoder} decoder",
        f">= {wanted}",
        "" if found is None else str(found),
        None if found is None else found >= wanted,
    )
    yield _start(f"start of speech, 1 speaker, {decoder} decoder", START_ONE_MS, service, lambda s: s.one)
    yield _start(f"start of speech at capacity, {decoder} decoder", START_FULL_MS, service, lambda s: s.full)
    long = None if service is None or service.long is None or service.long.seconds < LONG_S else service.long
    yield Target(
        f"lateness over 5 minutes at capacity, {decoder} decoder",
        f"<= {STRICT_FRAMES} frames",
        "" if long is None else f"pictures {long.late_ms:.0f} ms, speech {long.slip_frames:.1f} frames",
        None if long is None else long.problem is None,
    )


def _ratio(decoder: str, buckets: list[BucketFigures]) -> Target:
    """At the same batch: the target holds for every batch size, so the least ratio counts."""
    what, wanted = f"times the reference's way, {decoder} decoder", RATIO[decoder]
    if not buckets:
        return Target(what, f">= {wanted}", "", None)
    least, most = (choose(buckets, key=lambda bucket: bucket.ratio) for choose in (min, max))
    measured = f"{least.ratio:.2f} (batch {least.batch}) to {most.ratio:.2f} (batch {most.batch})"
    return Target(what, f">= {wanted} at the same batch", measured, least.ratio >= wanted)


def _start(
    what: str, most_ms: float, service: ServiceBench | None, choose: Callable[[ServiceBench], SpeakingFigures | None]
) -> Target:
    figures = None if service is None else choose(service)
    p95_ms = None if figures is None else figures.start_p95_ms
    if figures is None or p95_ms is None:
        return Target(what, f"p95 <= {most_ms} ms", "", None)
    return Target(what, f"p95 <= {most_ms} ms", f"p95 {p95_ms:.0f} ms of {figures.starts}", p95_ms <= most_ms)
