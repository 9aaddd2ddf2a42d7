"""Requests of many sessions become batches of one engine: the real thread, and time that jumps."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest

from models.interface import BaseFrame, SpeechFrame
from tests.fakes.avatars import make_avatar
from tests.fakes.engine import FUTURE_SAMPLES, PAST_SAMPLES, FakeEngine, FakeVoice
from tests.virtual_time import run_virtual, virtual_loop
from tests.ws_service.session.stage import Stage, message
from tests.ws_service.session.stream_laws import check_stream
from ws_service.errors import ProcessingFailed
from ws_service.generation.batch_times import SLACK_UNMEASURED_S
from ws_service.generation.capacity import full_rate_speakers
from ws_service.generation.scheduler import GenerationScheduler
from ws_service.session.admission import Admission

AVATAR = make_avatar()
START_S = 1000.0  # of the virtual clock


@asynccontextmanager
async def scheduling(engine: FakeEngine):
    scheduler = GenerationScheduler(engine)
    virtual_loop().works_elsewhere = lambda: scheduler.busy and engine.gate.is_set()
    scheduler.start()
    try:
        yield scheduler
    finally:
        engine.gate.set()
        scheduler.stop()


def frame(level: float = 0.0) -> SpeechFrame:
    window = np.full(PAST_SAMPLES + 640 + FUTURE_SAMPLES, level, np.float32)
    return SpeechFrame(FakeVoice(), window, AVATAR, BaseFrame("idle_1", 0))


def test_each_request_gets_the_mouth_of_its_own_frame_whatever_the_order_of_deadlines():
    async def main():
        async with scheduling(FakeEngine(max_batch=8)) as scheduler:
            futures = [scheduler.submit(frame(n / 8), START_S + 1 - n / 100) for n in range(8)]
            mouths = await asyncio.gather(*futures)
            assert [float(mouth.window[0]) for mouth in mouths] == [n / 8 for n in range(8)]
            assert (scheduler.batches, scheduler.frames) == (1, 8)

    run_virtual(main())


def test_a_lone_request_waits_for_company_but_not_longer_than_its_deadline_allows():
    async def main():
        async with scheduling(FakeEngine()) as scheduler:
            await scheduler.submit(frame(), START_S + 0.040)
            assert virtual_loop().time() == pytest.approx(START_S + 0.040 - SLACK_UNMEASURED_S, abs=0.0015)

    run_virtual(main())


def test_requests_that_come_while_one_waits_ride_in_its_batch():
    async def main():
        engine = FakeEngine()
        async with scheduling(engine) as scheduler:
            first = scheduler.submit(frame(), START_S + 0.040)
            await asyncio.sleep(0.010)
            second = scheduler.submit(frame(), START_S + 0.050)
            await asyncio.gather(first, second)
            assert [len(batch) for batch in engine.batches] == [2]

    run_virtual(main())


def test_a_more_urgent_request_brings_the_start_forward():
    async def main():
        async with scheduling(FakeEngine()) as scheduler:
            later = scheduler.submit(frame(), START_S + 10)
            await scheduler.submit(frame(), START_S + 0.040)
            assert virtual_loop().time() < START_S + 0.040
            assert later.done(), "it rode along"

    run_virtual(main())


@pytest.mark.parametrize("deadline_s", [START_S, START_S - 5, START_S + SLACK_UNMEASURED_S])
def test_a_request_that_is_due_starts_at_once(deadline_s):
    async def main():
        async with scheduling(FakeEngine()) as scheduler:
            await scheduler.submit(frame(), deadline_s)
            assert virtual_loop().time() == START_S

    run_virtual(main())


def test_a_full_batch_starts_at_once_and_the_rest_by_their_deadlines():
    async def main():
        engine = FakeEngine(max_batch=4)
        async with scheduling(engine) as scheduler:
            futures = [scheduler.submit(frame(), START_S + 1 + n) for n in range(5)]
            await asyncio.gather(*futures[:4])
            assert virtual_loop().time() == START_S
            assert not futures[4].done()
            await futures[4]
            assert virtual_loop().time() == pytest.approx(START_S + 5 - SLACK_UNMEASURED_S, abs=0.0015)
            assert [len(batch) for batch in engine.batches] == [4, 1]

    run_virtual(main())


def test_while_a_batch_is_in_work_the_others_wait_and_go_together():
    async def main():
        engine = FakeEngine(max_batch=8)
        async with scheduling(engine) as scheduler:
            engine.gate.clear()
            first = scheduler.submit(frame(), START_S)
            assert scheduler.busy
            others = [scheduler.submit(frame(), START_S) for _ in range(5)]
            engine.gate.set()
            await asyncio.gather(first, *others)
            assert [len(batch) for batch in engine.batches] == [1, 5]

    run_virtual(main())


def test_what_was_cancelled_before_its_batch_is_not_computed():
    async def main():
        engine = FakeEngine()
        async with scheduling(engine) as scheduler:
            dropped, kept = scheduler.submit(frame(0.25), START_S + 0.04), scheduler.submit(frame(0.5), START_S + 0.05)
            dropped.cancel()
            await kept
            assert [float(f.window[0]) for batch in engine.batches for f in batch] == [0.5]

    run_virtual(main())


def test_what_is_cancelled_in_its_batch_does_not_disturb_the_others():
    async def main():
        engine = FakeEngine()
        async with scheduling(engine) as scheduler:
            engine.gate.clear()
            dropped = scheduler.submit(frame(), START_S)
            kept = scheduler.submit(frame(), START_S)
            dropped.cancel()
            engine.gate.set()
            assert (await kept).number == 0

    run_virtual(main())


def test_a_failure_reaches_every_session_of_the_batch_and_no_later_one():
    async def main():
        engine = FakeEngine(max_batch=2)
        async with scheduling(engine) as scheduler:
            engine.failure = RuntimeError("out of memory")
            failed = await asyncio.gather(
                *(scheduler.submit(frame(), START_S + 1) for _ in range(2)), return_exceptions=True
            )
            assert all(isinstance(error, ProcessingFailed) for error in failed)
            assert failed[0].details == {"reason": "out of memory"}
            engine.failure = None
            assert (await scheduler.submit(frame(), START_S)).number == 0

    run_virtual(main())


def test_stopping_cancels_all_that_waits_and_lets_the_batch_in_work_finish():
    async def main():
        engine = FakeEngine(max_batch=2)
        engine.gate.clear()
        scheduler = GenerationScheduler(engine)
        scheduler.start()
        working = scheduler.submit(frame(), 0.0)
        waiting = [scheduler.submit(frame(), asyncio.get_running_loop().time() + 100) for _ in range(7)]
        stopping = asyncio.create_task(asyncio.to_thread(scheduler.stop))
        await asyncio.wait(waiting)
        engine.gate.set()
        await stopping
        assert all(future.cancelled() for future in waiting)
        assert (await working).number == 0
        assert len(engine.batches) == 1

    asyncio.run(main())  # real time, as stopping waits for a real thread; it takes none


def test_the_engine_describes_itself_and_gives_each_utterance_a_voice():
    async def main():
        async with scheduling(FakeEngine()) as scheduler:
            assert scheduler.describe() == {"name": "fake", "device": "none"}
            assert scheduler.new_voice() is not scheduler.new_voice()
            assert (scheduler.past_samples, scheduler.future_samples) == (PAST_SAMPLES, FUTURE_SAMPLES)

    run_virtual(main())


def test_an_interrupt_while_the_batch_is_in_work_throws_its_result_away_and_the_next_speech_is_served():
    async def main():
        engine = FakeEngine()
        async with scheduling(engine) as scheduler:
            engine.gate.clear()
            interrupted = scheduler.submit(frame(0.25), START_S)
            queued = scheduler.submit(frame(0.5), START_S + 1)
            assert (interrupted.started, queued.started) == (True, False)
            interrupted.cancel()
            queued.cancel()
            after = scheduler.submit(frame(0.75), START_S + 0.04)
            engine.gate.set()
            assert float((await after).window[0]) == 0.75
            assert interrupted.cancelled()
            assert queued.cancelled()
            assert [float(f.window[0]) for batch in engine.batches for f in batch] == [0.25, 0.75]

    run_virtual(main())


def test_what_comes_back_after_the_interrupt_may_also_be_a_failure():
    async def main():
        engine = FakeEngine()
        engine.failure = RuntimeError("out of memory")
        async with scheduling(engine) as scheduler:
            engine.gate.clear()
            scheduler.submit(frame(), START_S).cancel()
            engine.gate.set()
            while scheduler.busy:
                await asyncio.sleep(0.001)
            engine.failure = None
            assert (await scheduler.submit(frame(), START_S)).number == 0

    run_virtual(main())


def test_an_engine_that_shrinks_gets_smaller_batches_and_fewer_speakers():
    async def main():
        engine = FakeEngine(max_batch=8)
        async with scheduling(engine) as scheduler:
            await scheduler.measure(AVATAR)
            before = scheduler.speakers.full_rate
            engine.batches.clear()
            engine.max_batch = 1
            await asyncio.gather(*(scheduler.submit(frame(), START_S) for _ in range(3)))
            assert [len(batch) for batch in engine.batches] == [1, 1, 1]
            assert scheduler.speakers.full_rate == full_rate_speakers(scheduler.times, 1) <= before

    run_virtual(main())


def test_measuring_times_every_size_on_the_engines_thread_and_says_how_many_may_speak():
    async def main():
        engine = FakeEngine(max_batch=4)
        async with scheduling(engine) as scheduler:
            assert scheduler.figures()["capacity"]["speakers_full_rate"] is None
            await scheduler.measure(AVATAR)
            assert engine.threads == {"engine"}
            assert [len(batch) for batch in engine.batches] == [1] * 4 + [2] * 4 + [4] * 4
            assert scheduler.times.sizes == (1, 2, 4)
            figures = scheduler.figures()
            assert figures["name"] == "fake"
            assert figures["capacity"]["speakers_limit"] == 2 * figures["capacity"]["speakers_full_rate"]
            assert figures["capacity"]["batch_ms"].keys() == {"1", "2", "4"}
            scheduler.new_speaker()
            assert scheduler.turn_s == scheduler.times.turn_s(1) > 0
            assert scheduler.figures()["capacity"]["speakers"] == 1

    run_virtual(main())


def test_an_engine_that_cannot_even_be_measured_is_told():
    async def main():
        engine = FakeEngine()
        engine.failure = RuntimeError("no memory for one frame")
        async with scheduling(engine) as scheduler:
            with pytest.raises(ProcessingFailed, match="no memory for one frame"):
                await scheduler.measure(AVATAR)

    run_virtual(main())


class TestWithSessions:
    """The scheduler as sessions use it."""

    def test_many_sessions_share_batches_and_each_shows_its_own_speech_on_time(self):
        async def main():
            engine, admission = FakeEngine(max_batch=8), Admission(100)
            async with scheduling(engine) as scheduler:
                stages = []
                for _ in range(8):
                    stages.append(await Stage(scheduler, admission=admission).__aenter__())
                    await asyncio.sleep(0.003)
                for stage in stages:
                    await stage.speak(50 * 640, real_time=False)
                    await stage.say(message("SPEAK_END"))
                await asyncio.sleep(3)
                for stage in stages:
                    await stage.__aexit__()
            for stage in stages:
                assert len(stage.sink.generated) == 50
                assert stage.actor.counts.frames_held == 0
                check_stream(stage.sink)
            assert sum(len(batch) for batch in engine.batches) == 400
            assert len(engine.batches) < 300, "sessions ride together"

        run_virtual(main())

    def test_frames_that_get_no_look_ahead_are_asked_for_at_their_tick_and_still_come_in_it(self):
        async def main():
            async with scheduling(FakeEngine()) as scheduler:
                async with Stage(scheduler) as stage:
                    await stage.speak(6 * 640, real_time=False)
                    await asyncio.sleep(1)
                stamps = [frame.timestamp_ms for frame in stage.sink.generated]
                assert stamps[-1] - stamps[0] == 6 * 40, "five steps and one tick of patience"
                check_stream(stage.sink)

        run_virtual(main())
