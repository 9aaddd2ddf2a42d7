"""One session in virtual time: the stream's clock, its speech, its answers and its end."""

import asyncio

import pytest

from protocol.codes import CloseCode, CloseReason, ErrorCode
from protocol.server_messages import CloseAck, InitSuccess, SpeakEnded, SpeakStarted
from protocol.violation import ProtocolViolation
from tests.fakes.avatars import FakeAvatars, make_avatar
from tests.fakes.mouths import FakeMouths
from tests.fakes.sink import Sound
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import Stage, generate, init, message, ramp
from tests.ws_service.session.stream_laws import check_stream
from ws_service.session.actor import SessionLimits
from ws_service.session.admission import Admission
from ws_service.session.interfaces import SentFrame
from ws_service.session.timeline import State

UUID_A = "A1B2C3D4-0000-4000-8000-00000000000a"
UUID_B = "b1b2c3d4-0000-4000-8000-00000000000b"


def in_virtual_time(scene):
    """The scene is a coroutine function; its stage obeys the stream's laws."""

    def test():
        run_virtual(scene())

    test.__name__ = scene.__name__
    return test


def samples_of(stage: Stage) -> list[list[int]]:
    """The samples that each generated picture shows, as its mouth has them."""
    mouths = [shown.mouth for shown, frame in zip(stage.shown, stage.sink.frames, strict=True) if frame.generated]
    return [mouth.samples.tolist() for mouth in mouths]


# ---- the stream


@in_virtual_time
async def test_idle_video_flows_from_connect_at_25_frames_a_second():
    async with Stage() as stage:
        await asyncio.sleep(60.02)
    assert len(stage.sink.frames) == 1501
    assert all(shown.shared for shown in stage.shown)
    at_s = [entry.at_s for entry in stage.sink.entries if isinstance(entry.what, SentFrame)]
    assert at_s == pytest.approx([1000 + n / 25 for n in range(1501)])
    assert stage.actor.counts.frames_late == 0
    check_stream(stage.sink)


@in_virtual_time
async def test_a_ping_comes_every_30_seconds():
    async with Stage() as stage:
        await asyncio.sleep(95)
    pings = [entry.at_s - 1000 for entry in stage.sink.entries if getattr(entry.what, "type", "") == "PING"]
    assert pings == pytest.approx([30, 60, 90])


@in_virtual_time
async def test_an_encoder_that_stalls_delays_frames_but_drops_none_and_does_not_burst():
    async with Stage(avatars=FakeAvatars(encode_s=0.5)) as stage:
        await stage.speak(6400, real_time=False)
        await asyncio.sleep(20)
    assert stage.actor.counts.frames_late > 50
    assert b"".join(bytes(2 * len(one)) for one in samples_of(stage)) == bytes(12_800)
    check_stream(stage.sink)


# ---- speech


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


# ---- an engine that is late or fails


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


# ---- messages


@in_virtual_time
async def test_interrupt_stops_at_the_next_frame_and_says_exactly_where():
    async with Stage() as stage:
        await stage.speak(5 * 16_000, real_time=False, utterance_id="u")
        await stage.ticks(20)
        generated = len(stage.sink.generated)
        await stage.say(message("INTERRUPT"))
        await stage.ticks(1)
        assert stage.sink.kinds[-2:] == ["SPEAK_ENDED", "INTERRUPTED"]
        await stage.ticks(30)
    assert len(stage.sink.generated) == generated
    assert stage.sink.of(SpeakEnded)[0].data.position_ms == generated * 40
    assert stage.sink.frames[-1].state is State.IDLE
    assert stage.mouths.requests <= generated + 1
    check_stream(stage.sink)


@in_virtual_time
async def test_speech_after_an_interrupt_begins_anew_at_0():
    async with Stage() as stage:
        await stage.speak(16_000, real_time=False)
        await stage.ticks(10)
        await stage.say(message("INTERRUPT"))
        await stage.speak(1280, real_time=False)
        await stage.ticks(10)
    stamps = [frame.audio_ms for frame in stage.sink.generated]
    assert stamps[-2:] == [0, 40]
    assert len(stage.sink.of(SpeakStarted)) == 2
    check_stream(stage.sink)


