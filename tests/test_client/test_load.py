from collections.abc import AsyncIterator

import pytest

from protocol import client_messages as said
from protocol import server_messages as say
from protocol.binary import AudioUpload
from test_client import load
from test_client.audio_file import Speech
from test_client.load import LoadPlan, LoadUser, _take_text_frame, run_plan
from test_client.statistics import StreamStatistics
from test_client.synthetic_speech import make_speech
from tests.fakes.avatar_server import AvatarServer


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_SETTLE_S", 0.05)
    monkeypatch.setattr(load, "_PAUSE_S", 0.05)


@pytest.fixture
async def server() -> AsyncIterator[AvatarServer]:
    async with AvatarServer(tick_s=0.04) as running:
        yield running


@pytest.mark.parametrize("binary", [True, False])
async def test_idle_and_speaking_users_are_served_at_once(server: AvatarServer, binary: bool) -> None:
    result = await run_plan(LoadPlan(server.url, 3, 2, 1.0, make_speech(0.2), binary=binary))
    figures = result.figures
    assert figures.all_well
    assert (figures.idle.users, figures.speaking.users) == (3, 2)
    assert figures.idle.generated_frames == 0
    assert figures.speaking.generated_frames >= 2 * 5
    assert figures.speaking.speaking_start.count >= 2
    assert figures.idle.first_frame.count == 3
    assert figures.speaking.speaking_mbit_s is not None
    assert len(result.records) == 5
    assert figures.loop_lag.count > 10


async def test_speaking_users_speak_again_and_again_and_say_when_they_are_done(server: AvatarServer) -> None:
    await run_plan(LoadPlan(server.url, 0, 1, 1.5, make_speech(0.2)))
    ends = sum(isinstance(message, said.SpeakEnd) for message in server.received)
    uploads = sum(isinstance(message, AudioUpload) for message in server.received)
    assert ends >= 2
    assert uploads >= 5 * ends
    assert isinstance(server.received[0], said.Init)


async def test_speech_of_another_rate_is_sent_at_16_khz(server: AvatarServer) -> None:
    await run_plan(LoadPlan(server.url, 0, 1, 1.0, Speech(bytes(4 * 9600), 48_000, 2)))
    uploads = [message for message in server.received if isinstance(message, AudioUpload)]
    assert {(upload.sample_rate, upload.channels) for upload in uploads} == {(16_000, 1)}


async def test_a_refused_user_is_counted_with_the_servers_words() -> None:
    async with AvatarServer(tick_s=0.04, max_sessions=2) as server:
        figures = (await run_plan(LoadPlan(server.url, 3, 0, 1.0, make_speech(0.1)))).figures
    assert (figures.idle.users, figures.idle.refused) == (3, 1)
    assert len(figures.failures) == 1
    assert not figures.all_well


async def test_nobody_there_is_a_failure_of_every_user_in_one_sentence() -> None:
    figures = (await run_plan(LoadPlan("ws://127.0.0.1:1", 3, 0, 1.0, make_speech(0.1)))).figures
    assert list(figures.failures.values()) == [3]
    assert figures.idle.frames == 0


async def test_a_lost_connection_is_counted(server: AvatarServer) -> None:
    import asyncio

    user = LoadUser("load-0", False, LoadPlan(server.url, 1, 0, 1.0, make_speech(0.1)), [])
    running = asyncio.create_task(user.run(0.0))
    await user.connected.wait()
    await asyncio.sleep(0.1)
    server.drop_all()
    await running
    assert user.record.failure is not None
    assert "1006" in user.record.failure


@pytest.mark.parametrize("spaced", [False, True])
def test_a_text_frame_is_read_by_its_tail(spaced: bool) -> None:
    raw = say.video_frame_json("s", "A" * 8000, 1240, keyframe=True, state="speaking", generated=True, audio_ms=40)
    if spaced:
        raw = raw.replace(":", ": ").replace(",", ", ")
    statistics = StreamStatistics()
    assert _take_text_frame(raw, 0.0, statistics.frame)
    assert _take_text_frame(raw.replace("1240", "1320"), 0.1, statistics.frame)
    figures = statistics.figures()
    assert (figures.frames, figures.generated_frames, figures.missing_frames) == (2, 2, 1)


@pytest.mark.parametrize("raw", ['{"type":"PING"}', "", '{"frame_timestamp":}', '{"frame_timestamp":"x"}'])
def test_what_is_no_text_frame_is_left_to_the_parser(raw: str) -> None:
    statistics = StreamStatistics()
    assert not _take_text_frame(raw, 0.0, statistics.frame)
    assert statistics.figures().frames == 0


def test_sound_in_text_mode_is_no_picture() -> None:
    data = say.AudioFrameData(data=bytes(1280), audio_ms=0, frame_timestamp=40)
    raw = say.AudioFrame(session_id="s", data=data).to_json()
    assert not _take_text_frame(raw, 0.0, StreamStatistics().frame)
