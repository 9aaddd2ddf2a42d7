"""Every way to make an avatar on disk, as one order that can be handed on to another process.

Owns the order and its form as JSON; `prepare_photo` and `prepare_clips` do the work.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.errors import PreparationError
from models.preparation.drawn_videos import Progress
from models.preparation.prepare_clips import prepare_clips, prepare_recording, prepare_video
from models.preparation.prepare_photo import prepare_photo
from models.preparation.steadying import Steadying
from models.preparation.survey import Thumbnail
from models.prepared_avatar import PreparedAvatar

__all__ = ["AvatarOrder", "Progress", "Thumbnail", "prepare", "prepare_photo", "prepare_video"]


@dataclass(frozen=True, slots=True)
class AvatarOrder:
    """What an avatar is to be made of: one of `image`, `clips` (by base video) and `recording` (with `actions` marked).

    Raises `PreparationError` for anything but one of them.
    """

    image: Path | None = None
    clips: Mapping[str, Path] = field(default_factory=dict)
    recording: Path | None = None
    actions: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # from and to, in seconds
    steadying: Steadying = field(default_factory=Steadying)

    def __post_init__(self) -> None:
        if (self.image is not None) + bool(self.clips) + (self.recording is not None) != 1:
            raise PreparationError("exactly one is needed: a photo, clips of base videos, or one recording.")
        if self.actions and self.recording is None:
            raise PreparationError("marked times are of one long recording.")

    def as_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads."""
        return {
            "image": None if self.image is None else str(self.image),
            "clips": {name: str(path) for name, path in self.clips.items()},
            "recording": None if self.recording is None else str(self.recording),
            "actions": {name: list(times) for name, times in self.actions.items()},
            "steadying": asdict(self.steadying),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "AvatarOrder":
        """Of `as_json`."""
        return cls(
            None if fields["image"] is None else Path(fields["image"]),
            {name: Path(path) for name, path in fields["clips"].items()},
            None if fields["recording"] is None else Path(fields["recording"]),
            {name: (float(start), float(end)) for name, (start, end) in fields["actions"].items()},
            Steadying(**fields["steadying"]),
        )


def prepare(
    order: AvatarOrder,
    name: str,
    folder: Path,
    *,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """Make the avatar `name` in `folder` (its own folder, which appears when it is whole).

    Raises `PreparationError` naming the file and the frame, `AvatarError` when the folder cannot be written.
    """
    if order.image is not None:
        return prepare_photo(order.image, name, folder, replace=replace, progress=progress, thumbnail=thumbnail)
    if order.recording is not None:
        return prepare_recording(
            order.recording,
            name,
            folder,
            actions=order.actions,
            steadying=order.steadying,
            replace=replace,
            progress=progress,
            thumbnail=thumbnail,
        )
    return prepare_clips(
        order.clips,
        name,
        folder,
        steadying=order.steadying,
        replace=replace,
        progress=progress,
        thumbnail=thumbnail,
    )
