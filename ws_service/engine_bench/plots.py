"""Pictures of the figures: stages, frames a second, the ratio. The only file here that needs matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ws_service.engine_bench.figures import BenchResult, BucketFigures

_COLOURS = {"full": "#4477aa", "tiny": "#cc6677"}
_REFERENCE_COLOUR = "#777777"


def draw_plots(result: BenchResult, folder: Path) -> list[Path]:
    """Write `speed.png` and `stages.png`; returns what was written. Raises `ImportError` without matplotlib."""
    if not result.buckets:
        return []
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    name = f"{result.card.name if result.card else ''}, {result.weights}"
    written = []
    for file_name, draw_axes in (("speed.png", _draw_speed), ("stages.png", _draw_stages)):
        decoders = list(dict.fromkeys(bucket.decoder for bucket in result.buckets))
        figure, axes = pyplot.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
        draw_axes(axes, {decoder: _of(result.buckets, decoder) for decoder in decoders})
        figure.suptitle(name)
        path = folder / file_name
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        written.append(path)
    return written


def _of(buckets: Sequence[BucketFigures], decoder: str) -> list[BucketFigures]:
    return sorted((bucket for bucket in buckets if bucket.decoder == decoder), key=lambda bucket: bucket.batch)


def _draw_speed(axes: Any, by_decoder: dict[str, list[BucketFigures]]) -> None:  # noqa: ANN401
    frames, ratios = axes
    for decoder, buckets in by_decoder.items():
        batches, label = [bucket.batch for bucket in buckets], f"{decoder} decoder"
        frames.plot(
            batches, [bucket.fps for bucket in buckets], "o-", c=_COLOURS[decoder], label=f"{label}, from sound"
        )
        path = [bucket.batch * 1000 / bucket.path_ms for bucket in buckets]
        frames.plot(batches, path, "x--", c=_COLOURS[decoder], label=f"{label}, from tokens")
        ratios.plot(batches, [bucket.ratio for bucket in buckets], "o-", c=_COLOURS[decoder], label=label)
    reference = next(iter(by_decoder.values()))
    speeds = [bucket.batch * 1000 / bucket.reference_ms for bucket in reference]
    frames.plot(
        [bucket.batch for bucket in reference],
        speeds,
        "x--",
        c=_REFERENCE_COLOUR,
        label="the reference's way, from tokens",
    )
    ratios.axhline(1, color=_REFERENCE_COLOUR, linewidth=0.8, linestyle=":")
    for place in axes:
        place.set_xscale("log", base=2)
        batches = sorted({bucket.batch for buckets in by_decoder.values() for bucket in buckets})
        place.set_xticks(batches, [str(batch) for batch in batches])
    _finish(frames, "Frames a second", "frames/s")
    _finish(ratios, "Tokens to picture: times the reference's way", "times")


def _draw_stages(axes: Any, by_decoder: dict[str, list[BucketFigures]]) -> None:  # noqa: ANN401
    for place, (decoder, buckets) in zip(axes, by_decoder.items(), strict=False):
        bottom = np.zeros(len(buckets))
        for name in buckets[0].stages_ms:
            per_frame_ms = np.array([bucket.stages_ms[name] / bucket.batch for bucket in buckets])
            place.bar([str(bucket.batch) for bucket in buckets], per_frame_ms, bottom=bottom, label=name)
            bottom += per_frame_ms
        _finish(place, f"Stages, {decoder} decoder", "ms a frame")
    for place in axes[len(by_decoder) :]:
        place.set_visible(False)


def _finish(axes: Any, title: str, label: str) -> None:  # noqa: ANN401
    axes.set_title(title)
    axes.set_xlabel("batch")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
