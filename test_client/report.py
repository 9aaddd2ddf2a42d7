"""Figures as tables for a terminal. Owns the wording; measures nothing. Must not import the service."""

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from test_client.load_figures import GroupFigures, LoadFigures
from test_client.statistics import Distribution, StreamFigures

_NONE = "-"
_VIOLATIONS_SHOWN = 20


def stream_report(figures: StreamFigures, violations: Sequence[str], notes: Sequence[str] = ()) -> RenderableType:
    """One connection's figures, then what it broke."""
    table = Table(title="Stream", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    gaps = figures.gaps
    rows = (
        ("frames (generated, missing)", f"{figures.frames} ({figures.generated_frames}, {figures.missing_frames})"),
        ("frames a second", _number(figures.fps, 2)),
        ("gaps p50 / p95 / p99 / max", f"{_percentiles(gaps)} ms"),
        ("first frame", _ms(figures.first_frame_ms)),
        ("speaking start", ", ".join(_ms(value) for value in figures.speaking_start_ms) or _NONE),
        ("interrupt to last generated frame", ", ".join(_ms(value) for value in figures.interrupt_ms) or _NONE),
        (
            "IDR spacing, widest",
            _NONE if figures.idr_spacing_frames is None else f"{figures.idr_spacing_frames} frames",
        ),
        (
            "bitrate speaking / idle",
            f"{_number(figures.speaking_mbit_s, 2)} / {_number(figures.idle_mbit_s, 2)} Mbit/s",
        ),
    )
    for row in rows:
        table.add_row(*row)
    return Group(table, *(Text(note) for note in notes), _verdict(violations))


def load_report(figures: LoadFigures) -> RenderableType:
    """The figures of a load run, one column per kind of user."""
    groups = [group for group in (figures.idle, figures.speaking) if group.users]
    table = Table(title=f"Load, {figures.seconds:.0f} s after all had connected", title_justify="left")
    table.add_column("")
    for group in groups:
        table.add_column(group.name, justify="right")
    for label, cell in _LOAD_ROWS:
        table.add_row(label, *(cell(group) for group in groups))
    table.add_section()
    table.add_row("ms: p50 p95 p99 max", *("" for _ in groups))
    for label, times in _LOAD_TIMES:
        table.add_row(label, *(_percentiles(times(group), " ") for group in groups))
    client = (
        f"This process took {figures.client_cpu_share * 100:.0f} % of a core; its own event loop was late by "
        f"{_ms(figures.loop_lag.p99_ms)} (p99), {_ms(figures.loop_lag.max_ms)} (max)."
    )
    failures = [Text(f"{count} x {sentence}", style="red") for sentence, count in figures.failures.items()]
    return Group(table, Text(client), *failures)


_LOAD_ROWS: tuple[tuple[str, Callable[[GroupFigures], str]], ...] = (
    ("users (refused, lost)", lambda group: f"{group.users} ({group.refused}, {group.lost})"),
    ("frames (missing)", lambda group: f"{group.frames} ({group.missing_frames})"),
    ("generated frames", lambda group: str(group.generated_frames)),
    ("frames a second (least)", lambda group: f"{_number(group.mean_fps, 2)} ({_number(group.least_fps, 2)})"),
    ("gaps up to 50 ms, 60 ms", lambda group: f"{_percent(group.up_to_50_ms)}, {_percent(group.up_to_60_ms)}"),
    ("speaking bitrate, Mbit/s", lambda group: _number(group.speaking_mbit_s, 2)),
)
_LOAD_TIMES: tuple[tuple[str, Callable[[GroupFigures], Distribution]], ...] = (
    ("gaps between frames", lambda group: group.gaps),
    ("connect to first frame", lambda group: group.first_frame),
    ("speaking start", lambda group: group.speaking_start),
)


def _verdict(violations: Sequence[str]) -> RenderableType:
    if not violations:
        return Text("Every rule of the stream was kept.", style="green")
    lines = [Text(f"{len(violations)} rule(s) broken:", style="red")]
    lines += [Text(f"  {sentence}") for sentence in violations[:_VIOLATIONS_SHOWN]]
    if len(violations) > _VIOLATIONS_SHOWN:
        lines.append(Text(f"  ... and {len(violations) - _VIOLATIONS_SHOWN} more"))
    return Group(*lines)


def _percentiles(values: Distribution, separator: str = " / ") -> str:
    return separator.join(_number(value, 1) for value in (values.p50_ms, values.p95_ms, values.p99_ms, values.max_ms))


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _ms(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0f} ms"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share * 100:.2f} %"
