import asyncio
from collections.abc import AsyncIterator

import pytest

from test_client.errors import ConnectionLost, ConnectionRefused
from test_client.scripted import HELP, Target, TypedConversation, speak_file
from test_client.synthetic_speech import make_speech
from tests.fakes.avatar_server import AvatarServer


@pytest.fixture
async def server() -> AsyncIterator[AvatarServer]:
    async with AvatarServer() as running:
        yield running


async def typed(*steps: str | float) -> AsyncIterator[str]:
    """Commands, and the seconds to wait between them."""
    for step in steps:
        if isinstance(step, str):
            yield step
        else:
            await asyncio.sleep(step)


@pytest.mark.parametrize("options", [{}, {"binary": False}, {"audio_out": True}, {"all_intra": True}])
async def test_a_spoken_file_breaks_no_rule(server: AvatarServer, options: dict[str, bool]) -> None:
    speech = make_speech(1.01)
    observation = await speak_file(Target(server.url, "anna", **options), speech, realtime=False, lead_s=0.05)
    assert observation.violations() == []
    figures = observation.statistics.figures()
    assert figures.generated_frames == 26
    assert len(figures.speaking_start_ms) == 1
    assert figures.idr_spacing_frames == 25 or options.get("all_intra")


async def test_speech_of_another_rate_gives_the_same_count(server: AvatarServer) -> None:
    from test_client.audio_file import Speech

    speech = Speech(bytes(48_000 * 4), 48_000, 2)
    observation = await speak_file(Target(server.url, "anna"), speech, realtime=False, lead_s=0.02)
    assert observation.violations() == []
    assert observation.statistics.figures().generated_frames == 25


async def test_speech_at_its_own_pace_breaks_no_rule() -> None:
    async with AvatarServer(tick_s=0.04) as server:
        observation = await speak_file(Target(server.url, "anna"), make_speech(0.4), lead_s=0.05)
    assert observation.violations() == []
    assert observation.statistics.figures().generated_frames == 10


async def test_a_refused_connection_is_raised() -> None:
    async with AvatarServer(max_sessions=0) as full:
        with pytest.raises(ConnectionRefused, match="All places are taken"):
            await speak_file(Target(full.url, "anna"), make_speech(0.1))


async def test_each_typed_command_is_obeyed_and_answered() -> None:
    told: list[str] = []
    commands = [
        "init\n",
        "state speaking speaking_0",
        "action 1",
        "action action_2",
        "generate 3",
        0.6,
        "\n",
        "quit",
        "no",
    ]
    async with AvatarServer(tick_s=0.04) as server:
        conversation = TypedConversation(Target(server.url, "anna"), make_speech(0.5), told.append)
        observation = await conversation.run(typed(*commands))
    assert observation.violations() == []
    assert observation.statistics.figures().generated_frames == 3
    assert told[0] == HELP
    assert "idle_0, speaking_0" in told[1]
    assert told[2:] == ["now speaking, speaking_0", "action 1 begins", "asked for action_2", "speaking for 0.12 s"]
    assert observation.server_errors == ["INVALID_MESSAGE: Action already in progress"]


async def test_an_interrupt_stops_the_sending_too() -> None:
    told: list[str] = []
    async with AvatarServer(tick_s=0.04) as server:
        conversation = TypedConversation(Target(server.url, "anna"), make_speech(0.5), told.append)
        observation = await conversation.run(typed("generate 100", 0.3, "interrupt", 0.3, "generate 2", 0.6))
    assert observation.violations() == []
    assert told[2].startswith("cut at ")
    figures = observation.statistics.figures()
    assert 2 < figures.generated_frames < 20
    assert len(figures.interrupt_ms) == 1


async def test_two_generates_are_two_utterances_one_after_the_other() -> None:
    async with AvatarServer(tick_s=0.04) as server:
        conversation = TypedConversation(Target(server.url, "anna"), make_speech(0.5), lambda _: None)
        observation = await conversation.run(typed("generate 3", "generate 4", 1.0))
    assert observation.violations() == []
    assert observation.rules.speech.generated_frames == [3, 4]


@pytest.mark.parametrize("command", ["help", "dance", "generate x", "generate 0", "state sleeping idle_0", "action"])
async def test_what_is_not_understood_is_answered_with_help(server: AvatarServer, command: str) -> None:
    told: list[str] = []
    await TypedConversation(Target(server.url, "anna"), make_speech(0.1), told.append).run(typed(command))
    assert told == [HELP, HELP]


async def test_an_error_of_the_server_is_told(server: AvatarServer) -> None:
    told: list[str] = []
    conversation = TypedConversation(Target(server.url, "anna"), make_speech(0.1), told.append)
    await conversation.run(typed("state idle idle_9", "action 7"))
    assert told[1:] == [
        "INVALID_MESSAGE: There is no video idle_9.",
        "INVALID_MESSAGE: There is no action 7; there are 1 to 2.",
    ]


async def test_a_conversation_that_breaks_does_not_wait_for_a_command(server: AvatarServer) -> None:
    async def never() -> AsyncIterator[str]:
        yield "init"
        server.drop_all()
        await asyncio.sleep(60)
        yield "quit"

    observation = await TypedConversation(Target(server.url, "anna"), make_speech(0.1), lambda _: None).run(never())
    assert isinstance(observation.failure, ConnectionLost)


async def test_what_was_seen_before_a_conversation_broke_is_kept() -> None:
    async with AvatarServer(tick_s=0.04) as server:
        speaking = asyncio.create_task(speak_file(Target(server.url, "anna"), make_speech(5.0), lead_s=0.05))
        await asyncio.sleep(0.6)
        server.drop_all()
        observation = await speaking
    assert isinstance(observation.failure, ConnectionLost)
    assert observation.recording.frames > 5


async def test_a_server_that_says_goodbye_is_a_failure_with_its_reason() -> None:
    async with AvatarServer(tick_s=0.04) as server:
        speaking = asyncio.create_task(speak_file(Target(server.url, "anna"), make_speech(5.0), lead_s=0.05))
        await asyncio.sleep(0.6)
        await server.shut_down()
        observation = await speaking
    assert "server_shutdown" in str(observation.failure)
    assert observation.rules.speech.generated_frames == []  # cut in mid-speech, and not told of its end
    assert [each for each in observation.violations() if "utterance" in each.lower() or "SPEAK_ENDED" in each] == []
