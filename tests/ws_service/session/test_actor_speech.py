"""Speech in a session: on time, whole, in order, and what happens when engine or encoder are late or fail."""

import asyncio

import pytest

from protocol.codes import ErrorCode
from protocol.server_messages import ErrorMessage, SpeakEnded, SpeakStarted
from tests.fakes.mouths import FakeMouths
from tests.fakes.sink import Sound
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import Stage, generate, in_virtual_time, init, message, ramp, samples_of
from tests.ws_service.session.stream_laws import check_stream
from ws_service.session.timeline import State


@pytest.mark.parametrize("phase_ms", range(1, 40, 3))
@pytest.mark.parametrize("real_time", [True, False])
def test_speech_starts_within_150_ms_at_any_phase(phase_ms, real_time):
    async def scene():
        async with Stage() as stage:
            await asyncio.sleep(1 + phase_ms / 1000)
            first_chunk_s = asyncio.get_running_loop().time()
            await stage.speak(16_000, real_time=real_time)
            await asyncio.sleep(2)
        delay_s = stage.sink.first_at_s(SpeakStarted) - first_chunk_s
        assert delay_s <= (0.125 if real_time else 0.057)
        check_stream(stage.sink)

    run_virtual(scene())


@in_virtual_time
async def test_every_sample_is_shown_once_in_order_and_the_last_frame_is_padded():
    async with Stage() as stage:
        await stage.speak(10 * 640 + 100, chunk_samples=333, real_time=True)
        await asyncio.sleep(2)
    shown = samples_of(stage)
    assert len(shown) == 11
    assert [k for frame in shown for k in frame] == [*range(1, 6501)] + [0] * 540
    check_stream(stage.sink)


@in_virtual_time
async def test_in_real_time_each_frame_has_its_whole_look_ahead_and_none_is_held():
    async with Stage() as stage:
        await asyncio.sleep(0.013)
        await stage.speak(50 * 640, real_time=True)
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    mouths = [shown.mouth for shown, frame in zip(stage.shown, stage.sink.frames, strict=True) if frame.generated]
    assert len(mouths) == 50
    assert all(mouth.future.all() for mouth in mouths[:48])
    assert stage.actor.counts.frames_held == 0


@in_virtual_time
async def test_a_burst_of_a_minute_plays_at_25_fps_from_the_first_chunk():
    async with Stage() as stage:
        await stage.ticks(5)
        await stage.speak(60 * 16_000, real_time=False)
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(61)
    assert [frame.timestamp_ms for frame in stage.sink.generated] == [240 + 40 * n for n in range(1500)]
    assert stage.sink.errors == []
    assert len(stage.sink.of(SpeakEnded)) == 1
    check_stream(stage.sink)


@in_virtual_time
async def test_past_a_minute_the_rest_is_refused_and_the_minute_is_played():
    async with Stage() as stage:
        for _ in range(62):
            await stage.say(generate(ramp(16_000)))
        await asyncio.sleep(65)
    refused = sum(error.data.details["bytes_refused"] for error in stage.sink.errors)
    assert {error.data.code for error in stage.sink.errors} == {ErrorCode.RATE_LIMIT_EXCEEDED}
    assert refused + len(stage.sink.generated) * 1280 == 62 * 32_000
    check_stream(stage.sink)


@in_virtual_time
async def test_audio_slower_than_real_time_keeps_the_clock_and_closes_the_mouth_in_the_gaps():
    async with Stage() as stage:
        for n in range(10):
            await stage.say(generate(ramp(640, 640 * n)))
            await asyncio.sleep(0.24)
        await asyncio.sleep(1)
    assert len(stage.sink.generated) == 10
    assert len(stage.sink.of(SpeakStarted)) == 1
    weights = [round(shown.weight, 2) for shown in stage.shown if shown.mouth is not None]
    assert {1.0, 0.67, 0.33} == set(weights)
    assert [k for frame in samples_of(stage) for k in frame] == [*range(1, 6401)]
    check_stream(stage.sink)


