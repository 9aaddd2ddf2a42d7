"""The picture of a load run: gaps and start times. The only file that needs matplotlib (`pip install .[plot]`).

Owns no figures; must not import the service.
"""

from pathlib import Path
from typing import Any

import numpy as np

from protocol.timing import FRAME_MS
from test_client.errors import MissingExtra, RecordingError
from test_client.load import LoadResult
from test_client.load_figures import UserRecord, steady_gaps_s

_COLOURS = {"idle": "#4477aa", "speaking": "#cc6677"}


def require_matplotlib() -> None:
    """Raises `MissingExtra` when the picture could not be drawn; ask before a long run, not after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            "The picture needs matplotlib, which is not installed: pip install 'musetalk-stream[plot]'."
        ) from error


def draw_load(result: LoadResult, path: Path) -> None:
    """Writes a PNG: the share of gaps longer than x, the slowest gap of each second, and the start times.

    Raises:
        MissingExtra: matplotlib is not installed.
        RecordingError: the file cannot be written.
    """
    require_matplotlib()
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (gaps, time_line, starts) = pyplot.subplots(1, 3, figsize=(16, 4.5), layout="constrained")
    for name, colour in _COLOURS.items():
        records = [record for record in result.records if record.speaks == (name == "speaking")]
        if records:
            label = f"{name} ({len(records)})"
            _draw_gaps(gaps, steady_gaps_s(records, result.from_s, result.until_s) * 1000, colour, label)
            _draw_worst(time_line, records, result, colour, label)
            _draw_starts(starts, records, colour, name)
    gaps.axvline(FRAME_MS, color="grey", linewidth=0.8, linestyle=":")
    _finish(gaps, "Gaps between frames", "gap, ms", "share of gaps longer", log_y=True)
    _finish(time_line, "Longest gap in each second", "s", "ms")
    _finish(starts, "Start times, sorted", "share of starts", "ms")
    figures = result.figures
    figure.suptitle(
        f"{figures.idle.users} idle and {figures.speaking.users} speaking users, {figures.seconds:.0f} s; "
        f"load generator {figures.client_cpu_share * 100:.0f} % of a core"
    )
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path} cannot be written: {error}.") from error
    finally:
        pyplot.close(figure)


def _draw_gaps(axes: Any, gaps_ms: np.ndarray, colour: str, label: str) -> None:  # noqa: ANN401
    if gaps_ms.size:
        axes.step(np.sort(gaps_ms), 1.0 - np.arange(gaps_ms.size) / gaps_ms.size, where="post", c=colour, label=label)


def _draw_worst(axes: Any, records: list[UserRecord], result: LoadResult, colour: str, label: str) -> None:  # noqa: ANN401
    seconds = max(int(result.until_s - result.from_s), 1)
    worst_ms = np.full(seconds, np.nan)
    for record in records:
        received_s = record.statistics.received_s
        within = received_s[(received_s >= result.from_s) & (received_s <= result.until_s)]
        at = np.minimum((within[1:] - result.from_s).astype(int), seconds - 1)
        np.fmax.at(worst_ms, at, np.diff(within) * 1000)
    axes.plot(np.arange(seconds), worst_ms, c=colour, label=label, marker="." if seconds < 30 else None)


def _draw_starts(axes: Any, records: list[UserRecord], colour: str, name: str) -> None:  # noqa: ANN401
    figures = [record.statistics.figures() for record in records]
    first = [one.first_frame_ms for one in figures if one.first_frame_ms is not None]
    speaking = [start_ms for one in figures for start_ms in one.speaking_start_ms]
    for values, what, style in ((first, "first frame", "--"), (speaking, "speaking start", "-")):
        if values:
            axes.plot(np.linspace(0, 1, len(values)), np.sort(values), style, c=colour, label=f"{name}: {what}")


def _finish(axes: Any, title: str, x_label: str, y_label: str, *, log_y: bool = False) -> None:  # noqa: ANN401
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)  # only now: before, it would keep the top where it is
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
