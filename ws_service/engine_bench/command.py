"""The command `musetalk bench engine`: options in, a folder of figures out. Owns the terminal and the files.

Imports torch only when it runs, so that the other commands do without it.
"""

import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models.musetalk.weight_files import missing_files
from ws_service.errors import StartError
from ws_service.settings import read_settings

if TYPE_CHECKING:
    from ws_service.engine_bench.benchmark import BenchPlan

app = typer.Typer(no_args_is_help=True, help="How fast it is on this machine.")

_INSTALL = "this command needs the extra 'musetalk': pip install 'musetalk-stream[musetalk]'"

_FILE_WIDTH = 160  # of tables that go to a file


class Size(StrEnum):
    """Of the nets with random weights."""

    FULL = "full"
    TINY = "tiny"


class Device(StrEnum):
    """Where the engine computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@app.callback()
def about() -> None:
    """How fast it is on this machine."""


@app.command()
def engine(
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Measure with weights drawn at random instead of MODEL_PATH's.")
    ] = False,
    size: Annotated[
        Size, typer.Option(help="Of the nets with random weights: as published, or very small.")
    ] = Size.FULL,
    device: Annotated[Device, typer.Option(help="Where the engine computes; by default a GPU where there is one.")] = (
        Device.AUTO
    ),
    output: Annotated[Path, typer.Option(help="Folder for JSON, Markdown, plots and the services' logs.")] = Path(
        "bench-engine"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the time, and as much rougher.")] = False,
    minutes: Annotated[
        float, typer.Option(min=0, help="A last run, full decoder, as many speakers as it carries.")
    ] = 0.0,
) -> None:
    """Measure MuseTalk: stages, frames a second, the ratio to the reference's way, speakers through the service."""
    if not random_weights:
        _demand_weights(read_settings().model_path)
    try:
        import diffusers  # noqa: F401
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise StartError(f"{error}; {_INSTALL}") from None
    from ws_service.engine_bench.benchmark import Benchmark
    from ws_service.engine_bench.figures import BenchResult
    from ws_service.engine_bench.files import BenchFiles
    from ws_service.engine_bench.report import print_report

    if device is Device.CUDA and not torch.cuda.is_available():
        raise StartError("--device cuda: there is no CUDA GPU")
    on_gpu = device is not Device.CPU and torch.cuda.is_available()
    console = Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    files = BenchFiles(output)
    with _weights(random_weights, size) as (model_path, weights):
        result = BenchResult(
            command=shlex.join(["musetalk", *sys.argv[1:]]),
            began=datetime.now(UTC).isoformat(timespec="seconds"),
            weights=weights,
            real_size=not random_weights or size is Size.FULL,
            on_gpu=on_gpu,
        )
        files.save(result)
        plan = bench_plan(model_path, on_gpu=on_gpu, quick=quick, minutes=minutes)
        Benchmark(plan, result, output, typer.echo, files.save).run()
    print_report(result, console)
    typer.echo(files.draw(result))
    typer.echo(f"JSON, Markdown and the services' logs are in {output}.")
    if not result.buckets:
        sys.exit(1)


def bench_plan(model_path: Path, *, on_gpu: bool, quick: bool, minutes: float) -> "BenchPlan":
    """How thoroughly to measure. A CPU gets float32 and a short avatar: there one wants to see the command work."""
    import torch

    from ws_service.engine_bench.benchmark import BenchPlan
    from ws_service.engine_bench.speakers import LoadTimes

    if quick:
        load = LoadTimes(test_s=3.0, one_s=5.0, full_s=5.0, long_s=minutes * 60, most_speakers=128 if on_gpu else 2)
    else:
        load = LoadTimes(long_s=minutes * 60)
    return BenchPlan(
        model_path=model_path,
        device=torch.device("cuda" if on_gpu else "cpu"),
        dtype=torch.float16 if on_gpu else torch.float32,
        batches=(1,) if quick and not on_gpu else (1, 2, 4, 8, 16, 32),
        budget_s=0.1 if quick else 0.6,
        short_avatar=quick or not on_gpu,
        load=load,
        ready_timeout_s=120.0 if quick else 300.0,
    )


def _demand_weights(root: Path) -> None:
    missing = missing_files(root)
    if missing:
        path = root / missing[0].paths[0]
        raise StartError(f"{path} is missing (MODEL_PATH); --random-weights measures without weights")


@contextmanager
def _weights(random_weights: bool, size: Size) -> Iterator[tuple[Path, str]]:
    """The folder of weights and what to call it; one with random weights is gone afterwards."""
    if not random_weights:
        root = read_settings().model_path
        yield root, f"weights of {root}"
        return
    from models.musetalk.random_weights import write_random_weights

    with tempfile.TemporaryDirectory(prefix="musetalk-weights-") as folder:
        typer.echo(f"writing random weights, {size.value} size")
        write_random_weights(Path(folder), size.value)
        yield Path(folder), f"random weights, {size.value} size"
