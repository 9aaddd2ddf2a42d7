"""Figures of many connections at once, from the statistics of each. Pure; no clock, no output."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from test_client.statistics import Distribution, StreamStatistics


@dataclass(slots=True)
class UserRecord:
    """What one simulated user saw."""

    speaks: bool
    statistics: StreamStatistics
    failure: str | None = None  # why it was refused or lost


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Users of one kind. Rates and gaps count from when all users were connected; start times all the time."""

    name: str
    users: int
    refused: int
    lost: int
    frames: int
    generated_frames: int
    missing_frames: int
    mean_fps: float | None
    least_fps: float | None
    gaps: Distribution
    up_to_50_ms: float | None  # share of gaps
    up_to_60_ms: float | None
    first_frame: Distribution
    speaking_start: Distribution
    speaking_mbit_s: float | None


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """A whole load run. `loop_lag` and `client_cpu_share` tell whether the load generator itself kept up."""

    seconds: float
    idle: GroupFigures
    speaking: GroupFigures
    client_cpu_share: float
    loop_lag: Distribution
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def all_well(self) -> bool:
        """True when nobody was refused or lost and no frame is missing."""
        return not self.failures and not self.idle.missing_frames and not self.speaking.missing_frames

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def steady_gaps_s(records: Sequence[UserRecord], from_s: float, until_s: float) -> np.ndarray:
    """All gaps that end within the time that counts, (gaps,) float64 seconds."""
    gaps = [np.zeros(0)]
    for record in records:
        received_s = record.statistics.received_s
        gaps.append(np.diff(received_s[(received_s >= from_s) & (received_s <= until_s)]))
    return np.concatenate(gaps)


def group_figures(name: str, records: Sequence[UserRecord], from_s: float, until_s: float) -> GroupFigures:
    """Joins the users of one kind; `from_s` and `until_s` bound the time that counts."""
    figures = [record.statistics.figures() for record in records]
    gaps_s = steady_gaps_s(records, from_s, until_s)
    rates = [rate for record in records if (rate := _rate(record.statistics.received_s, from_s, until_s)) is not None]
    bitrates = [(one.speaking_mbit_s, one.generated_frames) for one in figures if one.speaking_mbit_s is not None]
    return GroupFigures(
        name=name,
        users=len(records),
        refused=sum(
            record.failure is not None and not one.frames for record, one in zip(records, figures, strict=True)
        ),
        lost=sum(record.failure is not None and one.frames > 0 for record, one in zip(records, figures, strict=True)),
        frames=sum(one.frames for one in figures),
        generated_frames=sum(one.generated_frames for one in figures),
        missing_frames=sum(one.missing_frames for one in figures),
        mean_fps=float(np.mean(rates)) if rates else None,
        least_fps=min(rates, default=None),
        gaps=Distribution.of_seconds(gaps_s),
        up_to_50_ms=float(np.mean(gaps_s <= 0.050)) if gaps_s.size else None,
        up_to_60_ms=float(np.mean(gaps_s <= 0.060)) if gaps_s.size else None,
        first_frame=Distribution.of_seconds(
            one.first_frame_ms / 1000 for one in figures if one.first_frame_ms is not None
        ),
        speaking_start=Distribution.of_seconds(ms / 1000 for one in figures for ms in one.speaking_start_ms),
        speaking_mbit_s=(
            sum(rate * frames for rate, frames in bitrates) / sum(frames for _, frames in bitrates)
            if bitrates
            else None
        ),
    )


def load_figures(
    records: Sequence[UserRecord], from_s: float, until_s: float, client_cpu_share: float, loop_lag: Distribution
) -> LoadFigures:
    """Joins all users."""
    return LoadFigures(
        seconds=until_s - from_s,
        idle=group_figures("idle", [record for record in records if not record.speaks], from_s, until_s),
        speaking=group_figures("speaking", [record for record in records if record.speaks], from_s, until_s),
        client_cpu_share=client_cpu_share,
        loop_lag=loop_lag,
        failures=dict(Counter(record.failure for record in records if record.failure is not None)),
    )


def _rate(received_s: np.ndarray, from_s: float, until_s: float) -> float | None:
    within = received_s[(received_s >= from_s) & (received_s <= until_s)]
    span_s = within[-1] - within[0] if within.size > 1 else 0.0
    return float((within.size - 1) / span_s) if span_s > 0 else None
