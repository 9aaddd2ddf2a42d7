import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from protocol import client_messages as said
from protocol.binary import AudioUpload
from protocol.server_messages import ErrorMessage, SpeakEnded, SpeakStarted
from test_client.client import AvatarClient, new_utterance_id
from test_client.errors import (
    BadServerMessage,
    ConnectionLost,
    ConnectionRefused,
    NotConnected,
    ReplyTimeout,
    ServerError,
)
from test_client.events import AudioEvent, ControlEvent, VideoEvent
from tests.fakes.avatar_server import AvatarServer

SECOND = bytes(32_000)


@pytest.fixture
async def server() -> AsyncIterator[AvatarServer]:
    async with AvatarServer() as running:
        yield running


def heard(server: AvatarServer) -> bytes:
    """All PCM that reached the server."""
    pieces = []
    for message in server.received:
        if isinstance(message, AudioUpload):
            pieces.append(message.pcm)
        elif isinstance(message, said.Generate):
            pieces.append(message.data.audio_chunk.data)
    return b"".join(pieces)


async def until_ended(client: AvatarClient) -> list[VideoEvent | AudioEvent | ControlEvent]:
    events = []
    async for event in client:
        events.append(event)
        if isinstance(event, ControlEvent) and isinstance(event.message, SpeakEnded):
            break
    return events


