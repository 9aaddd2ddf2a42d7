"""A `LipSyncEngine` without a face: its mouth is the window of audio it was made from.

So a test can ask of every frame which samples it shows, how much look-ahead it had, and its place in its voice.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.interface import FRAME_SAMPLES, BaseFrame, Picture, SpeechFrame
from models.prepared_avatar import PreparedAvatar

PAST_SAMPLES = 960
FUTURE_SAMPLES = 1280


@dataclass(slots=True, eq=False)
class FakeVoice:
    """How many frames of this utterance were generated."""

    frames: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FakeMouth:
    """`number`: 0 for the first frame of its voice."""

    voice: FakeVoice
    number: int
    window: NDArray[np.float32]
    base: BaseFrame

    @property
    def samples(self) -> NDArray[np.int64]:
        """(640,) the frame's own samples, as s16."""
        own = self.window[PAST_SAMPLES : PAST_SAMPLES + FRAME_SAMPLES]
        return np.rint(own * 32768).astype(np.int64)

    @property
    def future(self) -> NDArray[np.float32]:
        """(1280,) the look-ahead."""
        return self.window[PAST_SAMPLES + FRAME_SAMPLES :]


class FakeEngine:
    """`gate`: cleared, `generate` waits for it. `failure`: raised instead of an answer."""

    name = "fake"
    past_samples = PAST_SAMPLES
    future_samples = FUTURE_SAMPLES
    whole_utterances = False

    def __init__(self, max_batch: int = 4) -> None:
        self.max_batch = max_batch
        self.batches: list[list[SpeechFrame]] = []
        self.threads: set[str] = set()
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def new_voice(self) -> FakeVoice:
        return FakeVoice()

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        return 0

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        return

    def generate(self, frames: Sequence[SpeechFrame]) -> list[FakeMouth]:
        self.threads.add(threading.current_thread().name)
        self.batches.append(list(frames))
        assert len({id(frame.voice) for frame in frames}) == len(frames), "two frames of one voice in a batch"
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return [generate_one(frame) for frame in frames]

    def paint(self, mouth: FakeMouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """The base picture; its first row says how far the mouth is shown, 0..255."""
        picture = np.array(avatar.videos[base.video].pictures[base.index])
        picture[0] = round(weight * 255)
        return picture

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "device": "none"}


def generate_one(frame: SpeechFrame) -> FakeMouth:
    """The mouth of one frame; counts in its voice."""
    voice = frame.voice
    assert isinstance(voice, FakeVoice)
    assert frame.window.shape == (PAST_SAMPLES + FRAME_SAMPLES + FUTURE_SAMPLES,)
    mouth = FakeMouth(voice, voice.frames, frame.window.copy(), frame.base)
    voice.frames += 1
    return mouth
