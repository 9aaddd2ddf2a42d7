import asyncio

import pytest

from test_client.audio_file import Speech
from test_client.client import AvatarClient
from test_client.errors import ConnectionLost
from test_client.observation import Observation
from tests.fakes.avatar_server import AvatarServer
from tests.test_client.streams import access_units, control, ended, frame, speech


def watched(*events: object) -> Observation:
    observation = Observation()
    for event in events:
        observation.received(event)  # type: ignore[arg-type]
    return observation


async def test_rules_figures_and_recording_see_the_same_events() -> None:
    observation = Observation()
    observation.speech_begins(Speech(bytes(2 * 640 * 4), 16_000, 1), "one")
    for event in [frame(0), *speech(1, 4), frame(5)]:
        observation.received(event)
    assert observation.violations() == []
    assert observation.statistics.figures().generated_frames == 4
    assert observation.recording.frames == 6


async def test_what_only_a_decoder_sees_is_a_violation_unless_not_asked_for() -> None:
    data = access_units()[1]
    broken = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    events = [frame(0), frame(1, access_unit=broken)]
    assert watched(*events).violations(decode=False) == []
    assert any("40 ms" in sentence for sentence in watched(*events).violations())


async def test_an_error_of_the_server_is_kept_as_a_sentence() -> None:
    from protocol import server_messages as say
    from protocol.codes import ErrorCode

    data = say.ErrorData(code=ErrorCode.INVALID_MESSAGE, message="No such thing.")
    observation = watched(frame(0), control(say.ErrorMessage(session_id="s", data=data)))
    assert observation.server_errors == ["INVALID_MESSAGE: No such thing."]


async def test_the_end_of_an_utterance_is_waited_for() -> None:
    observation = Observation()
    waiting = asyncio.create_task(observation.speak_ended("one", 5.0))
    await asyncio.sleep(0)
    for event in speech(0, 3):
        observation.received(event)
    assert await waiting
    assert not await observation.speak_ended("two", 0.01)


async def test_another_utterances_end_is_not_it() -> None:
    observation = watched(*speech(0, 2, "two"))
    assert await observation.speak_ended("two", 0.01)
    assert not await observation.speak_ended("one", 0.01)
    assert ended(80, "two").message.type == "SPEAK_ENDED"


async def test_watching_ends_the_wait_when_the_conversation_breaks() -> None:
    async with AvatarServer() as server:
        client = AvatarClient(server.url, "anna")
        await client.connect()
        observation = Observation()
        watching = asyncio.create_task(observation.watch(client))
        waiting = asyncio.create_task(observation.speak_ended("one", 30.0))
        await asyncio.sleep(0.05)
        server.drop_all()
        with pytest.raises(ConnectionLost):
            await watching
        assert not await waiting
        await client.close()
