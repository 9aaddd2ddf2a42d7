"""The avatar that is measured with: the built-in one."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.preparation.builtin_avatar import builtin_avatar
from models.prepared_avatar import BaseVideo, save_avatar

_SHORT_FRAMES = 25


def make_bench_avatar(folder: Path, *, short: bool) -> None:
    """Make the built-in avatar in `folder`; `short`: only its first second, which a slow machine has ready sooner.

    Raises `AvatarError` where the folder cannot be written or is there already.
    """
    avatar = builtin_avatar(folder)
    if short:
        videos = {
            name: BaseVideo(name, np.array(video.pictures[:_SHORT_FRAMES]), np.array(video.landmarks[:_SHORT_FRAMES]))
            for name, video in avatar.videos.items()
            if not name.startswith("action")
        }
        save_avatar(replace(avatar, videos=videos), folder, replace=True)
