"""Runs all measurements, each on a fresh service, and prints one table.

    python -m tests.benchmark [--quick]

`--quick` takes a tenth of the time and is as much rougher. Nothing fails here: timings depend on the machine.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from test_client.synthetic_speech import make_speech
from tests.benchmark import measurements as m
from tests.end_to_end.running_service import RunningService


def main() -> None:
    """See the module."""
    share = 0.2 if "--quick" in sys.argv else 1.0
    speech = make_speech(6.0)
    console = Console()
    table = Table("what", "promised", "measured", title="musetalk-stream, light engine, built-in avatar")
    runs: list[tuple[str, Callable[[RunningService], list[m.Row]]]] = [
        ("first frame", m.first_frame),
        ("steady rate", lambda s: m.steady_rate(s, 60 * share)),
        ("speaking start and interrupt", lambda s: m.speaking_and_interrupt(s, speech, int(40 * share))),
        ("connects", m.connects),
        ("300 idle sessions", lambda s: m.many_idle(s, 300, 40 * share)),
        ("12 speaking sessions", lambda s: m.many_speaking(s, make_speech(60 * share), 12)),
    ]
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {0})  # core 0 is the service's
    with tempfile.TemporaryDirectory() as folder:
        for name, run in runs:
            console.print(f"measuring: {name} ...")
            with RunningService(Path(folder)) as service:
                os.sched_setaffinity(service.process.pid, range(os.cpu_count() or 1))
                for row in run(service):
                    table.add_row(row.what, row.promised, row.measured)
    console.print(table)


if __name__ == "__main__":
    main()
