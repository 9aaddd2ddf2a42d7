"""A model of a graphics card: how long a batch takes. Its engine makes mouths of nothing; its thread is a timer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from models.interface import BaseFrame, Picture, SpeechFrame
from models.prepared_avatar import PreparedAvatar
from ws_service.generation.batch_times import BUCKETS
from ws_service.generation.worker import Done


@dataclass(frozen=True, slots=True)
class Card:
    """A batch is computed at the next size of `BUCKETS`: `fixed_s` and `frame_s` for each of its places.

    The default does 16 frames in 16 ms, 40 in 40 ms: 32 speakers are admitted at the full rate. `slow_s`: what a frame
    of an avatar named `slow` costs on top.
    """

    fixed_s: float = 0.002
    frame_s: float = 0.000875
    slow_s: float = 0.0

    def batch_s(self, frames: Sequence[SpeechFrame]) -> float:
        """How long these take together."""
        places = next(size for size in BUCKETS if size >= len(frames))
        slow = sum(frame.avatar.name == "slow" for frame in frames)
        return self.fixed_s + places * self.frame_s + slow * self.slow_s


@dataclass(slots=True, eq=False)
class CardVoice:
    """Whose frame was made last."""

    index: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class CardMouth:
    """A mouth with nothing on it."""

    index: int


@dataclass(eq=False)
class CardEngine:
    """A `LipSyncEngine` that needs as long as the card says; `works_s` adds that up."""

    card: Card
    name: str = "card"
    past_samples: int = 1280
    future_samples: int = 1480  # of MuseTalk 1.5
    whole_utterances: bool = True
    max_batch: int = 32
    works_s: float = 0.0
    batches: list[int] = field(default_factory=list)

    def new_voice(self) -> CardVoice:
        return CardVoice()

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        return 0

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        return

    def generate(self, frames: Sequence[SpeechFrame]) -> list[CardMouth]:
        assert 0 < len(frames) <= self.max_batch
        assert len({id(frame.voice) for frame in frames}) == len(frames), "two frames of one voice in a batch"
        for frame in frames:
            assert isinstance(frame.voice, CardVoice)
            index = frame.voice.index + 1 if frame.index is None else frame.index
            assert frame.voice.index < index <= frame.voice.index + 2, "a frame again, or a gap of more than one"
            frame.voice.index = index
        self.batches.append(len(frames))
        return [CardMouth(frame.voice.index) for frame in frames]

    def paint(self, mouth: CardMouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        raise NotImplementedError("nothing is painted in a simulation")

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


class CardWorker:
    """A `BatchRunner` on the event loop: an answer comes when the card would be done."""

    busy_since_s = None

    def __init__(self, engine: CardEngine) -> None:
        self._engine = engine

    def start(self) -> None:
        return

    def stop(self) -> None:
        return

    def post(self, frames: Sequence[SpeechFrame], done: Done) -> None:
        works_s = self._engine.card.batch_s(frames)
        self._engine.works_s += works_s
        asyncio.get_running_loop().call_later(works_s, done, self._engine.generate(frames))
