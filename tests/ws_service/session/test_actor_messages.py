"""What a client's messages do to a running session, INIT and session ids included."""

import asyncio

import pytest

from protocol.codes import ErrorCode
from protocol.server_messages import InitSuccess, SpeakEnded, SpeakStarted
from protocol.violation import ProtocolViolation
from tests.fakes.avatars import FakeAvatars, make_avatar
from tests.fakes.mouths import FakeMouths
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import Stage, generate, in_virtual_time, init, message, ramp, samples_of
from tests.ws_service.session.stream_laws import check_stream
from ws_service.session.admission import Admission
from ws_service.session.timeline import State

UUID_A = "A1B2C3D4-0000-4000-8000-00000000000a"
UUID_B = "b1b2c3d4-0000-4000-8000-00000000000b"


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


@in_virtual_time
async def test_interrupt_and_close_do_not_wait_for_an_avatar_to_load():
    async with Stage(avatars=FakeAvatars(load_s=5.0)) as stage:
        await stage.speak(5 * 16_000, real_time=False)
        await stage.ticks(10)
        await stage.say(init())
        await stage.say(message("INTERRUPT"))
        await stage.ticks(1)
        assert stage.sink.kinds[-1] == "INTERRUPTED"
        await stage.say(message("CLOSE"))
        await stage.ticks(1)
        assert stage.sink.kinds[-1] == "CLOSE_ACK"
    assert not stage.sink.of(InitSuccess)


@in_virtual_time
async def test_the_session_id_may_be_written_in_another_case():
    async with Stage() as stage:
        await stage.say(init(UUID_A))
        await stage.ticks(2)
        await stage.say(message("STATE_CHANGE", UUID_A.lower(), target_state="speaking", base_video="speaking_1"))
        await stage.ticks(1)
    assert "STATE_CHANGED" in stage.sink.kinds
