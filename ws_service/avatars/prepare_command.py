"""`musetalk prepare`: a photo or a video in, an avatar in the store out, progress on the terminal."""

import re
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from models.errors import AvatarError, PreparationError
from models.preparation.prepare import prepare_photo, prepare_video
from protocol.timing import USER_ID_PATTERN
from ws_service.avatars.loop_files import encode_ahead
from ws_service.avatars.store import AvatarStore
from ws_service.errors import StartError


def prepare_avatar(folder: Path, name: str, *, image: Path | None, video: Path | None, force: bool) -> None:
    """Prepare `folder/name`. Raises `StartError` with a sentence when that cannot be done."""
    if (image is None) == (video is None):
        raise StartError("Give either --image or --video")
    if not re.fullmatch(USER_ID_PATTERN, name):
        raise StartError(f"The name {name!r} must match {USER_ID_PATTERN}")
    target = folder / name
    if AvatarStore(folder).exists(name) and not force:
        raise StartError(f"There is an avatar named {name!r} already; --force replaces it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task(f"Preparing {name}", total=1.0)

            def show(stage: str, fraction: float) -> None:
                progress.update(task, completed=fraction, description=f"{name}: {stage}")

            if image is not None:
                encode_ahead(prepare_photo(image, name, target, replace=force, progress=show))
            elif video is not None:
                encode_ahead(prepare_video(video, name, target, replace=force, progress=show))
    except (AvatarError, PreparationError) as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"The avatar folder {folder} (AVATARS_DIR) cannot be written: {error}") from None
    Console(stderr=True).print(f"Avatar {name!r} is ready in {target}")
