"""One frame at a time at the engine, in virtual time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from models.interface import Mouth, SpeechFrame
from tests.fakes.avatars import make_avatar
from tests.virtual_time import run_virtual
from ws_service.errors import ProcessingFailed
from ws_service.session.mouth_requests import MOUTH_GRACE_S, MouthRequests
from ws_service.session.speech import SpeechQueue
from ws_service.session.timeline import Timeline

AVATAR = make_avatar()


class Source:
    """A `MouthSource` whose answers the test gives."""

    past_samples, future_samples = 320, 640

    def __init__(self) -> None:
        self.asked: list[tuple[SpeechFrame, float, asyncio.Future[Mouth]]] = []

    def new_voice(self) -> object:
        return object()

    def submit(self, frame: SpeechFrame, deadline_s: float) -> "asyncio.Future[Mouth]":
        future: asyncio.Future[Mouth] = asyncio.get_running_loop().create_future()
        self.asked.append((frame, deadline_s, future))
        return future

    def describe(self) -> dict[str, Any]:
        return {}


class Scene:
    """Speech, a timeline, and requests over a `Source`."""

    def __init__(self) -> None:
        self.source = Source()
        self.speech = SpeechQueue(Source.future_samples, 160_000)
        self.timeline = Timeline({name: len(v.pictures) for name, v in AVATAR.videos.items()}, True)
        self.requests = MouthRequests(self.source, self.speech)

    def hear(self, samples: int) -> None:
        self.speech.push(bytes(2 * samples), 16000, 1, None, None)

    def ask(self, deadline_s: float = 1.0) -> None:
        self.requests.ask_ahead(AVATAR, self.timeline, deadline_s)

    def take(self, now_s: float = 0.0) -> Coroutine[Any, Any, Mouth | None]:
        return self.requests.take(AVATAR, self.timeline, now_s)


def test_a_frame_is_asked_for_once_its_look_ahead_is_there() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(1279)
        scene.ask()
        assert not scene.source.asked
        scene.hear(1)
        scene.ask(2.5)
        scene.ask(2.5)
        [(frame, deadline_s, _)] = scene.source.asked
        assert frame.window.shape == (320 + 640 + 640,)
        assert deadline_s == 2.5
        assert (frame.base.video, frame.base.index) == ("idle_1", 0)

    run_virtual(play())


def test_a_mouth_that_is_ready_is_taken_and_the_next_one_has_the_same_voice() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask()
        scene.source.asked[0][2].set_result("first")  # type: ignore[arg-type]
        assert await scene.take() == "first"
        scene.speech.consume()
        scene.ask()
        assert scene.source.asked[1][0].voice is scene.source.asked[0][0].voice

    run_virtual(play())


def test_a_late_mouth_costs_a_grace_and_stays_asked_for() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask()
        began_s = asyncio.get_running_loop().time()
        assert await scene.take() is None
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(MOUTH_GRACE_S)
        scene.source.asked[0][2].set_result("late")  # type: ignore[arg-type]
        assert await scene.take() == "late"
        assert len(scene.source.asked) == 1

    run_virtual(play())


def test_a_frame_that_is_due_without_its_look_ahead_is_asked_for_now() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(640)
        waiting = asyncio.create_task(scene.take(7.0))
        await asyncio.sleep(0)
        frame, deadline_s, future = scene.source.asked[0]
        assert deadline_s == 7.0
        assert not frame.window[960:].any()
        future.set_result("padded")  # type: ignore[arg-type]
        assert await waiting == "padded"

    run_virtual(play())


def test_speech_that_was_dropped_takes_its_request_along() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask()
        scene.speech.clear()
        scene.ask()
        assert scene.source.asked[0][2].cancelled()
        assert await scene.take() is None

    run_virtual(play())


def test_a_failure_of_the_engine_is_told_once() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask()
        scene.source.asked[0][2].set_exception(ProcessingFailed("no"))
        with pytest.raises(ProcessingFailed):
            await scene.take()
        scene.requests.drop()

    run_virtual(play())
