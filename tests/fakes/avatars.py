"""Avatars without faces: black pictures that take no memory, and a provider that counts who holds what."""

import asyncio
from collections.abc import Mapping

import numpy as np

from models.interface import PICTURE_SHAPE
from models.prepared_avatar import BaseVideo, PreparedAvatar
from tests.fakes.video import FakeVideo
from ws_service.errors import AvatarNotFound

LENGTHS = {"idle_1": 100, "idle_2": 100, "speaking_1": 100, "action_1": 25, "action_2": 50}


def make_avatar(
    name: str = "default", lengths: Mapping[str, int] | None = None, *, same_pose: bool = True
) -> PreparedAvatar:
    """`lengths`: frames of each base video."""
    black = np.zeros(PICTURE_SHAPE, np.uint8)
    point = np.zeros((468, 2), np.float32)
    videos = {
        video: BaseVideo(video, np.broadcast_to(black, (count, *black.shape)), np.broadcast_to(point, (count, 468, 2)))
        for video, count in (lengths or LENGTHS).items()
    }
    return PreparedAvatar(name, videos, same_pose, {})


class FakeHeldAvatar:
    """A `LoadedAvatar`. `users` of the provider falls when it is released."""

    def __init__(self, provider: "FakeAvatars", avatar: PreparedAvatar, *, all_intra: bool = False) -> None:
        self.avatar = avatar
        self.all_intra = all_intra
        self.videos: list[FakeVideo] = []
        self._provider: FakeAvatars | None = provider
        provider.users += 1

    def open_video(self) -> FakeVideo:
        video = FakeVideo(self._provider.encode_s if self._provider else 0.0)
        self.videos.append(video)
        return video

    def release(self) -> None:
        if self._provider is not None:
            self._provider.users -= 1
            self._provider = None


class FakeAvatars:
    """An `AvatarProvider` of the avatars it was given. `load_s`: how long `acquire` takes."""

    def __init__(self, *avatars: PreparedAvatar, load_s: float = 0.0, encode_s: float = 0.0) -> None:
        self.avatars = {avatar.name: avatar for avatar in avatars or (make_avatar(),)}
        self.load_s = load_s
        self.encode_s = encode_s
        self.users = 0
        self.held: list[FakeHeldAvatar] = []

    def default(self) -> FakeHeldAvatar:
        return self._hold(next(iter(self.avatars.values())), all_intra=False)

    async def acquire(self, name: str, *, strict: bool, all_intra: bool) -> FakeHeldAvatar:
        if self.load_s:
            await asyncio.sleep(self.load_s)
        if name not in self.avatars and strict:
            raise AvatarNotFound(f"There is no avatar named {name!r}", {"avatar": name})
        default = next(iter(self.avatars.values()))
        return self._hold(self.avatars.get(name, default), all_intra=all_intra)

    def _hold(self, avatar: PreparedAvatar, *, all_intra: bool) -> FakeHeldAvatar:
        held = FakeHeldAvatar(self, avatar, all_intra=all_intra)
        self.held.append(held)
        return held