@in_virtual_time
async def test_an_utterance_that_nobody_ends_ends_350_ms_after_it_ran_dry():
    async with Stage() as stage:
        await stage.speak(6400, real_time=False)
        await asyncio.sleep(3)
    last_s = [entry.at_s for entry in stage.sink.entries if getattr(entry.what, "generated", False)][-1]
    assert 0.35 <= stage.sink.first_at_s(SpeakEnded) - last_s <= 0.40
    check_stream(stage.sink)


@in_virtual_time
async def test_after_speech_the_mouth_closes_in_three_frames_that_are_not_generated():
    async with Stage() as stage:
        await stage.speak(1920, real_time=False)
        await stage.say(message("SPEAK_END"))
        await stage.ticks(8)
    weights = [round(shown.weight, 2) for shown in stage.shown]
    first = weights.index(1.0)
    assert weights[first : first + 6] == [1, 1, 1, 0.67, 0.33, 0]
    assert [frame.generated for frame in stage.sink.frames[first : first + 4]] == [True, True, True, False]


@in_virtual_time
async def test_the_last_frames_without_their_look_ahead_come_tick_by_tick():
    async with Stage() as stage:
        await stage.speak(6 * 640, real_time=False)
        await asyncio.sleep(1)
    stamps = [frame.timestamp_ms for frame in stage.sink.generated]
    assert stamps[-1] - stamps[0] == 6 * 40, "five steps and one tick of patience"
    check_stream(stage.sink)


@in_virtual_time
async def test_speech_at_48_khz_stereo_gives_its_own_length_of_frames():
    async with Stage() as stage:
        chunk = {"sample_rate": 48_000, "channels": 2}
        for _ in range(10):
            await stage.say(generate(bytes(1920 * 4), chunk=chunk))
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    assert len(stage.sink.generated) == 10


@in_virtual_time
async def test_utterances_follow_each_other_each_with_a_voice_of_its_own():
    async with Stage() as stage:
        for name in "abc":
            await stage.speak(1280, real_time=False, utterance_id=name)
            await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    assert [m.data.utterance_id for m in stage.sink.of(SpeakStarted)] == ["a", "b", "c"]
    assert [frame.audio_ms for frame in stage.sink.generated] == [0, 40] * 3
    numbers = [shown.mouth.number for shown in stage.shown if shown.weight == 1]
    assert numbers == [0, 1] * 3
    check_stream(stage.sink)


@in_virtual_time
async def test_with_audio_out_each_generated_frame_is_preceded_by_its_sound():
    async with Stage() as stage:
        await stage.say(init(audio_out=True))
        await stage.speak(6500, real_time=True)
        await asyncio.sleep(1)
    assert b"".join(sound.pcm for sound in stage.sink.of(Sound)) == ramp(6500).ljust(11 * 1280, b"\0")
    check_stream(stage.sink, audio_out=True)


@in_virtual_time
async def test_an_engine_that_is_late_holds_the_last_mouth_on_a_moving_picture_and_loses_no_audio():
    mouths = FakeMouths(lambda n: 0.5 if n == 5 else 0.004)
    async with Stage(mouths) as stage:
        await stage.speak(12 * 640, real_time=False)
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(2)
    generated = [frame.generated for frame in stage.sink.frames]
    first, last = generated.index(True), len(generated) - generated[::-1].index(True)
    held = [n for n in range(first, last) if not generated[n]]
    assert 10 <= len(held) <= 13
    assert stage.actor.counts.frames_held == len(held)
    assert {(stage.shown[n].weight, stage.shown[n].mouth.number) for n in held} == {(1.0, 4)}
    indices = [stage.shown[n].base.index for n in held]
    assert indices == list(range(indices[0], indices[0] + len(held)))
    assert [k for frame in samples_of(stage) for k in frame] == [*range(1, 12 * 640 + 1)]
    check_stream(stage.sink)