async def test_pictures_come_before_init(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        event = await anext(client)
    assert isinstance(event, VideoEvent)
    assert event.keyframe
    assert server.received[-1] == said.Close()


@pytest.mark.parametrize("binary", [True, False])
async def test_a_conversation_in_both_modes(server: AvatarServer, binary: bool) -> None:
    async with AvatarClient(server.url, "anna", binary=binary) as client:
        reply = await client.init()
        assert client.session_id == reply.session_id
        spoken = await client.speak(SECOND, realtime=False)
        await client.speak_end()
        events = await until_ended(client)
    assert spoken.size_bytes == len(SECOND)
    assert heard(server) == SECOND
    generated = [event for event in events if isinstance(event, VideoEvent) and event.generated]
    assert [event.audio_ms for event in generated] == [40 * index for index in range(25)]
    uploads = [message for message in server.received if isinstance(message, AudioUpload)]
    assert bool(uploads) == binary


@pytest.mark.parametrize("binary", [True, False])
async def test_the_first_chunk_carries_the_utterances_id_and_video(server: AvatarServer, binary: bool) -> None:
    name = new_utterance_id()
    async with AvatarClient(server.url, "anna", binary=binary) as client:
        state = said.VideoState(type="speaking", base_video="speaking_0")
        await client.speak(SECOND, realtime=False, utterance_id=name, video_state=state)
        await client.speak_end()
        events = await until_ended(client)
    generates = [message for message in server.received if isinstance(message, said.Generate)]
    assert (generates[0].data.utterance_id, generates[0].data.video_state) == (name, state)
    assert all(message.data.utterance_id is None for message in generates[1:])
    assert len(generates) == (1 if binary else 25)
    started = [event.message for event in events if isinstance(event, ControlEvent)]
    assert isinstance(started[0], SpeakStarted)
    assert started[0].data.utterance_id == name


async def test_pieces_of_any_length_are_sent_as_chunks_and_none_is_lost(server: AvatarServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for size in (1, 700, 5000, 3):
            yield bytes([size % 256]) * size

    async with AvatarClient(server.url, "anna") as client:
        await client.speak(pieces(), 8_000, realtime=False)
        await client.speak_end()
        await until_ended(client)
    uploads = [message for message in server.received if isinstance(message, AudioUpload)]
    assert [len(upload.pcm) for upload in uploads] == [640] * 8 + [584]
    assert {upload.sample_rate for upload in uploads} == {8_000}


async def test_at_the_pace_of_speech_a_chunk_is_sent_every_40_ms(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        began_s = time.monotonic()
        spoken = await client.speak(SECOND[:6400])  # five chunks: four waits
        assert time.monotonic() - began_s >= 0.159
        assert spoken.first_sent_s is not None
        assert spoken.last_sent_s is not None
        assert spoken.last_sent_s - spoken.first_sent_s >= 0.15


async def test_speaking_nothing_sends_nothing(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        spoken = await client.speak(b"")
    assert (spoken.size_bytes, spoken.first_sent_s, spoken.last_sent_s) == (0, None, None)


async def test_an_interrupt_says_where_speech_was_cut(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        await client.speak(SECOND, realtime=False)
        frames = 0
        while frames < 3:
            event = await anext(client)
            frames += isinstance(event, VideoEvent) and event.generated
        position_ms = await client.interrupt()
        assert 120 <= position_ms < 1000
        assert await client.interrupt() == 0
        ended = (await until_ended(client))[-1]
    assert isinstance(ended, ControlEvent)
    assert isinstance(ended.message, SpeakEnded)
    assert (ended.message.data.position_ms, ended.message.data.interrupted) == (position_ms, True)


async def test_states_and_actions(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        assert (await client.set_state("speaking", "speaking_0")).data.current_video == "speaking_0"
        assert (await client.action(2)).data.action_index == 2
        with pytest.raises(ServerError, match="Action already in progress") as raised:
            await client.action(1)
        assert raised.value.code == "INVALID_MESSAGE"
        with pytest.raises(ServerError, match="no video speaking_9"):
            await client.set_state("speaking", "speaking_9")
        assert isinstance(await anext(client), VideoEvent)


async def test_an_action_by_name_shows_in_its_frames(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna", binary=False) as client:
        await client.action_by_name("action_1")
        async for event in client:
            if isinstance(event, VideoEvent) and event.action_progress is not None:
                break
        assert event.action_progress == pytest.approx(0.1)


async def test_init_asks_for_what_the_client_was_made_with(server: AvatarServer) -> None:
    mine = str(uuid4())
    options = {"token": "secret", "avatar_id": "bert", "audio_out": True, "all_intra": True}
    async with AvatarClient(server.url, "anna", **options) as client:
        assert (await client.init(mine)).session_id == mine
        await client.speak(SECOND[:2560], realtime=False)
        await client.speak_end()
        events = await until_ended(client)
    init = server.received[0]
    assert isinstance(init, said.Init)
    data = init.data
    assert (data.user_id, data.auth_token, data.avatar_id, data.audio_out) == ("anna", "secret", "bert", True)
    assert data.video_config.all_intra
    assert sum(isinstance(event, AudioEvent) for event in events) == 2
    assert server.received[-1] == said.Close(session_id=mine)


async def test_refused_speech_is_an_event_and_answers_no_request(server: AvatarServer) -> None:
    server.max_queued_bytes = 3000
    async with AvatarClient(server.url, "anna") as client:
        await client.speak(bytes(6400), realtime=False)
        assert (await client.set_state("idle", "idle_0")).data.current_state == "idle"
        await client.close()
        events = [event async for event in client]
    errors = [event.message for event in events if isinstance(event, ControlEvent)]
    assert any(isinstance(error, ErrorMessage) and error.data.code == "RATE_LIMIT_EXCEEDED" for error in errors)


async def test_a_caller_that_takes_no_events_holds_the_reader_and_can_still_close(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna", max_queued_events=3, reply_timeout_s=0.2) as client:
        await asyncio.sleep(0.05)
        with pytest.raises(ReplyTimeout, match="3 events wait"):
            await client.set_state("idle", "idle_0")
    timestamps = [event.timestamp_ms async for event in client if isinstance(event, VideoEvent)]
    assert timestamps[:3] == [0, 40, 80]


async def test_after_close_what_was_received_can_be_taken_and_then_it_ends(server: AvatarServer) -> None:
    client = AvatarClient(server.url, "anna")
    await client.connect()
    await anext(client)
    await client.close()
    await client.close()
    events = [event async for event in client]
    assert isinstance(events[-1], ControlEvent)
    assert events[-1].message.type == "CLOSE_ACK"
    with pytest.raises(NotConnected):
        await client.speak(SECOND)
    with pytest.raises(NotConnected):
        await client.connect()


async def test_before_connect_nothing_can_be_said() -> None:
    with pytest.raises(NotConnected, match="connect"):
        await AvatarClient("ws://127.0.0.1:1", "anna").speak_end()


async def test_a_server_that_has_no_place_refuses_with_its_own_words() -> None:
    async with AvatarServer(max_sessions=0) as full, AvatarClient(full.url, "anna") as client:
        with pytest.raises(ConnectionRefused, match=r"All places are taken") as raised:
            await anext_video(client)
        assert raised.value.code == 4429


async def test_init_on_a_server_that_has_no_place_is_refused_too() -> None:
    async with AvatarServer(max_sessions=0) as full, AvatarClient(full.url, "anna") as client:
        with pytest.raises(ConnectionRefused, match=r"All places are taken"):
            await client.init()


async def test_after_a_servers_goodbye_requests_say_why(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna") as client:
        await anext_video(client)
        await server.shut_down()
        await to_the_end(client)
        with pytest.raises(NotConnected, match="server_shutdown"):
            await client.interrupt()


async def test_a_server_that_goes_away_is_a_lost_connection_for_reader_and_requests() -> None:
    async with AvatarServer() as server:
        client = AvatarClient(server.url, "anna")
        await client.connect()
        await anext_video(client)
        server.drop_all()
        with pytest.raises(ConnectionLost):
            await to_the_end(client)
        with pytest.raises(ConnectionLost):
            await client.interrupt()
        await client.close()


async def test_a_server_that_talks_nonsense_ends_the_conversation() -> None:
    async with AvatarServer() as server, AvatarClient(server.url, "anna") as client:
        await anext_video(client)
        await server.shout("nonsense")
        with pytest.raises(BadServerMessage, match="not of the protocol"):
            await to_the_end(client)


async def test_channels_are_one_or_two(server: AvatarServer) -> None:
    async with AvatarClient(server.url, "anna", binary=False) as client:
        with pytest.raises(ValueError, match="channels must be 1 or 2"):
            await client.speak(SECOND, channels=3)


async def to_the_end(client: AvatarClient) -> None:
    async for _ in client:
        pass


async def anext_video(client: AvatarClient) -> VideoEvent:
    while not isinstance(event := await anext(client), VideoEvent):
        pass
    return event
