"""`musetalk weights check` and `musetalk weights fetch`: what lies in the folder of weights, and how to fill it."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from models.errors import ModelError
from ws_service.errors import StartError
from ws_service.settings import read_settings

app = typer.Typer(no_args_is_help=True, help="MuseTalk's weights: look at them, download them.")

_INSTALL = "this command needs the extra 'musetalk': pip install 'musetalk-stream[musetalk]'"

Folder = Annotated[Path | None, typer.Option("--path", help="Folder of weights; by default MODEL_PATH.")]


@app.command()
def check(path: Folder = None) -> None:
    """Show every file MuseTalk reads: present, size, keys match, what for. Exit code 1 where MuseTalk cannot run."""
    try:
        from models.musetalk.weight_check import check_weights
    except ImportError as error:
        raise StartError(f"{error}; {_INSTALL}") from None

    root = path or read_settings().model_path
    reports = check_weights(root)
    table = Table(title=f"Weights in {root}", title_justify="left")
    table.add_column("file and what it is for")  # one below the other: 80 columns are too few for both
    table.add_column("size", no_wrap=True, justify="right")
    table.add_column("keys", no_wrap=True)
    for report in reports:
        name = report.path.relative_to(root) if report.path else report.file.paths[0]
        size = "" if report.size_bytes is None else _size(report.size_bytes)
        both = Group(Text(str(name)), Padding(Text(report.file.purpose, style="dim"), (0, 0, 0, 2)))
        table.add_row(both, size, _keys(report.problem, report.n_keys))
    Console().print(table)
    said = []
    for report in reports:
        if report.path is None:
            said.append(f"Without {report.file.paths[0]}: {report.file.without_it}.")
        elif report.problem:
            cost = "" if report.file.needed else f" Without it: {report.file.without_it}."
            said.append(f"{report.problem}.{cost}")
    for sentence in dict.fromkeys(said):  # what is wrong with a configuration is wrong for its weights, too
        typer.echo(sentence)
    stops = any(report.stops_musetalk for report in reports)
    typer.echo(f"MuseTalk {'cannot' if stops else 'can'} run with this folder.")
    if stops:
        sys.exit(1)


@app.command()
def fetch(
    path: Folder = None,
    needed_only: Annotated[bool, typer.Option("--needed-only", help="Leave out what only preparation uses.")] = False,
    tiny_decoder: Annotated[
        bool, typer.Option("--tiny-decoder", help="The small decoder, too, for VAE_DECODER=tiny (10 MB).")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace files that differ from the hub's.")] = False,
    endpoint: Annotated[str | None, typer.Option(help="Address of another hub; by default HF_ENDPOINT.")] = None,
) -> None:
    """Download what is missing (about 4 GB) and check it; a run that was broken off goes on where it stopped."""
    try:
        from models.musetalk.weight_fetch import FetchedFile, fetch_weights
    except ImportError as error:
        raise StartError(f"{error}; {_INSTALL}") from None
    from models.musetalk.weight_files import WEIGHT_FILES

    said = {
        "downloaded": "downloaded",
        "complete": "there already",
        "kept": "there already, not a file of the hub's",
        "differs": "differs from the hub's, left as it is; --replace downloads the hub's",
    }

    def report(fetched: FetchedFile) -> None:
        checked = ", checksum matches" if fetched.verified and fetched.outcome in ("downloaded", "complete") else ""
        typer.echo(f"{fetched.path}: {said[fetched.outcome]}{checked}")

    root = path or read_settings().model_path
    files = tuple(
        file for file in WEIGHT_FILES if (tiny_decoder if file.on_request else file.needed or not needed_only)
    )
    try:
        fetch_weights(root, files=files, replace=replace, endpoint=endpoint, report=report)
    except (ModelError, OSError) as error:
        raise StartError(str(error)) from None


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:,.1f} kB"


def _keys(problem: str | None, n_keys: int | None) -> Text:
    if problem == "missing":
        return Text("missing", style="yellow")
    if problem:
        return Text("wrong, see below", style="red")
    return Text("as expected" if n_keys is None else f"all {n_keys} match", style="green")