@in_virtual_time
async def test_a_mouth_that_comes_after_the_interrupt_is_not_shown_to_the_next_speech():
    async with Stage(FakeMouths(lambda n: 0.1)) as stage:
        await stage.say(generate(ramp(1280, 5000)))
        await stage.say(message("SPEAK_END"))
        await stage.ticks(1)
        await stage.say(message("INTERRUPT"))
        await stage.say(generate(ramp(1280)))
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    assert stage.mouths.cancelled == 1
    assert [k for frame in samples_of(stage) for k in frame] == [*range(1, 1281)]
    check_stream(stage.sink)


@in_virtual_time
async def test_a_mouth_of_the_old_avatar_is_not_shown_on_the_new_one():
    async with Stage(FakeMouths(lambda n: 0.1)) as stage:
        await stage.say(generate(ramp(1280, 5000)))
        await stage.say(init())
        await stage.say(generate(ramp(640)))
        await stage.say(message("SPEAK_END"))
        await asyncio.sleep(1)
    assert [k for frame in samples_of(stage) for k in frame] == [*range(1, 641)]


@in_virtual_time
async def test_an_action_plays_over_speech_and_only_a_1_0_client_gets_action_frames():
    async with Stage() as stage:
        await stage.speak(5 * 16_000, real_time=False)
        await stage.ticks(10)
        await stage.say(message("ACTION", action_index=1))
        await stage.ticks(40)
        await stage.say(message("ACTION", action_type="action_2"))
        await stage.ticks(60)
    frames = stage.sink.frames
    new, old = (
        [f for f in frames if f.progress is not None and not f.as_action_frame],
        [f for f in frames if f.as_action_frame],
    )
    assert (len(new), len(old)) == (25, 50)
    assert all(frame.generated and frame.state is State.ACTION for frame in new + old)
    assert old[-1].progress == 1
    assert stage.sink.kinds.count("ACTION_TRIGGERED") == 1
    check_stream(stage.sink)


@in_virtual_time
async def test_a_clients_next_action_may_come_with_the_last_frame_of_the_one_before():
    async with Stage() as stage:
        await stage.say(message("ACTION", action_type="action_1"))
        while not (stage.sink.frames and stage.sink.frames[-1].progress == 1):
            await asyncio.sleep(0.004)
        await stage.say(message("ACTION", action_type="action_2"))
        await stage.ticks(3)
    assert stage.sink.errors == []
    assert stage.sink.frames[-1].as_action_frame


@in_virtual_time
async def test_a_message_that_was_no_message_is_answered_in_its_place_and_the_stream_goes_on():
    async with Stage() as stage:
        await stage.say(message("STATE_CHANGE", target_state="idle", base_video="idle_2"))
        await stage.say(ProtocolViolation("not JSON", {"path": ""}))
        await stage.say(message("STATE_CHANGE", target_state="idle", base_video="idle_1"))
        await stage.ticks(10)
    assert stage.sink.kinds[:3] == ["STATE_CHANGED", "ERROR", "STATE_CHANGED"]
    assert stage.sink.errors[0].data.code == ErrorCode.INVALID_MESSAGE
    assert stage.actor.counts.errors_sent == 1
    check_stream(stage.sink)


# ---- INIT and ids


@in_virtual_time
async def test_init_echoes_the_clients_uuid_as_written_and_all_later_messages_carry_it():
    async with Stage() as stage:
        await stage.ticks(3)
        await stage.say(init(UUID_A))
        await stage.ticks(3)
    answer = stage.sink.of(InitSuccess)[0]
    assert answer.session_id == UUID_A
    assert answer.data.available_videos == ["action_1", "action_2", "idle_1", "idle_2", "speaking_1"]
    assert (answer.data.default_video, answer.data.codec) == ("idle_1", "avc1.42C01E")
    assert 16_000 in answer.data.sample_rates
    ids = [entry.session_id for entry in stage.sink.entries]
    assert set(ids[ids.index(UUID_A) :]) == {UUID_A}
    assert ids[0] != UUID_A
    check_stream(stage.sink)