@in_virtual_time
async def test_an_engine_that_fails_is_told_once_and_the_stream_goes_on_and_can_speak_again():
    mouths = FakeMouths()
    mouths.failing = {5}
    async with Stage(mouths) as stage:
        await stage.speak(12 * 640, real_time=False, utterance_id="lost")
        await asyncio.sleep(1)
        await stage.speak(640, real_time=False, utterance_id="next")
        await asyncio.sleep(1)
    assert [error.data.code for error in stage.sink.errors] == [ErrorCode.PROCESSING_ERROR]
    ended = [(m.data.utterance_id, m.data.interrupted, m.data.position_ms) for m in stage.sink.of(SpeakEnded)]
    assert ended == [("lost", True, 200), ("next", False, 40)]
    assert len(stage.sink.frames) >= 50
    check_stream(stage.sink)


@in_virtual_time
async def test_an_encoder_that_fails_is_told_once_and_the_stream_goes_on():
    async with Stage() as stage:
        await stage.speak(12 * 640, real_time=False)
        await stage.ticks(5)
        stage.video.failures = 3
        await stage.ticks(60)
    assert [error.data.code for error in stage.sink.errors] == [ErrorCode.PROCESSING_ERROR]
    assert len(stage.sink.of(SpeakEnded)) == 1
    assert stage.sink.frames[-1].state is State.IDLE
    check_stream(stage.sink)


@in_virtual_time
async def test_an_encoder_that_fails_at_the_first_frame_still_ends_what_was_begun():
    async with Stage() as stage:
        stage.video.failures = 1
        await stage.speak(12 * 640, real_time=False)
        await stage.ticks(60)
    assert stage.sink.kinds[:3] == ["SPEAK_STARTED", "ERROR", "SPEAK_ENDED"]
    assert stage.sink.of(SpeakEnded)[0].data.position_ms == 0


@in_virtual_time
async def test_speech_that_was_heard_to_start_is_heard_to_end_when_the_session_ends():
    async with Stage() as stage:
        await stage.speak(5 * 16_000, real_time=False, utterance_id="u")
        await stage.ticks(10)
        generated = len(stage.sink.generated)
        await stage.say(message("CLOSE"))
        await stage.ticks(1)
    assert stage.sink.kinds[-2:] == ["SPEAK_ENDED", "CLOSE_ACK"]
    ended = stage.sink.of(SpeakEnded)[0].data
    assert (ended.utterance_id, ended.position_ms, ended.interrupted) == ("u", generated * 40, True)


@in_virtual_time
async def test_a_mouth_that_cannot_be_painted_is_told_once_and_costs_no_frame():
    async with Stage() as stage:
        await stage.speak(5 * 16_000, real_time=False)
        await stage.ticks(10)
        stage.video.unpainted = 1
        frames = len(stage.sink.frames)
        await stage.ticks(20)
        assert len(stage.sink.frames) == frames + 20
    assert [e.data.code for e in stage.sink.of(ErrorMessage)] == [ErrorCode.PROCESSING_ERROR]
    assert [e.data.interrupted for e in stage.sink.of(SpeakEnded)] == [True]
    assert not any(frame.generated for frame in stage.sink.frames[frames:])


