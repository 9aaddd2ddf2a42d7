"""Idle videos follow each other by themselves; where their poses differ, one gives way to the next in a short fade.

Owns their order, the fade's length and weights, and which videos are the same. Pure: pictures are not looked at.
"""

from collections.abc import Iterable

from models.prepared_avatar import PreparedAvatar

FADE_FRAMES = 5
IDLE_PREFIX = "idle_"


def idle_videos(names: Iterable[str]) -> list[str]:
    """The idle videos among these, in the order in which they follow each other; after the last, the first."""
    idle = (name for name in names if name.startswith(IDLE_PREFIX))
    return sorted(idle, key=lambda name: (len(name), name))  # idle_10 comes after idle_9


def fade_weight(left: int) -> float:
    """How much is still seen of the picture that gives way when this many pictures of the fade are left."""
    return left / (FADE_FRAMES + 1)


def bridge_name(leaving: str, coming: str) -> str:
    """As which the bridge is known among an avatar's encoded loops; no base video has such a name."""
    return f"{leaving}>{coming}"


def twins(avatar: PreparedAvatar) -> dict[str, str]:
    """Loops that show the very same pictures: by name, the first of them."""
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(video.pictures), name)
        for name, video in avatar.videos.items()
        if not name.startswith("action")
    }
