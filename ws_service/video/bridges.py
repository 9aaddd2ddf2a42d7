"""The ways from one idle video to the next, encoded once like the videos themselves and shared by all sessions.

Owns their pictures. A bridge is the first second of the video that comes next, its first pictures mixed with how the
one before would have gone on; after it, the next video's own packets follow. So a change of idle videos costs a session
no encoding. Knows no session and no codec.
"""

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from models.prepared_avatar import BaseVideo, PreparedAvatar
from protocol.timing import GOP_FRAMES
from ws_service.video.idle_order import FADE_FRAMES, bridge_name, fade_weight, idle_videos, twins

Pictures = NDArray[np.uint8]


class Bridge:
    """The pictures of one bridge, mixed when they are asked for; as often as they are."""

    def __init__(self, leaving: BaseVideo, coming: BaseVideo) -> None:
        self._leaving = leaving.pictures
        self._coming = coming.pictures[:GOP_FRAMES]

    def __len__(self) -> int:
        return len(self._coming)

    def __iter__(self) -> Iterator[Pictures]:
        for index, picture in enumerate(self._coming):
            left = FADE_FRAMES - index
            yield picture if left <= 0 else mixed(self._leaving[index % len(self._leaving)], picture, fade_weight(left))


def mixed(leaving: Pictures, coming: Pictures, weight: float) -> Pictures:
    """(768, 512) uint8 I420 each: `weight` of the first."""
    mix: Pictures = np.empty_like(coming)
    cv2.addWeighted(leaving, weight, coming, 1 - weight, 0, dst=mix)
    return mix


def loop_pictures(avatar: PreparedAvatar) -> dict[str, Pictures | Bridge]:
    """What is to be encoded of an avatar: its base videos, and the bridges between its idle videos."""
    videos: Mapping[str, BaseVideo] = avatar.videos
    pictures: dict[str, Pictures | Bridge] = {name: video.pictures for name, video in videos.items()}
    idle, alike = idle_videos(videos), twins(avatar)
    for leaving, coming in zip(idle, idle[1:] + idle[:1], strict=True):
        if not avatar.same_pose and alike[leaving] != alike[coming]:
            pictures[bridge_name(leaving, coming)] = Bridge(videos[leaving], videos[coming])
    return pictures
