"""`python -m tests.simulation [folder]`: the table on the screen, the picture in `docs/` or the folder given."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from tests.simulation.card import Card
from tests.simulation.picture import Point, draw
from tests.simulation.run import Outcome, Scenario, all_speaking, crowd, fresh_fps, run
from tests.simulation.session import TICK_S, Script
from ws_service.generation.batch_policy import BatchPolicy
from ws_service.generation.batch_times import BUCKETS, BatchTimes

SPEAKERS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 33, 40, 48, 56, 60, 64, 65, 70, 80, 100, 150, 200)
CARD = Card()


def point(speakers: int, outcome: Outcome) -> Point:
    """What one crowd saw."""
    window = all_speaking(outcome.spoke)
    late_ms = [shown.late_ms for user in outcome.spoke for shown in user.tally.frames if shown.generated]
    return Point(
        speakers=speakers,
        refused=sum(user.refused for user in outcome.users),
        fps=sorted(fresh_fps(user, *window) for user in outcome.spoke),
        late_ms=late_ms,
        held=sum(outcome.held),
        busy=outcome.busy_share,
        batch=sum(outcome.batches) / len(outcome.batches),
    )


def print_table(points: Iterable[Point]) -> None:
    """One line for each crowd."""
    print("speakers  refused  generated frames/s (least, median, most)  held ticks  sent late (p99, most)  busy  batch")
    for one in points:
        fps = f"{one.fps[0]:6.2f} {one.fps[len(one.fps) // 2]:6.2f} {one.fps[-1]:6.2f}"
        late = f"{one.late_p99_ms:5.1f} {max(one.late_ms):5.1f} ms"
        counts = f"{one.speakers:8}  {one.refused:7}  {fps:>41}  {one.held:10}"
        print(f"{counts}  {late:>20}  {one.busy:4.0%}  {one.batch:5.1f}")


def policy_cost_us(waiting: int, rounds: int = 300) -> float:
    """Microseconds of the policy for each frame: added, looked at as often as added, taken in full batches."""

    class Job:
        dropped = False

        def __init__(self, deadline_s: float) -> None:
            self.deadline_s = deadline_s
            self.voice = self

    times = BatchTimes(BUCKETS, tuple(CARD.fixed_s + size * CARD.frame_s for size in BUCKETS))
    policy: BatchPolicy[Job] = BatchPolicy(times)
    spent_s, frames = 0.0, 0
    for round_ in range(rounds):
        jobs = [Job(round_ * TICK_S + n * 0.618 % TICK_S) for n in range(waiting)]
        began_s = perf_counter()
        for job in jobs:
            policy.add(job)
            policy.starts_s(32)
        while policy.take(32):
            policy.starts_s(32)
        spent_s += perf_counter() - began_s
        frames += waiting
    return spent_s / frames * 1e6


def main() -> None:
    """Everything, in half a minute."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Many speakers on one card.")
    docs = Path(__file__).parents[2] / "docs"
    parser.add_argument("folder", nargs="?", type=Path, default=docs, help="for the picture; without it docs/")
    folder = parser.parse_args().folder
    points = [point(speakers, run(Scenario(crowd(speakers)))) for speakers in SPEAKERS]
    print_table(points)
    scripts = [Script(0.5, 8.0)]
    scripts += [Script(1.0 + 0.012 * n, 1.6, utterances=2, pause_s=0.8, burst=True) for n in range(60)]
    burst = run(Scenario(tuple(scripts)))
    slow = run(Scenario(crowd(24), Card(slow_s=0.008), slow=1))
    slower = run(Scenario(crowd(32), Card(slow_s=0.0006), slow=32))
    refused = len(burst.users) - len(burst.spoke)
    print(f"60 bursts, twice, beside one who speaks on: {sum(burst.held)} ticks held, {refused} refused")
    print(f"one avatar of 24 that costs 8 ms more: {slow.held[0]} ticks held of its own, {slow.held[1:]} of the others")
    print(f"a card measured at 40 frames in 40 ms that makes 25: {min(slower.held)} to {max(slower.held)} ticks held")
    for waiting in (1, 16, 64, 200):
        print(f"the policy costs {policy_cost_us(waiting):.1f} us for each frame where {waiting} wait at once")
    draw(folder / "many_speakers.png", points, burst, slow, slower)


if __name__ == "__main__":
    main()
