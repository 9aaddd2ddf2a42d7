"""One frame at a time at the engine, in virtual time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from models.interface import Mouth, SpeechFrame
from tests.fakes.avatars import make_avatar
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import ramp
from ws_service.errors import ProcessingFailed
from ws_service.generation.request import PendingMouth
from ws_service.generation.speakers import SpeakerPlace, Speakers
from ws_service.session.mouth_requests import LONGEST_WHOLE_SAMPLES, MOUTH_GRACE_S, MouthRequests
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import SpeechQueue
from ws_service.session.timeline import Timeline

AVATAR = make_avatar()


class Source:
    """A `MouthSource` whose answers the test gives."""

    past_samples, future_samples = 320, 640
    turn_s = 0.0

    def __init__(self, *, whole_utterances: bool = False) -> None:
        self.whole_utterances = whole_utterances
        self.asked: list[tuple[SpeechFrame, float, PendingMouth]] = []
        self.speakers = Speakers()

    def new_voice(self) -> object:
        return object()

    def new_speaker(self, *, asked_before: bool = False) -> SpeakerPlace:
        return self.speakers.enter(asked_before=asked_before)

    def submit(self, frame: SpeechFrame, deadline_s: float) -> PendingMouth:
        future = PendingMouth(loop=asyncio.get_running_loop())
        self.asked.append((frame, deadline_s, future))
        return future

    def describe(self) -> dict[str, Any]:
        return {}


class Scene:
    """Speech, a timeline, and requests over a `Source`."""

    def __init__(self, source: Source | None = None) -> None:
        self.source = source or Source()
        self.speech = SpeechQueue(Source.future_samples, 160_000)
        self.timeline = Timeline({name: len(v.pictures) for name, v in AVATAR.videos.items()}, True)
        self.place = SpeakingPlace(self.source)
        self.requests = MouthRequests(self.source, self.speech, self.place)

    def hear(self, samples: int, rate_hz: int = 16_000) -> None:
        self.place.admits(None)
        self.speech.push(bytes(2 * samples), rate_hz, 1, None, None)

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


def test_a_mouth_that_is_late_but_in_work_costs_a_grace_and_stays_asked_for() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask()
        scene.source.asked[0][2].started = True
        began_s = asyncio.get_running_loop().time()
        assert await scene.take() is None
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(MOUTH_GRACE_S)
        scene.source.asked[0][2].set_result("late")  # type: ignore[arg-type]
        assert await scene.take() == "late"
        assert len(scene.source.asked) == 1

    run_virtual(play())


def test_one_that_had_not_even_started_is_asked_for_again_for_the_next_picture_under_its_first_deadline() -> None:
    async def play() -> None:
        scene = Scene()
        scene.hear(3200)
        scene.ask(2.0)
        for tick in range(1, 4):
            scene.timeline.tick()
            assert await scene.take(2.0 + 0.04 * tick) is None
            assert scene.source.asked[-1][2].cancelled()
            scene.ask(2.0 + 0.04 * (tick + 1))
        frames = [frame for frame, _, _ in scene.source.asked]
        assert [frame.index for frame in frames] == [0, 0, 0, 0]
        assert [frame.base.index for frame in frames] == [0, 1, 2, 3]
        assert {deadline_s for _, deadline_s, _ in scene.source.asked} == {2.0}
        assert len({id(frame.voice) for frame in frames}) == 1
        scene.source.asked[-1][2].set_result("at last")  # type: ignore[arg-type]
        assert await scene.take() == "at last"
        scene.speech.consume()
        scene.ask(2.2)
        assert scene.source.asked[-1][1] == 2.2, "the next frame has a deadline of its own"

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


@pytest.mark.parametrize(("lead_s", "ticks"), [(0.001, 1), (0.019, 1), (0.021, 0), (0.039, 0)])
def test_live_speech_asked_for_too_near_to_its_tick_for_a_slow_engine_begins_one_tick_later(
    lead_s: float, ticks: int
) -> None:
    async def play() -> None:
        scene = Scene()
        scene.source.turn_s = 0.032
        scene.hear(1280)
        scene.ask()
        scene.source.asked[0][2].set_result("ready")  # type: ignore[arg-type]
        await asyncio.sleep(lead_s)
        for _ in range(ticks):
            assert await scene.take() is None
            await asyncio.sleep(0.04)
        assert await scene.take() == "ready"

    run_virtual(play())


def test_speech_that_is_there_already_begins_at_once_however_slow_the_engine() -> None:
    async def play() -> None:
        scene = Scene()
        scene.source.turn_s = 0.050
        scene.hear(3200)
        scene.ask()
        scene.source.asked[0][2].set_result("ready")  # type: ignore[arg-type]
        assert await scene.take() == "ready"

    run_virtual(play())


class TestHalfRate:
    """More sessions speak than the engine carries."""

    @staticmethod
    async def shown(scene: Scene, frames: int, deadline_s: float = 2.0) -> list[object]:
        """The mouths of the next frames; each that is asked for is generated at once and says its index."""
        mouths = []
        for _ in range(frames):
            scene.ask(deadline_s)
            if scene.source.asked and not scene.source.asked[-1][2].done():
                frame, _, future = scene.source.asked[-1]
                future.set_result(frame.index)  # type: ignore[arg-type]
            mouths.append(await scene.take(deadline_s))
            scene.speech.consume()
            deadline_s += 0.04
        return mouths

    def test_every_second_frame_shows_the_mouth_before_it_and_is_never_asked_for(self) -> None:
        async def play() -> None:
            scene = Scene()
            scene.source.speakers.full_rate = 1
            others = [scene.source.new_speaker()]
            scene.hear(20 * 640)
            shown = await self.shown(scene, 9)
            generated = [frame.index for frame, _, _ in scene.source.asked]
            assert generated[0] == 0
            assert shown == [max(index for index in generated if index <= n) for n in range(9)]
            assert 4 <= len(generated) <= 5
            others[0].leave()
            assert await self.shown(scene, 4, 2.36) == [9, 10, 11, 12]

        run_virtual(play())

    def test_each_utterance_begins_with_a_frame_of_its_own(self) -> None:
        async def play() -> None:
            scene = Scene()
            scene.source.speakers.full_rate = 1
            scene.source.new_speaker()
            for start_s in (2.0, 2.04, 2.08, 2.12):
                scene.hear(640)
                scene.speech.end()
                assert await self.shown(scene, 1, start_s) == [0]
                assert scene.speech.finished() is not None
            assert len(scene.source.asked) == 4

        run_virtual(play())

    def test_an_interrupt_forgets_the_mouth_that_would_be_shown_again(self) -> None:
        async def play() -> None:
            scene = Scene()
            scene.source.speakers.full_rate = 1
            scene.source.new_speaker()
            scene.hear(20 * 640)
            await self.shown(scene, 3)
            scene.speech.clear()
            scene.ask(2.16)
            assert await scene.take(2.16) is None

        run_virtual(play())


class TestWholeUtterances:
    """An engine that hears the whole before it speaks."""

    @staticmethod
    def scene() -> Scene:
        return Scene(Source(whole_utterances=True))

    def test_what_is_complete_before_its_first_frame_is_due_is_given_whole_and_once(self) -> None:
        async def play() -> None:
            scene = self.scene()
            scene.place.admits(None)
            scene.speech.push(ramp(1700), 16_000, 1, None, None)
            scene.speech.end()
            while scene.requests.read_ahead():
                pass
            scene.ask()
            frame, _, future = scene.source.asked[0]
            assert frame.utterance is not None
            assert (frame.utterance * 32768).tolist() == list(range(1, 1701))
            assert frame.utterance_samples == 1700
            future.set_result("whole")  # type: ignore[arg-type]
            await scene.take()
            scene.speech.consume()
            scene.ask()
            assert scene.source.asked[1][0].utterance is None

        run_virtual(play())

    def test_shorter_than_a_frame_is_whole_too(self) -> None:
        async def play() -> None:
            scene = self.scene()
            scene.hear(100)
            scene.speech.end()
            while scene.requests.read_ahead():
                pass
            scene.ask()
            assert scene.source.asked[0][0].utterance.shape == (100,)  # type: ignore[union-attr]

        run_virtual(play())

    def test_an_end_that_comes_behind_the_request_but_before_its_batch_still_makes_it_whole(self) -> None:
        async def play() -> None:
            scene = self.scene()
            scene.hear(3200)
            scene.ask(2.0)
            assert scene.source.asked[0][0].utterance is None
            scene.speech.end()
            while scene.requests.read_ahead():
                pass
            scene.ask(2.0)
            (_, _, before), (frame, deadline_s, _) = scene.source.asked
            assert before.cancelled()
            assert frame.utterance is not None
            assert deadline_s == 2.0

        run_virtual(play())

    @pytest.mark.parametrize("shown", [False, True])
    def test_an_end_that_comes_later_leaves_it_live(self, shown: bool) -> None:
        async def play() -> None:
            scene = self.scene()
            scene.hear(3200)
            scene.ask()
            scene.source.asked[0][2].started = True
            if shown:
                scene.source.asked[0][2].set_result("live")  # type: ignore[arg-type]
                await scene.take()
                scene.speech.consume()
            scene.speech.end()
            scene.ask()
            assert all(frame.utterance is None for frame, _, _ in scene.source.asked)
            assert not scene.source.asked[0][2].cancelled()

        run_virtual(play())

    def test_a_long_push_at_another_rate_is_read_in_steps_and_asked_for_when_that_is_done(self) -> None:
        async def play() -> None:
            scene = self.scene()
            scene.hear(10 * 48_000, 48_000)
            scene.speech.end()
            scene.ask()
            assert await scene.take() is None
            steps = 0
            while scene.requests.read_ahead():
                assert scene.source.asked == []
                steps += 1
            scene.ask()
            assert steps > 20
            assert scene.source.asked[0][0].utterance.shape == (160_000,)  # type: ignore[union-attr]

        run_virtual(play())

    def test_longer_than_a_minute_is_heard_live(self) -> None:
        async def play() -> None:
            scene = Scene(Source(whole_utterances=True))
            scene.speech = SpeechQueue(Source.future_samples, 10_000_000)
            scene.requests = MouthRequests(scene.source, scene.speech, scene.place)
            scene.hear(LONGEST_WHOLE_SAMPLES + 1)
            scene.speech.end()
            scene.ask()
            assert scene.source.asked[0][0].utterance is None

        run_virtual(play())

    def test_other_engines_are_not_given_it_and_nothing_is_read_ahead(self) -> None:
        async def play() -> None:
            scene = Scene()
            scene.hear(3200)
            scene.speech.end()
            assert not scene.requests.read_ahead()
            scene.ask()
            assert scene.source.asked[0][0].utterance is None

        run_virtual(play())
