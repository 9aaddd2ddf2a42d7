"""The picture of a simulation: rates, lateness, a burst, and cards that are slower than they should be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocol.timing import FPS
from tests.simulation.run import Outcome, all_speaking, fresh_fps
from tests.simulation.session import User

BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd6b20", "#2f855a", "#718096"


@dataclass(frozen=True, slots=True)
class Point:
    """One crowd. `fps`: generated frames a second of each who spoke, ascending; `late_ms`: of each generated frame."""

    speakers: int
    refused: int
    fps: list[float]
    late_ms: list[float]
    held: int
    busy: float
    batch: float

    @property
    def late_p99_ms(self) -> float:
        """99 of 100 frames were sent no later."""
        return float(np.percentile(self.late_ms, 99))


def draw(path: Path, points: Sequence[Point], burst: Outcome, slow: Outcome, slower: Outcome) -> None:
    """Write the PNG."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 7.6), layout="constrained")
        axes = figure.subplots(2, 2)
        figure.suptitle("Many speakers on a card that makes 40 frames in 40 ms (simulated in virtual time)")
        _fairness(axes[0, 0], points)
        _lateness(axes[0, 1], points)
        _burst(axes[1, 0], burst)
        _slow(axes[1, 1], slow, slower)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)


def _fairness(axes: Axes, points: Sequence[Point]) -> None:
    speakers = [one.speakers for one in points]
    axes.fill_between(speakers, [p.fps[0] for p in points], [p.fps[-1] for p in points], color=BLUE, alpha=0.25)
    axes.plot(speakers, [p.fps[0] for p in points], color=BLUE, marker="o", ms=3, label="who gets least")
    axes.plot(speakers, [p.fps[-1] for p in points], color=BLUE, ls="--", lw=1, label="who gets most")
    axes.set(title="Generated frames a second, of each who speaks", xlabel="sessions that want to speak", ylim=(0, 27))
    axes.set_ylabel("frames/s", color=BLUE)
    refused = axes.twinx()
    refused.spines["right"].set_visible(True)
    refused.fill_between(speakers, [p.refused for p in points], color=ORANGE, alpha=0.3, lw=0)
    refused.set_ylabel("refused", color=ORANGE)
    refused.set_ylim(0, 200)
    for at, text in ((32, "32: full rate"), (64, "64: half rate")):
        axes.axvline(at, color=GREY, lw=0.8, ls=":")
        axes.text(at + 2, 1, text, color=GREY, rotation=90, va="bottom")
    axes.legend(loc="upper right", frameon=False)


def _lateness(axes: Axes, points: Sequence[Point]) -> None:
    speakers = [one.speakers for one in points]
    axes.plot(speakers, [max(p.late_ms) for p in points], color=ORANGE, marker="o", ms=3, label="latest frame sent")
    axes.plot(speakers, [p.late_p99_ms for p in points], color=BLUE, marker="o", ms=3, label="99 of 100 sent within")
    axes.axhline(12, color=GREY, lw=0.8, ls=":")
    axes.text(200, 12.2, "grace: later than this the last mouth is held", color=GREY, ha="right", va="bottom")
    axes.set(
        title="How late generated frames are sent", xlabel="sessions that want to speak", ylabel="ms behind the tick"
    )
    axes.set_ylim(-0.5, 14)
    busy = axes.twinx()
    busy.spines["right"].set_visible(True)
    busy.plot(speakers, [100 * p.busy for p in points], color=GREEN, lw=1, ls="--")
    busy.set_ylabel("card busy, %", color=GREEN)
    busy.set_ylim(0, 100)
    axes.legend(loc=(0.42, 0.2), frameon=False)


def _burst(axes: Axes, burst: Outcome) -> None:
    begin_s = min(user.tally.frames[0].at_s for user in burst.users)
    seconds = np.arange(0.9, 8.2, 0.04)
    speaking = [sum(_speaks(user, begin_s + at) for user in burst.users) for at in seconds]
    axes.fill_between(seconds, speaking, color=ORANGE, alpha=0.3, lw=0)
    axes.axhline(burst.full_rate, color=GREY, lw=0.8, ls=":")
    axes.text(8.2, burst.full_rate + 1, "full rate up to here", color=GREY, ha="right")
    axes.set(title="60 answers pushed at once, twice, beside one who speaks on", xlabel="seconds", ylabel="sessions")
    rate = axes.twinx()
    rate.spines["right"].set_visible(True)
    one = burst.users[0]
    rates = [fresh_fps(one, begin_s + at - 0.2, begin_s + at + 0.2) for at in seconds]
    rate.plot(seconds, rates, color=BLUE, lw=1.4)
    rate.set_ylabel("its generated frames/s", color=BLUE)
    rate.set_ylim(0, 27)
    axes.set_ylim(0, 70)


def _speaks(user: User, at_s: float) -> bool:
    tally = user.tally
    return any(start <= at_s < end for start, end in zip(tally.started_s, tally.ended_s, strict=True))


def _slow(axes: Axes, slow: Outcome, slower: Outcome) -> None:
    for outcome, colour, text in (
        (slow, BLUE, "24 speakers, one avatar (the first) costs 8 ms a frame more"),
        (slower, ORANGE, "32 speakers, the card makes 25 frames in 40 ms now"),
    ):
        window = all_speaking(outcome.spoke)
        rates = [fresh_fps(user, *window) for user in outcome.spoke]
        axes.plot(range(1, len(rates) + 1), rates, color=colour, marker="o", ms=4, lw=0.8, label=text)
    axes.axhline(FPS, color=GREY, lw=0.8, ls=":")
    axes.set(title="Slower than measured: each speaker's share", xlabel="speaker", ylabel="generated frames/s")
    axes.set_ylim(0, 31)
    axes.legend(loc="upper right", frameon=False)
