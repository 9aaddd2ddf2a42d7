"""`musetalk avatars`: list, show, delete, import and export what lies in AVATARS_DIR."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ws_service.errors import ServiceError, StartError
from ws_service.settings import read_settings

if TYPE_CHECKING:
    from ws_service.avatars.store import AvatarStore, StoredAvatar

app = typer.Typer(no_args_is_help=True, help="Prepared avatars: list, show, delete, import, export.")

_INSTALL = "reading MuseTalk's own folders needs the extra 'musetalk': pip install 'musetalk-stream[musetalk]'"

Name = Annotated[str, typer.Argument(help="The avatar's name.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


@app.command("list")
def list_avatars() -> None:
    """Show every avatar: base videos, size, materials of engines; or what is wrong with it."""
    store = _store()
    table = Table()
    for column in ("name", "base videos", "size", "prepared", "engines"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for avatar in store.describe_all():
        table.add_row(*_row(avatar))
    if table.row_count:
        Console().print(table)
    else:
        typer.echo(f"There is no avatar in {store.folder} (AVATARS_DIR); `musetalk prepare` makes one.")


@app.command()
def show(name: Name) -> None:
    """Show one avatar, and compare all its files with their checksums. Exit code 2 where it is damaged."""
    store = _store()
    with _sentences():
        found = store.describe(name)
        store.read(name)
        store.check_pictures(name)
    assert found.manifest is not None
    typer.echo(f"{name}, in {store.folder / name}")
    for video, frames in sorted(found.manifest.videos.items()):
        typer.echo(f"  {video}: {frames} frames, {frames / 25:g} s")
    typer.echo(f"  {_size(found.size_bytes)}, prepared {found.prepared_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"  materials: {', '.join(found.engines)}; all files are whole")


@app.command()
def delete(name: Name) -> None:
    """Remove an avatar. Sessions of a running service that show it keep it to their end."""
    with _sentences():
        _store().remove(name)
    typer.echo(f"Avatar {name!r} is removed.")


@app.command()
def export(
    name: Name,
    file: Annotated[Path | None, typer.Argument(help="By default NAME.tar; NAME.tar.gz is compressed.")] = None,
    force: Force = False,
) -> None:
    """Write an avatar to one file, for `musetalk avatars import` elsewhere."""
    from ws_service.avatars.archive import export_avatar

    path = file or Path(f"{name}.tar")
    if path.exists() and not force:
        raise StartError(f"{path} is there already; --force replaces it")
    with _sentences():
        size_bytes = export_avatar(_store(), name, path)
    typer.echo(f"Avatar {name!r} is in {path} ({_size(size_bytes)}).")


@app.command("import")
def import_avatar(
    source: Annotated[Path, typer.Argument(help="A file that `export` wrote, or a folder that MuseTalk prepared.")],
    name: Annotated[str | None, typer.Option(help="What it is to be called; by default as it was.")] = None,
    force: Force = False,
) -> None:
    """Take in an avatar: an exported one, or a folder of MuseTalk's (full_imgs, mask, coords.pkl, latents.pt ...)."""
    from ws_service.avatars.archive import import_archive
    from ws_service.avatars.progress_bar import progress_bar

    store = _store()
    if source.is_dir():
        _import_folder(store, source, name or source.resolve().name, force=force)
    else:
        with progress_bar(f"Importing {source.name}", source.name) as progress:
            name = import_archive(store, source, name, replace=force, progress=progress)
        typer.echo(f"Avatar {name!r} is ready in {store.folder / name}")


def _import_folder(store: "AvatarStore", source: Path, name: str, *, force: bool) -> None:
    from models.errors import AvatarError, ModelError, PreparationError
    from ws_service.avatars.make_avatar import make_whole
    from ws_service.avatars.progress_bar import progress_bar

    try:
        from models.musetalk.import_avatar import import_musetalk_avatar
    except ImportError as error:
        raise StartError(f"{error}; {_INSTALL}") from None
    if not store.is_name(name):
        raise StartError(f"The folder's name {name!r} cannot be an avatar's; --name gives it another")
    if store.exists(name) and not force:
        raise StartError(f"There is an avatar named {name!r} already; --force replaces it")
    try:
        with progress_bar(f"Importing {name}", name) as progress:
            done = make_whole(
                lambda inner, told: import_musetalk_avatar(source, name, inner, progress=told),
                store.folder / name,
                replace=force,
                progress=progress,
            )
    except (AvatarError, ModelError, PreparationError) as error:
        raise StartError(f"{source}: {error}") from None
    if done.left_out:
        typer.echo(f"The first {done.frames} frames are used, {done.left_out} more are left out.")
    typer.echo(f"Avatar {name!r} is ready in {store.folder / name}, with {done.frames} frames and MuseTalk's latents.")


def _store() -> "AvatarStore":
    from ws_service.avatars.store import AvatarStore

    return AvatarStore(read_settings().avatars_dir)


@contextmanager
def _sentences() -> Iterator[None]:
    """What the store says of an avatar ends the command."""
    try:
        yield
    except ServiceError as error:
        raise StartError(error.message) from None


def _row(avatar: "StoredAvatar") -> tuple[str | Text, ...]:
    if avatar.damage or avatar.manifest is None:
        return (avatar.name, Text(avatar.damage, style="red"), _size(avatar.size_bytes), "", "")
    videos = ", ".join(sorted(avatar.manifest.videos))
    return (avatar.name, videos, _size(avatar.size_bytes), f"{avatar.prepared_at:%Y-%m-%d}", ", ".join(avatar.engines))


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
