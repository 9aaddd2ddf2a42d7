"""From the first byte to INIT and CLOSE, through the real server."""

import asyncio
import base64
import re
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.end_to_end.conversation import Conversation

Talk = Callable[..., Conversation]


def start_codes(access_unit: bytes) -> list[int]:
    """NAL unit types of an Annex B access unit."""
    return [access_unit[m.end()] & 31 for m in re.finditer(b"\0\0\1", access_unit)]


async def test_video_flows_before_init_and_begins_with_an_idr(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(30)
    first = c.frames[0]
    assert first.type == "VIDEO_FRAME"
    assert first.data["keyframe"] is True
    assert first.data["state"] == "idle"
    assert first.data["generated"] is False
    assert "audio_ms" not in first.data
    nals = start_codes(base64.b64decode(first.data["frame_data"]))
    assert {7, 8, 5} <= set(nals)
    assert nals.count(5) == 1, "one slice per picture"
    assert [f.data["frame_timestamp"] for f in c.frames] == [40 * n for n in range(len(c.frames))]


async def test_init_echoes_the_clients_uuid_and_tells_what_there_is(talk: Talk) -> None:
    wanted = str(uuid4()).upper()
    async with talk("someone") as c:
        await c.say("INIT", {"user_id": "someone", "auth_token": "x"}, session_id=wanted)
        answer = await c.next("INIT_SUCCESS")
        before = len(c.received)
        await c.frames_more(3)
    assert answer.message["session_id"] == wanted
    assert answer.data["model_loaded"] is True
    assert answer.data["streaming_started"] is True
    assert {"idle_0", "speaking_0", "action_1", "action_2"} <= set(answer.data["available_videos"])
    assert answer.data["default_video"] == "idle_0"
    assert re.fullmatch(r"avc1\.42[0-9A-F]{4}", answer.data["codec"])
    assert answer.data["engine"]["name"] == "light"
    assert {r.message["session_id"] for r in c.received[before:]} == {wanted}


async def test_an_id_that_is_no_uuid_or_is_in_use_is_replaced(talk: Talk) -> None:
    wanted = str(uuid4())
    async with talk() as a, talk() as b, talk() as c:
        await a.say("INIT", {"user_id": "tester"}, session_id=wanted)
        assert (await a.next("INIT_SUCCESS")).message["session_id"] == wanted
        await b.say("INIT", {"user_id": "tester"}, session_id=wanted)
        assert (await b.next("INIT_SUCCESS")).message["session_id"] != wanted
        await c.say("INIT", {"user_id": "tester"}, session_id="me")
        assert (await c.next("INIT_SUCCESS")).message["session_id"] != "me"


async def test_after_init_a_foreign_session_id_is_refused_and_the_stream_goes_on(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester"})
        await c.next("INIT_SUCCESS")
        await c.say("STATE_CHANGE", {"target_state": "speaking", "base_video": "speaking_0"}, session_id=str(uuid4()))
        error = await c.next("ERROR")
        await c.frames_more(5)
    assert error.data["code"] == "INVALID_SESSION"
    assert not c.of("STATE_CHANGED")


async def test_init_for_another_user_than_the_path_is_refused(talk: Talk) -> None:
    async with talk("anna") as c:
        await c.say("INIT", {"user_id": "bob"})
        error = await c.next("ERROR")
    assert error.data["code"] == "INVALID_MESSAGE"
    assert "user_id" in error.data["details"]["path"]


async def test_an_avatar_that_does_not_exist_is_named_in_the_error(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester", "avatar_id": "nobody"})
        error = await c.next("ERROR")
        await c.frames_more(3)
    assert error.data["code"] == "MODEL_NOT_FOUND"
    assert "nobody" in error.data["message"]


async def test_init_again_starts_over_in_idle_and_the_clock_goes_on(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester"})
        await c.generate(bytes(64000))
        await c.next("SPEAK_STARTED")
        await c.say("INIT", {"user_id": "tester"})
        await c.next("INIT_SUCCESS", 2)
        ended = await c.next("SPEAK_ENDED")
        count = len(c.generated)
        await c.frames_more(30)
    assert ended.data["interrupted"] is True
    assert len(c.generated) == count
    assert [f.data["frame_timestamp"] for f in c.frames] == [40 * n for n in range(len(c.frames))]
    assert len(c.pictures()) == len(c.frames)


async def test_all_intra_makes_every_frame_an_idr(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester", "video_config": {"all_intra": True}})
        await c.next("INIT_SUCCESS")
        at = len(c.frames)
        await c.frames_more(10)
        await c.generate(bytes(12800))
        await c.next("SPEAK_ENDED")
        await c.frames_more(5)
    assert all(f.data["keyframe"] for f in c.frames[at + 1 :])
    assert len(c.pictures()) == len(c.frames)


async def test_close_is_acknowledged_then_the_socket_closes_normally(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(2)
        await c.say("CLOSE")
        assert await c.closed() == 1000
    assert c.of("CLOSE_ACK")[0].data["reason"] == "client_request"
    assert c.received[-1].type == "CLOSE_ACK"


async def test_the_rate_is_25_frames_a_second_in_the_long_run(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(101)
    rate = 100 / (c.frames[100].at_s - c.frames[0].at_s)
    assert 23 < rate < 27, "a wide gate; the exact figure is the benchmark's"


async def test_the_binary_dialect_carries_the_same_stream(talk: Talk) -> None:
    from websockets.asyncio.client import connect

    url = talk().url
    async with connect(url, subprotocols=["musetalk.v1.binary"], compression=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "musetalk.v1.binary"
        messages = [await asyncio.wait_for(socket.recv(), 5) for _ in range(5)]
    for number, message in enumerate(messages):
        assert isinstance(message, bytes)
        assert message[0] == 1
        assert int.from_bytes(message[4:8], "little") == number
        assert int.from_bytes(message[8:16], "little") == 40 * number
        assert message[16:20] == b"\xff\xff\xff\xff"
    assert messages[0][1] & 1, "the first frame is a keyframe"


@pytest.mark.parametrize("offered", [["chat"], ["musetalk.v2.binary", "x"]])
async def test_an_unknown_subprotocol_is_refused(talk: Talk, offered: list[str]) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused:
        async with connect(talk().url, subprotocols=offered):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 400
    assert b"musetalk.v1.binary" in (refused.value.response.body or b"")


@pytest.mark.parametrize("user_id", ["a b", "x" * 65, "me!"])
async def test_a_user_id_out_of_form_is_refused(talk: Talk, user_id: str) -> None:
    from urllib.parse import quote

    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused:
        async with talk(quote(user_id)):
            pass
    assert refused.value.response.status_code in (400, 404)
