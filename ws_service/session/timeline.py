"""Which base picture is shown at each tick: loops, actions, and the cross-fades between poses that differ. Pure.

The timeline knows nothing of speech but that it runs: the mouth is painted on whatever picture the timeline gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ws_service.errors import InvalidMessage
from ws_service.video.idle_order import FADE_FRAMES, IDLE_PREFIX, fade_weight, idle_videos

ACTION_PREFIX = "action_"


class State(StrEnum):
    """What the session is doing, as clients see it."""

    IDLE = "idle"
    SPEAKING = "speaking"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class Fade:
    """The picture that is being left: it still has `weight` (0..1) of what is seen."""

    video: str
    index: int
    weight: float


@dataclass(frozen=True, slots=True)
class BaseTick:
    """One step of the timeline. `progress` is 0..1 through the action, None outside one."""

    video: str
    index: int
    fade: Fade | None = None
    progress: float | None = None


class Timeline:
    """A base loop that always runs, and at most one action on top of it.

    `lengths`: frames of each base video. `same_pose`: the loops show the same pose at each index, so a change of loop
    keeps the index and needs no fade; actions of such an avatar end in the pose of index 0, where the loop goes on.
    `twins`: by name, loops that show the same pictures have the same value.

    Idle videos follow each other, one round each, in the order of their numbers. One that was asked for by name stays,
    unless it is the first: that one stands for being idle as such.

    One fade at a time: what needs another one waits until the fade under way has ended, five pictures at most.
    """

    def __init__(self, lengths: Mapping[str, int], same_pose: bool, twins: Mapping[str, str] | None = None) -> None:
        self._lengths = lengths
        self._same_pose = same_pose
        self._twins = twins or {}
        self._idles = idle_videos(lengths)
        self._idle = self._idles[0]
        self._idle_stays = False
        self._base = self._idle
        self._loop = self._idle  # the base, or the loop before it while a fade is waited for
        self._index = 0
        self._asked_action: str | None = None
        self._action: str | None = None
        self._action_index = 0
        self._leaving: tuple[str, int] | None = None
        self._fade_left = 0
        self._shown: tuple[str, int] | None = None
        self._for_speech = False

    @property
    def base_video(self) -> str:
        """The loop that runs, or that runs on after the action or the fade under way."""
        return self._base

    @property
    def current_video(self) -> str:
        """What is shown now, or as soon as the fade under way has ended."""
        return self._asked_action or self._action or self._base

    @property
    def videos(self) -> list[str]:
        """All base videos, loops and actions."""
        return sorted(self._lengths)

    @property
    def acting(self) -> bool:
        """An action is running or about to: not all of its pictures have been shown."""
        return self._asked_action is not None or self._action is not None

    @property
    def actions(self) -> list[str]:
        """The names of the avatar's actions, `action_1` first."""
        names = (name for name in self._lengths if name.startswith(ACTION_PREFIX))
        return sorted(names, key=lambda name: (len(name), name))  # action_10 comes after action_9

    def check_video(self, video: str, path: str) -> None:
        """Raises `InvalidMessage`, naming the field at `path`, when the avatar has no such base video."""
        if video not in self._lengths:
            raise InvalidMessage(f"Unknown base_video {video!r}", {"path": path, "allowed": sorted(self._lengths)})

    def change(self, video: str) -> None:
        """STATE_CHANGE: `video`, one of the avatar's, is the base from now on; an action video plays once instead."""
        if video.startswith(ACTION_PREFIX):
            self.act(video)
            return
        self._for_speech = False
        if video.startswith(IDLE_PREFIX):
            self._idle_stays = video != self._idles[0]
        self._set_base(video)

    def act(self, video: str) -> None:
        """Start an action of the avatar. Raises `InvalidMessage` when one is running."""
        if self.acting:
            raise InvalidMessage("Action already in progress", {"running": self.current_video})
        self._asked_action = video
        self._begin_what_was_asked()

    def speech_video(self, video: str | None) -> None:
        """The speech that is playing wants this base; it holds until the speech ends."""
        if video is None or video == self._base or video not in self._lengths:
            return
        if video.startswith(ACTION_PREFIX):
            if not self.acting:
                self.act(video)
            return
        self._set_base(video)
        self._for_speech = not video.startswith(IDLE_PREFIX)

    def speech_ended(self) -> None:
        """Back to the last idle video, when it was speech that had left it."""
        if self._for_speech:
            self._for_speech = False
            self._set_base(self._idle)

    def peek(self) -> tuple[str, int]:
        """Video and index that the next tick will show if nothing changes."""
        if self._action is not None:
            return self._action, self._action_index
        return self._loop, self._index

    def tick(self) -> BaseTick:
        """The picture of this step; moves on by one."""
        fade = self._fade_step()
        video, index = self._shown = self.peek()
        progress = None
        if self._action is not None:
            self._action_index += 1
            progress = self._action_index / self._lengths[video]
            if self._action_index == self._lengths[video]:
                self._leave(follows_pose=self._same_pose)  # never has to wait: actions are longer than a fade
                self._action, self._loop, self._index = None, self._base, 0
        else:
            self._index = (index + 1) % self._lengths[video]
            if self._index == 0 and video == self._idle == self._base and not self._idle_stays:
                self._set_base(self._idles[(self._idles.index(video) + 1) % len(self._idles)])
        self._begin_what_was_asked()
        return BaseTick(video, index, fade, progress)

    def _set_base(self, video: str) -> None:
        if video.startswith(IDLE_PREFIX):
            self._idle = video
        self._base = video
        self._begin_what_was_asked()

    def _begin_what_was_asked(self) -> None:
        """The action or else the loop, unless its fade has to wait for the one under way."""
        if self._action is not None:
            return
        if self._asked_action is not None and self._leave(follows_pose=self._same_pose and self._index == 0):
            self._action, self._action_index, self._asked_action = self._asked_action, 0, None
        elif self._base != self._loop:
            twins = self._twins.get(self._base, self._base) == self._twins.get(self._loop, self._loop)
            keeps_index = (self._same_pose or twins) and self._index < self._lengths[self._base]
            if self._leave(follows_pose=keeps_index):
                self._loop = self._base
                self._index = self._index if keeps_index else 0

    def _leave(self, *, follows_pose: bool) -> bool:
        """Whether the next picture may belong to another video; it fades in when its pose is not the one that follows.

        A fade whose first picture has not been shown may still lead elsewhere.
        """
        if follows_pose or self._shown is None:
            return True
        if 0 < self._fade_left < FADE_FRAMES:
            return False
        self._leaving, self._fade_left = self._shown, FADE_FRAMES
        return True

    def _fade_step(self) -> Fade | None:
        if self._leaving is None or self._fade_left == 0:
            self._leaving = None
            return None
        video, index = self._leaving
        length = self._lengths[video]
        index = min(index + 1, length - 1) if video.startswith(ACTION_PREFIX) else (index + 1) % length
        self._leaving = (video, index)
        weight = fade_weight(self._fade_left)
        self._fade_left -= 1
        return Fade(video, index, weight)