class TestMoreSpeakersThanTheEngineCarries:
    """The engine's places, as sessions use them."""

    def test_at_half_rate_every_frame_of_the_utterance_is_sent_and_every_second_one_is_generated(self):
        async def scene():
            mouths = FakeMouths()
            mouths.speakers.full_rate = 1
            async with Stage(mouths) as one, Stage(mouths) as other:
                for stage in (one, other):
                    await stage.say(init(audio_out=True))
                    await stage.speak(50 * 640 + 7, real_time=False)
                    await stage.say(message("SPEAK_END"))
                await asyncio.sleep(3)
            for stage in (one, other):
                assert [frame.audio_ms for frame in stage.sink.generated] == [40 * n for n in range(51)]
                assert b"".join(s.pcm for s in stage.sink.of(Sound)) == ramp(50 * 640 + 7).ljust(51 * 1280, b"\0")
                assert stage.actor.counts.frames_held == 0
                assert stage.sink.of(SpeakEnded)[0].data.position_ms == 51 * 40
                check_stream(stage.sink, audio_out=True)
            assert 2 * 25 <= mouths.requests <= 2 * 27
            assert len(mouths.speakers) == 0

        run_virtual(scene())

    def test_refused_speech_costs_one_error_and_the_video_goes_on_in_idle(self):
        async def scene():
            mouths = FakeMouths()
            mouths.speakers.full_rate = 1
            others = [mouths.new_speaker() for _ in range(2)]
            async with Stage(mouths) as stage:
                await stage.speak(20 * 640, real_time=True, utterance_id="u")
                for other in others:
                    other.leave()
                await stage.speak(20 * 640, real_time=True, utterance_id="u")
                assert stage.sink.generated == []
                await stage.say(message("SPEAK_END"))
                await stage.speak(5 * 640, real_time=True)
                await stage.say(message("SPEAK_END"))
                await asyncio.sleep(1)
            assert [error.data.code for error in stage.sink.errors] == [ErrorCode.RATE_LIMIT_EXCEEDED]
            assert [k for frame in samples_of(stage) for k in frame] == [*range(1, 5 * 640 + 1)]
            assert len(stage.sink.of(SpeakStarted)) == len(stage.sink.of(SpeakEnded)) == 1
            assert stage.actor.counts.frames_late == 0
            check_stream(stage.sink)

        run_virtual(scene())

    def test_an_open_microphone_is_heard_within_a_second_of_a_place_becoming_free(self):
        async def scene():
            mouths = FakeMouths()
            mouths.speakers.full_rate = 1
            others = [mouths.new_speaker() for _ in range(2)]
            async with Stage(mouths) as stage:
                await stage.speak(80 * 640, real_time=True)
                assert stage.sink.generated == []
                for other in others:
                    other.leave()
                await stage.speak(50 * 640, real_time=True)
                await asyncio.sleep(1)
            assert len(stage.sink.errors) == 1
            assert 25 <= len(stage.sink.generated) <= 50
            shown = [k for frame in samples_of(stage) for k in frame]
            assert shown == [*range(50 * 640 - len(shown) + 1, 50 * 640 + 1)], "from its middle to its end"
            check_stream(stage.sink)

        run_virtual(scene())

    @pytest.mark.parametrize("leaves_by", ["INTERRUPT", "CLOSE", "speech over", "INIT"])
    def test_a_place_is_free_again_as_soon_as_its_speech_is_over(self, leaves_by):
        async def scene():
            mouths = FakeMouths()
            async with Stage(mouths) as stage:
                await stage.speak(1280 if leaves_by == "speech over" else 5 * 16_000, real_time=False)
                assert await taken(stage) == 1
                if leaves_by != "speech over":
                    await stage.say(init() if leaves_by == "INIT" else message(leaves_by))
                await stage.ticks(3 if leaves_by != "speech over" else 20)
                assert len(mouths.speakers) == 0

        async def taken(stage):
            await stage.ticks(2)
            return len(stage.mouths.speakers)

        run_virtual(scene())

    def test_an_engine_that_fails_gives_the_place_back(self):
        async def scene():
            mouths = FakeMouths()
            mouths.failing = {3}
            async with Stage(mouths) as stage:
                await stage.speak(12 * 640, real_time=False)
                await stage.ticks(8)
                assert len(mouths.speakers) == 0

        run_virtual(scene())


@in_virtual_time
async def test_an_engine_that_is_late_with_the_first_frame_has_not_held_anything():
    async with Stage(FakeMouths(lambda n: 0.1 if n == 0 else 0.004)) as stage:
        await stage.speak(5 * 640, real_time=False)
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    assert len(stage.sink.generated) == 5
    assert stage.actor.counts.frames_held == 0
