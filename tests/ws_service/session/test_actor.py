"""One session in virtual time: the stream's clock, and how a session ends."""

import asyncio

import pytest

from protocol.codes import CloseCode, CloseReason, ErrorCode
from protocol.server_messages import CloseAck, ErrorMessage, SpeakEnded, SpeakStarted
from tests.fakes.avatars import FakeAvatars
from tests.ws_service.session.stage import Stage, in_virtual_time, message, samples_of
from tests.ws_service.session.stream_laws import check_stream
from ws_service.errors import NotReady
from ws_service.session.actor import SessionLimits
from ws_service.session.admission import Admission
from ws_service.session.interfaces import SentFrame


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
async def test_a_failure_of_the_service_is_told_before_the_goodbye_and_closes_with_1012():
    async with Stage() as stage:
        await stage.speak(16_000, real_time=False)
        await stage.ticks(10)
        stage.admission.drain(NotReady("the engine hangs", {"reason": "hangs"}))
        assert await stage.task == CloseCode.SERVICE_RESTART
    assert stage.sink.kinds[-2:] == ["ERROR", "CLOSE_ACK"]
    error = stage.sink.of(ErrorMessage)[-1].data
    assert (error.code, error.message) == (ErrorCode.SERVICE_NOT_READY, "the engine hangs")
    assert stage.sink.of(CloseAck)[0].data.reason == CloseReason.ERROR
    assert len(stage.sink.of(SpeakEnded)) == len(stage.sink.of(SpeakStarted))


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
