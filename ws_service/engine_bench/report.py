"""The figures as tables: for the terminal, and the same as Markdown, ready to be pasted into `docs/benchmarks.md`.

A cell that was not measured holds a dash. Owns words and rounding; must not measure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ws_service.engine_bench.figures import BenchResult, BucketFigures, SpeakingFigures
from ws_service.engine_bench.targets import compare

_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def sheets(result: BenchResult) -> list[Sheet]:
    """All tables that have a row."""
    made = [
        _machine(result),
        _start(result),
        _stages(result),
        _speed(result),
        _search(result),
        _speaking(result),
        Sheet("Targets", ("what", "target", "measured", ""), [target.row for target in compare(result)]),
        Sheet("Not measured", ("part", "why"), [(part.part, part.reason) for part in result.failed]),
    ]
    return [sheet for sheet in made if sheet.rows]


def print_report(result: BenchResult, console: Console) -> None:
    """The tables on the terminal."""
    tables = []
    for sheet in sheets(result):
        table = Table(title=sheet.title, title_justify="left")
        for index, name in enumerate(sheet.head):
            table.add_column(name, justify="left" if index == 0 or len(sheet.head) == 2 else "right")
        for row in sheet.rows:
            table.add_row(*(Text(cell) for cell in row))
        tables.append(table)
    console.print(Group(*tables))


def markdown(result: BenchResult) -> str:
    """A block for `docs/benchmarks.md`."""
    name = result.card.name if result.card else "a machine that was not looked at"
    return "\n\n".join([f"## {name}, {result.weights}, {result.began[:10]}", *map(_as_markdown, sheets(result))]) + "\n"


def _as_markdown(sheet: Sheet) -> str:
    lines = [sheet.head, ("---",) * len(sheet.head), *sheet.rows]
    table = "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )
    return f"**{sheet.title}**\n\n{table}"


def _machine(result: BenchResult) -> Sheet:
    rows = [("command", f"`{result.command}`"), ("when", f"{result.began}, {result.seconds:.0f} s in all")]
    rows.append(("weights", result.weights))
    card = result.card
    if card is not None:
        rows += [
            ("device", card.name + (f", {card.memory_gib:.0f} GiB" if card.memory_gib else "")),
            ("driver", card.driver or _NOTHING),
            ("clocks", card.clocks or _NOTHING),
            ("precision", card.precision),
            ("measured peak", f"{card.peak_tflops:.3g} TFLOP/s (one large product of matrices in this precision)"),
            ("host", f"{card.cpu}, {card.cores} cores"),
            ("versions", card.versions),
        ]
    arithmetic = result.arithmetic
    if arithmetic is not None:
        decoders = ", ".join(f"{name} decoder {value:.1f}" for name, value in arithmetic.decoder_gflop.items())
        rows.append(("GFLOP a frame", f"UNet {arithmetic.unet_gflop:.1f}, {decoders}"))
        rows.append(("GFLOP of the audio encoder", f"{arithmetic.audio_gflop:.1f} for its 30 s"))
    return Sheet("Measured on", ("", ""), rows)


def _start(result: BenchResult) -> Sheet:
    ready = {service.decoder: service.ready_s for service in result.services}
    head = ("engine loaded", "avatar the first time", "avatar again", "first frame", "VRAM taken", "layers", "graphs")
    columns = [
        (
            f"{start.decoder} decoder",
            f"{start.load_s:.1f} s",
            f"{start.avatar_first_s:.1f} s",
            f"{start.avatar_again_s:.2f} s",
            f"{start.first_frame_ms:.0f} ms",
            _gib(start.vram_bytes),
            start.layers,
            start.graphs_problem or ", ".join(map(str, start.graph_batches)) or _NOTHING,
            "-" if start.decoder not in ready else f"{ready[start.decoder]:.1f} s",
        )
        for start in result.starts
    ]
    return _upright("Start and memory", (*head, "service ready"), columns)


def _stages(result: BenchResult) -> Sheet:
    names = tuple(result.buckets[0].stages_ms) if result.buckets else ()
    rows = [
        (
            bucket.decoder,
            str(bucket.batch),
            *(f"{bucket.stages_ms[name]:.2f}" for name in names),
            f"{bucket.generate_ms:.2f}",
        )
        for bucket in result.buckets
    ]
    return Sheet("Stages, ms for the whole batch", ("decoder", "batch", *names, "all, as the service asks"), rows)


def _speed(result: BenchResult) -> Sheet:
    rows = [_speed_row(bucket) for bucket in result.buckets]
    head = (
        *("decoder", "batch", "frames/s", "ms/frame", "tokens to picture, ms", "reference's way, ms"),
        *("of it blending, ms", "times faster", "if its blending were free", "share of peak"),
    )
    return Sheet("Speed, and against the reference's way", head, rows)


def _speed_row(bucket: BucketFigures) -> tuple[str, ...]:
    return (
        bucket.decoder,
        str(bucket.batch),
        f"{bucket.fps:.1f}",
        f"{bucket.generate_ms / bucket.batch:.2f}",
        f"{bucket.path_ms:.2f}",
        f"{bucket.reference_ms:.2f}",
        f"{bucket.reference_blend_ms:.2f}",
        f"{bucket.ratio:.2f}",
        f"{bucket.ratio_overlapped:.2f}",
        f"{bucket.peak_share * 100:.1f} %",
    )


def _search(result: BenchResult) -> Sheet:
    rows = [
        (service.decoder, str(tested.speakers), tested.problem or "strict 25 fps")
        for service in result.services
        for tested in service.tested
    ]
    return Sheet("Speakers without a pause, through the service", ("decoder", "speakers", "what they got"), rows)


def _speaking(result: BenchResult) -> Sheet:
    columns = [
        _speaking_column(service.decoder, figures)
        for service in result.services
        for figures in (service.one, service.full, service.long)
        if figures is not None
    ]
    head = (
        *("speakers", "seconds", "start of speech, p50", "start of speech, p95", "starts", "latest picture"),
        *("speech slipped", "the service counted", "load generator", "problem"),
    )
    return _upright(
        "Conversations through the service: six seconds of speech (a lone speaker one), one of pause", head, columns
    )


def _speaking_column(decoder: str, figures: SpeakingFigures) -> tuple[str, ...]:
    return (
        f"{decoder} decoder",
        str(figures.speakers),
        f"{figures.seconds:.0f}",
        _ms(figures.start_p50_ms),
        _ms(figures.start_p95_ms),
        str(figures.starts),
        f"{figures.late_ms:.0f} ms",
        f"{figures.slip_frames:.1f} frames",
        _counters(figures.service_counts.items()),
        f"{figures.client_cpu_share * 100:.0f} % of a core",
        figures.problem or _NOTHING,
    )


def _upright(title: str, names: tuple[str, ...], columns: Sequence[tuple[str, ...]]) -> Sheet:
    """A table whose lines are `names`; each column begins with its head."""
    if not columns:
        return Sheet(title, (), [])
    rows = [(name, *(column[place] for column in columns)) for place, name in enumerate(names, 1)]
    return Sheet(title, ("", *(column[0] for column in columns)), rows)


def _counters(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(
        f"{name.removeprefix('frames_').removesuffix('_total')} {value}" for name, value in counts if value
    )


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.2f} GiB" if size_bytes else _NOTHING


def _ms(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0f} ms"