@in_virtual_time
async def test_an_id_that_another_connection_uses_is_replaced():
    admission = Admission(10)
    async with Stage(admission=admission) as first, Stage(admission=admission) as second:
        await first.say(init(UUID_A))
        await first.ticks(2)
        await second.say(init(UUID_A))
        await first.ticks(2)
        assert first.actor.session_id == UUID_A != second.actor.session_id


@in_virtual_time
async def test_from_init_on_messages_for_another_session_are_refused():
    async with Stage() as stage:
        await stage.say(generate(ramp(640), session_id=UUID_B))
        await stage.say(init(UUID_A))
        await stage.ticks(2)
        await stage.say(generate(ramp(640), session_id=UUID_B))
        await stage.say(message("CLOSE", UUID_B))
        await stage.say(generate(ramp(640), session_id=UUID_A))
        await stage.say(generate(ramp(640)))
        await stage.say(message("PING", "whatever"))
        await stage.ticks(10)
        assert not stage.task.done()
    assert [error.data.code for error in stage.sink.errors] == [ErrorCode.INVALID_SESSION] * 2
    assert len(stage.sink.generated) == 2


@in_virtual_time
async def test_init_again_starts_over_in_idle_and_keeps_the_id_when_none_is_given():
    async with Stage(avatars=FakeAvatars(make_avatar(), make_avatar("other"))) as stage:
        await stage.say(init(UUID_A))
        await stage.say(message("STATE_CHANGE", target_state="speaking", base_video="speaking_1"))
        await stage.speak(16_000, real_time=False)
        await stage.say(message("ACTION", action_index=1))
        await stage.ticks(10)
        await stage.say(init(avatar_id="other"))
        await stage.ticks(10)
        assert stage.actor.session_id == UUID_A
        assert stage.actor.avatar_name == "other"
        assert stage.avatars.users == 1
    kinds = stage.sink.kinds
    assert kinds[kinds.index("SPEAK_ENDED") + 1] == "INIT_SUCCESS"
    assert stage.sink.frames[-1].state is State.IDLE
    assert stage.avatars.users == 0
    check_stream(stage.sink)


@in_virtual_time
async def test_while_the_avatar_loads_the_old_one_is_shown_and_messages_wait_their_turn():
    async with Stage(avatars=FakeAvatars(load_s=1.0)) as stage:
        await stage.say(init(UUID_A))
        await stage.say(message("STATE_CHANGE", target_state="idle", base_video="idle_2"))
        await stage.ticks(20)
        assert stage.sink.kinds == []
        assert len(stage.sink.frames) >= 20
        await stage.ticks(10)
    assert stage.sink.kinds[:2] == ["INIT_SUCCESS", "STATE_CHANGED"]
    check_stream(stage.sink)


@in_virtual_time
async def test_a_session_that_closes_while_its_avatar_loads_releases_it():
    async with Stage(avatars=FakeAvatars(load_s=1.0)) as stage:
        await stage.say(init())
        await stage.ticks(2)
    await asyncio.sleep(2)
    assert stage.avatars.users == 0


@in_virtual_time
async def test_an_avatar_that_came_while_the_session_was_closing_is_released():
    async with Stage(avatars=FakeAvatars(load_s=0.030, encode_s=0.030)) as stage:
        await asyncio.sleep(0.110)
        await stage.say(message("STATE_CHANGE", target_state="idle", base_video="idle_2"))  # so that a tick encodes
        await stage.say(init())
        await asyncio.sleep(0.035)
        assert stage.avatars.users == 2, "it came, and the actor is still encoding"
    assert stage.sink.kinds == ["STATE_CHANGED", "CLOSE_ACK"]
    await asyncio.sleep(0.1)
    assert stage.avatars.users == 0


