"""What a run of the benchmark found out, as plain values: for JSON, for the tables and for the plots. No torch here."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """What the figures were measured on. `driver` and the clocks are empty where nvidia-smi does not tell them."""

    name: str
    memory_gib: float
    precision: str
    driver: str
    clocks: str  # right after the product of matrices, so that the card is awake
    peak_tflops: float
    cpu: str
    cores: int
    versions: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """10^9 operations (a multiplication and an addition are two) for one frame; the encoder's are for 30 s of sound."""

    audio_gflop: float
    unet_gflop: float
    decoder_gflop: dict[str, float]  # by VAE_DECODER

    def frame_gflop(self, decoder: str) -> float:
        """UNet and decoder: what every frame of speech takes."""
        return self.unet_gflop + self.decoder_gflop[decoder]


@dataclass(frozen=True, slots=True)
class BucketFigures:
    """One batch size with one decoder. Times are medians in ms, for the whole batch.

    `stages_ms`: by stage. `path_ms`: tokens and latents in, finished pictures in host memory out, as the engine does
    it; `reference_ms`: the same as MuseTalk's own code does it, in the same run, `reference_blend_ms` of it on the CPU.
    `generate_ms`: the engine's whole answer, from windows of sound on.
    """

    decoder: str
    batch: int
    stages_ms: dict[str, float]
    path_ms: float
    reference_ms: float
    reference_blend_ms: float
    generate_ms: float
    peak_share: float  # of the card's measured peak, over `path_ms`

    @property
    def fps(self) -> float:
        """Frames a second from windows of sound on."""
        return self.batch * 1000 / self.generate_ms

    @property
    def ratio(self) -> float:
        """How many times faster than the reference's way."""
        return self.reference_ms / self.path_ms

    @property
    def ratio_overlapped(self) -> float:
        """The same if the reference's blending cost nothing beside its nets, as on a thread with a core to itself."""
        return max(self.reference_ms - self.reference_blend_ms, self.reference_blend_ms) / self.path_ms


@dataclass(frozen=True, slots=True)
class StartFigures:
    """How long it takes until the engine speaks, the memory it takes then, and which of its ways it found to work.

    `vram_bytes`: of the card, with the nets, the graphs, what the largest batch needs and the avatar; 0 without one.
    """

    decoder: str
    load_s: float
    avatar_first_s: float  # its latents and masks are made
    avatar_again_s: float  # they are read
    first_frame_ms: float
    vram_bytes: int
    layers: str
    graph_batches: list[int]
    graphs_problem: str | None


@dataclass(frozen=True, slots=True)
class TestedNumber:
    """One test of the search: so many speakers, all without a pause; `problem` None: all at strict 25 fps."""

    speakers: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class SpeakingFigures:
    """Users who speak and pause, through the service. `late_ms`: of the latest picture, `slip_frames`: of speech."""

    speakers: int
    seconds: float
    starts: int
    start_p50_ms: float | None
    start_p95_ms: float | None
    late_ms: float
    slip_frames: float
    generated_frames: int
    service_counts: dict[str, int]  # how far the service's own counters went up
    client_cpu_share: float
    problem: str | None


@dataclass(slots=True)
class ServiceBench:
    """`musetalk serve` with one decoder; grows run by run. `engine`: what the service says of its engine, capacity too.

    `one`: a single speaker. `full`: as many as get strict 25 fps. `long`: the same, for minutes.
    """

    decoder: str
    ready_s: float  # from the start of the process
    engine: dict[str, Any] = field(default_factory=dict)
    tested: list[TestedNumber] = field(default_factory=list)
    one: SpeakingFigures | None = None
    full: SpeakingFigures | None = None
    long: SpeakingFigures | None = None

    @property
    def strict_speakers(self) -> int:
        """The most who got strict 25 fps."""
        return max((tested.speakers for tested in self.tested if tested.problem is None), default=0)

    @property
    def full_rate(self) -> int | None:
        """How many speakers the service itself lets have every frame; None: it does not say."""
        capacity = self.engine.get("capacity")
        value = capacity.get("speakers_full_rate") if isinstance(capacity, dict) else None
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class FailedPart:
    """A part that could not be measured, and why."""

    part: str
    reason: str


@dataclass(slots=True)
class BenchResult:
    """Grows part by part."""

    command: str
    began: str  # ISO 8601, UTC
    weights: str
    real_size: bool  # the nets are as large as the published ones
    on_gpu: bool
    card: Card | None = None
    arithmetic: Arithmetic | None = None
    starts: list[StartFigures] = field(default_factory=list)
    buckets: list[BucketFigures] = field(default_factory=list)
    services: list[ServiceBench] = field(default_factory=list)
    failed: list[FailedPart] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON, derived figures included."""
        made = asdict(self)
        for row, bucket in zip(made["buckets"], self.buckets, strict=True):
            row |= {"fps": bucket.fps, "ratio": bucket.ratio, "ratio_overlapped": bucket.ratio_overlapped}
        for row, service in zip(made["services"], self.services, strict=True):
            row["strict_speakers"] = service.strict_speakers
        return made
