"""A `MouthSource` on the event loop alone: an engine that needs a given time, in virtual time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from models.interface import SpeechFrame
from tests.fakes.engine import FUTURE_SAMPLES, PAST_SAMPLES, FakeVoice, generate_one
from ws_service.errors import ProcessingFailed
from ws_service.generation.request import PendingMouth
from ws_service.generation.speakers import SpeakerPlace, Speakers


class FakeMouths:
    """`work_s(n)`: seconds for the n-th request. The requests whose numbers are in `failing` fail."""

    past_samples = PAST_SAMPLES
    future_samples = FUTURE_SAMPLES
    whole_utterances = False
    turn_s = 0.0

    def __init__(self, work_s: Callable[[int], float] = lambda n: 0.004) -> None:
        self.work_s = work_s
        self.failing: set[int] = set()
        self.requests = 0
        self.cancelled = 0
        self.deadlines_s: list[float] = []
        self.speakers = Speakers()

    def new_voice(self) -> FakeVoice:
        return FakeVoice()

    def new_speaker(self, *, asked_before: bool = False) -> SpeakerPlace:
        return self.speakers.enter(asked_before=asked_before)

    def submit(self, frame: SpeechFrame, deadline_s: float) -> PendingMouth:
        loop = asyncio.get_running_loop()
        number, self.requests = self.requests, self.requests + 1
        self.deadlines_s.append(deadline_s)
        future = PendingMouth(loop=loop)
        future.started = True
        loop.call_later(self.work_s(number), self._answer, number, frame, future)
        return future

    def describe(self) -> Mapping[str, Any]:
        return {"name": "fake"}

    def _answer(self, number: int, frame: SpeechFrame, future: PendingMouth) -> None:
        if future.cancelled():
            self.cancelled += 1
        elif number in self.failing:
            future.set_exception(ProcessingFailed("The engine failed on this speech"))
        else:
            future.set_result(generate_one(frame))
