"""Makes an avatar with all that the service keeps of it, the encoded loops included; it appears whole or not at all.

Owns the order: prepared and encoded in a passing folder, then published. Blocking.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from models.errors import AvatarError, PreparationError
from models.preparation.prepare import AvatarOrder, Progress, Thumbnail, prepare
from models.unfinished_folder import UnfinishedFolder
from ws_service.avatars.loop_files import encode_ahead

_PREPARED_SHARE = 0.85  # of the work; the rest is encoding


def make_avatar(
    order: AvatarOrder,
    folder: Path,
    *,
    replace: bool,
    progress: Progress,
    thumbnail: Thumbnail | None = None,
    while_publishing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Make the avatar of `folder`, which is its name, too; `replace`: one that is there gives way.

    `while_publishing`: entered before the avatar appears, left when `progress` was told so with 1.
    Raises `PreparationError`, `AvatarError`.
    """
    if folder.exists() and not replace:
        raise _in_the_way(folder)

    def told(stage: str, fraction: float) -> None:
        if fraction < 1:
            progress(stage, _PREPARED_SHARE * fraction)

    try:
        with UnfinishedFolder(folder) as place:
            inner = place.path / folder.name
            try:
                avatar = prepare(order, folder.name, inner, progress=told, thumbnail=thumbnail)
            except (AvatarError, PreparationError) as error:
                raise type(error)(str(error).replace(f"{place.path}/", f"{folder.parent}/")) from error
            progress("encoding the loops", _PREPARED_SHARE)
            encode_ahead(avatar)
            progress("saving", 0.99)
            for file in inner.iterdir():
                file.rename(place.path / file.name)
            inner.rmdir()
            with while_publishing():
                place.publish(replace=replace)
                progress("done", 1.0)
    except FileExistsError:
        raise _in_the_way(folder) from None
    except OSError as error:
        raise AvatarError(f"{folder}: cannot be written ({error.strerror}).") from error


def _in_the_way(folder: Path) -> AvatarError:
    return AvatarError(f"{folder}: exists already.")
