"""Prepared avatars on disk: one folder each under AVATARS_DIR. Finds and reads them; makes none."""

import re
from dataclasses import replace
from pathlib import Path

import structlog

from models.errors import AvatarError
from models.prepared_avatar import PreparedAvatar, load_avatar, video_names
from protocol.timing import USER_ID_PATTERN
from ws_service.errors import AvatarNotFound, ProcessingFailed

MANIFEST = "manifest.json"


class AvatarStore:
    """The folder of avatars. Names match `^[A-Za-z0-9_-]{1,64}$`, so that none of them can leave the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self, name: str) -> bool:
        """A prepared avatar of this name is there (not yet read)."""
        return re.fullmatch(USER_ID_PATTERN, name) is not None and (self.folder / name / MANIFEST).is_file()

    def names(self) -> list[str]:
        """All avatars, in order."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if self.exists(entry.name))

    def base_videos(self) -> dict[str, list[str]]:
        """What each avatar has; reads manifests alone. Damaged avatars are left out, and logged."""
        found = {}
        for name in self.names():
            try:
                found[name] = video_names(self.folder / name)
            except AvatarError as error:
                structlog.get_logger().warning("avatar not listed", avatar=name, reason=str(error))
        return found

    def read(self, name: str) -> PreparedAvatar:
        """Read an avatar; its pictures stay on disk and are mapped.

        Raises `AvatarNotFound`, or `ProcessingFailed` naming the file when the avatar is damaged.
        """
        if not self.exists(name):
            raise AvatarNotFound(f"There is no avatar named {name!r}", {"avatar": name})
        try:
            # a folder that was renamed by hand is known by the folder's name
            return replace(load_avatar(self.folder / name), name=name)
        except AvatarError as error:
            what = str(error).replace(f"{self.folder}/", "")  # clients need not know where it lies
            raise ProcessingFailed(f"Avatar {name!r} is damaged: {what}", {"avatar": name}) from error