@pytest.mark.parametrize(
    ("data", "code"),
    [({"user_id": "somebody_else"}, ErrorCode.INVALID_MESSAGE), ({"avatar_id": "nobody"}, ErrorCode.MODEL_NOT_FOUND)],
)
def test_an_init_that_cannot_be_followed_changes_nothing(data, code):
    async def scene():
        async with Stage() as stage:
            before = stage.actor.session_id
            await stage.say(init(UUID_A, **data))
            await stage.ticks(5)
            assert stage.actor.session_id == before
        assert [error.data.code for error in stage.sink.errors] == [code]
        assert len(stage.sink.frames) >= 5

    run_virtual(scene())


@in_virtual_time
async def test_all_intra_is_asked_of_the_avatar():
    async with Stage() as stage:
        await stage.say(init(video_config={"all_intra": True}))
        await stage.ticks(3)
    assert stage.held.all_intra


# ---- the end


@in_virtual_time
async def test_close_is_acknowledged_and_gives_everything_back():
    async with Stage() as stage:
        await stage.speak(16_000, real_time=False)
        await stage.ticks(5)
        await stage.say(message("CLOSE"))
        assert await stage.task == CloseCode.NORMAL == 1000
    assert stage.sink.of(CloseAck)[0].data.reason == CloseReason.CLIENT_REQUEST
    assert stage.sink.kinds[-1] == "CLOSE_ACK"
    assert stage.avatars.users == 0
    assert stage.admission.active == 0
    assert all(video.closed for held in stage.avatars.held for video in held.videos)
    assert stage.admission.counts.frames_sent == len(stage.sink.frames)


@in_virtual_time
async def test_nothing_is_sent_for_messages_behind_a_close():
    async with Stage() as stage:
        await stage.say(message("CLOSE"))
        await stage.say(message("INTERRUPT"))
        await stage.task
    assert stage.sink.kinds == ["CLOSE_ACK"]


@in_virtual_time
async def test_the_first_reason_to_leave_stands():
    async with Stage() as stage:
        stage.actor.leave(CloseReason.CLIENT_REQUEST, CloseCode.NORMAL)
        stage.admission.drain()
        assert await stage.task == CloseCode.NORMAL
    assert [ack.data.reason for ack in stage.sink.of(CloseAck)] == [CloseReason.CLIENT_REQUEST]


@in_virtual_time
async def test_a_drain_says_goodbye_at_once():
    async with Stage() as stage:
        await stage.ticks(3)
        now_s = asyncio.get_running_loop().time()
        stage.admission.drain()
        assert await stage.task == CloseCode.GOING_AWAY
        assert asyncio.get_running_loop().time() - now_s < 0.04
    assert stage.sink.of(CloseAck)[0].data.reason == CloseReason.SERVER_SHUTDOWN


@in_virtual_time
async def test_a_client_that_says_nothing_for_too_long_is_closed_and_one_that_speaks_is_not():
    async with Stage(limits=SessionLimits(idle_timeout_s=10)) as stage:
        await asyncio.sleep(9)
        await stage.speak(20 * 16_000, real_time=False)  # a long answer, and silence after it
        await stage.task
        ended_s = asyncio.get_running_loop().time() - 1000
    assert 9 + 20 + 10 <= ended_s <= 9 + 20 + 11
    assert stage.sink.of(CloseAck)[0].data.reason == CloseReason.TIMEOUT
    assert len(stage.sink.of(SpeakEnded)) == 1


@in_virtual_time
async def test_a_session_that_is_cancelled_gives_everything_back():
    async with Stage() as stage:
        await stage.ticks(3)
        stage.task.cancel()
        await asyncio.wait([stage.task])
        assert stage.admission.active == 0
        assert stage.avatars.users == 0
        stage.task = asyncio.ensure_future(asyncio.sleep(0))


@in_virtual_time
async def test_no_closing_of_a_session_disturbs_another():
    admission, avatars = Admission(10), FakeAvatars()
    async with Stage(admission=admission, avatars=avatars) as stays:
        async with Stage(admission=admission, avatars=avatars) as goes:
            await goes.ticks(5)
        await stays.ticks(20)
        assert admission.active == 1
    check_stream(stays.sink)
    check_stream(goes.sink)
