"""`musetalk prepare`: a photo or videos in, an avatar in the store out, progress on the terminal."""

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from models.errors import AvatarError, PreparationError
from models.preparation.drawn_videos import REPORT_NAME
from models.preparation.prepare import AvatarOrder
from models.preparation.steadying import Steadying
from protocol.timing import USER_ID_PATTERN
from ws_service.avatars.make_avatar import make_avatar
from ws_service.avatars.progress_bar import progress_bar
from ws_service.avatars.store import AvatarStore
from ws_service.errors import StartError


def avatar_order(
    *,
    image: Path | None,
    video: Path | None,
    bases: Sequence[str] = (),
    recording: Path | None = None,
    actions: Sequence[str] = (),
    steadying: Steadying | None = None,
) -> AvatarOrder:
    """What the options mean. `bases`: "idle_1=clip.mp4"; `actions`: "action_1=12.5-15". Raises `StartError`."""
    clips = {} if video is None else {"idle_0": video}
    for text in bases:
        name, separator, path = text.partition("=")
        if not separator or not path or name in clips:
            raise StartError(f"--base {text}: give each name once, as in --base idle_1=clip.mp4")
        clips[name] = Path(path)
    marked = {}
    for text in actions:
        found = re.fullmatch(r"([a-z]+_\d+)=(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", text)
        if found is None or found[1] in marked:
            raise StartError(f"--action {text}: give each name once and its seconds, as in --action action_1=12.5-15")
        marked[found[1]] = (float(found[2]), float(found[3]))
    if (image is not None) + bool(clips) + (recording is not None) != 1:
        raise StartError("Give either --image, or --video and --base, or --recording")
    try:
        return AvatarOrder(image, clips, recording, marked, steadying or Steadying())
    except PreparationError:
        raise StartError("--action goes with --recording") from None


def prepare_avatar(folder: Path, name: str, order: AvatarOrder, *, force: bool) -> None:
    """Prepare `folder/name`. Raises `StartError` with a sentence when that cannot be done."""
    if not re.fullmatch(USER_ID_PATTERN, name):
        raise StartError(f"The name {name!r} must match {USER_ID_PATTERN}")
    target = folder / name
    if AvatarStore(folder).exists(name) and not force:
        raise StartError(f"There is an avatar named {name!r} already; --force replaces it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with progress_bar(f"Preparing {name}", name) as progress:
            make_avatar(order, target, replace=force, progress=progress)
    except (AvatarError, PreparationError) as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"The avatar folder {folder} (AVATARS_DIR) cannot be written: {error}") from None
    Console(stderr=True).print(f"Avatar {name!r} is ready in {target}; what was seen and done: {target / REPORT_NAME}")
