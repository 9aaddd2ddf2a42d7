"""An engine that breaks, hangs or loses its device, in the real service with real connections."""

import asyncio
import json
import os
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from protocol.server_messages import SpeakEnded
from test_client.client import AvatarClient
from test_client.errors import ConnectionLost, ConnectionRefused
from test_client.events import ControlEvent
from test_client.reconnection import conversations, may_pass
from tests.end_to_end.conversation import Conversation
from tests.end_to_end.faulty_engine import BREAKS, HANGS, LOSES, PROGRAM, heard
from tests.end_to_end.running_service import RunningService

ROOT = Path(__file__).parents[2]
SPEECH = (ROOT / "tests/golden/speech/hts_slt_english.wav").read_bytes()[44:]


@pytest.fixture(autouse=True)
def _tests_can_be_imported_by_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


def conversation(service: RunningService, user_id: str) -> Conversation:
    return Conversation(f"{service.websocket}/musetalk/v1/ws/{user_id}")


def engine_figures(service: RunningService) -> dict[str, Any]:
    with urllib.request.urlopen(service.http + "/sessions", timeout=5) as answer:
        return json.load(answer)["service"]["engine"]


def timestamps(c: Conversation) -> list[int]:
    return [frame.data["frame_timestamp"] for frame in c.frames]


@pytest.mark.usefixtures("service")
async def test_an_engine_that_breaks_is_made_anew_while_the_video_goes_on(avatars_dir: Path) -> None:
    with RunningService(avatars_dir, PROGRAM) as service:
        async with conversation(service, "unlucky") as unlucky, conversation(service, "bystander") as bystander:
            await bystander.frames_more(5)
            await unlucky.generate(heard(BREAKS))
            error = await unlucky.next("ERROR")
            assert error.data["code"] == "PROCESSING_ERROR"
            async with asyncio.timeout(20):
                while (figures := await asyncio.to_thread(engine_figures, service))["state"] != "running":
                    await asyncio.sleep(0.05)
            assert figures["rebuilds"] == 1
            for c in (unlucky, bystander):
                await c.generate(SPEECH[:32_000])
                await c.say("SPEAK_END")
            for c in (unlucky, bystander):
                await c.next("SPEAK_ENDED")
                assert len(c.generated) == 25
                assert timestamps(c) == [40 * n for n in range(len(c.frames))], "no frame is missing"
            assert not bystander.of("ERROR")


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("level", "reason"),
    [(HANGS, r"the engine hangs: .*ENGINE_TIMEOUT_S"), (LOSES, "the engine is lost: the device fell off the bus")],
)
async def test_an_engine_that_hangs_or_is_lost_ends_the_service_after_telling_everyone(
    avatars_dir: Path, level: int, reason: str
) -> None:
    service = RunningService(avatars_dir, PROGRAM, ENGINE_TIMEOUT_S="1", LOG_LEVEL="error")
    try:
        service.address()
        await asyncio.to_thread(service.wait_ready)
        async with conversation(service, "unlucky") as unlucky, conversation(service, "bystander") as bystander:
            await bystander.frames_more(5)
            await unlucky.generate(heard(level))
            for c in (unlucky, bystander):
                assert await c.closed() == 1012
                error = c.of("ERROR")[-1].data
                assert error["code"] == "SERVICE_NOT_READY"
                assert re.search(reason, error["message"])
                assert c.received[-1].type == "CLOSE_ACK"
                assert c.received[-1].data == {"reason": "error"}
                assert timestamps(c) == [40 * n for n in range(len(c.frames))], "the video went on to the end"
        assert await asyncio.to_thread(service.process.wait, 20) == 70
        assert service.process.stderr is not None
        log = service.process.stderr.read()
    finally:
        service.stop()
    assert re.search(reason, log)
    assert "Traceback" not in log


async def supervise(first: RunningService, avatars_dir: Path) -> RunningService:
    """Start the service again on its port when it ends for a restart."""
    assert await asyncio.to_thread(first.process.wait, 30) == 70
    return RunningService(avatars_dir, PROGRAM, PORT=first.http.rpartition(":")[2])


@pytest.mark.usefixtures("service")
async def test_a_client_that_connects_again_speaks_with_the_next_process(avatars_dir: Path) -> None:
    services = [RunningService(avatars_dir, PROGRAM)]
    try:
        services[0].address()
        await asyncio.to_thread(services[0].wait_ready)
        supervisor = asyncio.create_task(supervise(services[0], avatars_dir))
        positions: list[int] = []
        lost: list[int | None] = []
        async for client in conversations(lambda: AvatarClient(services[0].websocket, "anna")):
            try:
                await client.init()
                await client.speak(heard(LOSES) if not lost else SPEECH[:32_000], realtime=False)
                await client.speak_end()
                async for event in client:
                    if isinstance(event, ControlEvent) and isinstance(event.message, SpeakEnded):
                        positions.append(event.message.data.position_ms)
                        break
                if lost and positions:
                    break
            except (ConnectionLost, ConnectionRefused) as error:
                if not may_pass(error):
                    raise
                lost.append(error.code)
        assert lost[0] == 1012
        assert positions == [1000]
        services.append(await supervisor)
    finally:
        for service in services:
            service.stop()
