"""Makes an avatar with all that the service keeps of it, the encoded loops included; it appears whole or not at all.

Owns the order, for every way in which avatars come: made and encoded in a passing folder, then published. Blocking.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from models.errors import AvatarError, ModelError, PreparationError
from models.preparation.builtin_avatar import builtin_avatar
from models.preparation.drawn_videos import silent
from models.preparation.prepare import AvatarOrder, Progress, Thumbnail, prepare
from models.prepared_avatar import load_avatar
from models.unfinished_folder import UnfinishedFolder
from ws_service.avatars.loop_files import encode_ahead
from ws_service.avatars.store import is_taken_otherwise, stamp_of

T = TypeVar("T")

_MADE, _ENCODED = 0.85, 0.99  # of the work is done then


def make_avatar(
    order: AvatarOrder,
    folder: Path,
    *,
    replace: bool,
    progress: Progress,
    thumbnail: Thumbnail | None = None,
    while_publishing: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Make the avatar of `folder`, which is its name, too, as it is ordered; the rest as of `make_whole`."""

    def make(inner: Path, told: Progress) -> None:
        prepare(order, folder.name, inner, progress=told, thumbnail=thumbnail)

    make_whole(make, folder, replace=replace, progress=progress, while_publishing=while_publishing)


def make_builtin(folder: Path) -> None:
    """Make the built-in avatar in `folder`; one that is there gives way. Raises `AvatarError`."""
    make_whole(lambda inner, _: builtin_avatar(inner), folder, replace=True, progress=silent)


def make_whole(
    make: Callable[[Path, Progress], T],
    folder: Path,
    *,
    replace: bool,
    progress: Progress,
    while_publishing: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> T:
    """Let `make` make an avatar, encode it, and let it appear in `folder`; returns what `make` does.

    `make` makes the folder that it is given, and tells its own progress. `replace`: an avatar that is there gives way;
    anything else that is there never does. `while_publishing`: entered before the avatar appears, with the folder that
    it comes from; left when `progress` was told so with 1. Raises `AvatarError`, and what `make` raises.
    """
    _check_place(folder, replace=replace)

    def told(stage: str, share: float) -> None:
        if share < 1:
            progress(stage, _MADE * share)

    def encoding(share: float) -> None:
        progress("encoding the loops", _MADE + (_ENCODED - _MADE) * share)

    try:
        with UnfinishedFolder(folder) as place:
            inner = place.path / folder.name
            try:
                made = make(inner, told)
                encoding(0.0)
                encode_ahead(load_avatar(inner), encoding)
            except (AvatarError, ModelError, PreparationError) as error:
                raise type(error)(str(error).replace(f"{place.path}/", f"{folder.parent}/")) from error
            progress("saving", _ENCODED)
            for file in inner.iterdir():
                file.rename(place.path / file.name)
            inner.rmdir()
            _check_place(folder, replace=replace)
            with while_publishing(place.path):
                place.publish(replace=replace)
                progress("done", 1.0)
    except FileExistsError:
        raise _in_the_way(folder) from None
    except OSError as error:
        raise AvatarError(f"{folder}: cannot be written ({error.strerror}).") from error
    return made


def _check_place(folder: Path, *, replace: bool) -> None:
    """Raises `AvatarError` for an avatar that is not to give way, and for anything else, which never is."""
    if stamp_of(folder) is not None and not replace:
        raise _in_the_way(folder)
    if is_taken_otherwise(folder):
        raise AvatarError(f"{folder}: is no avatar, and what lies there stays; choose another name.")


def _in_the_way(folder: Path) -> AvatarError:
    # those who make avatars have looked before: this one has come since
    return AvatarError(f"{folder}: exists already, made by somebody else; force_recreate=true or --force replaces it.")
