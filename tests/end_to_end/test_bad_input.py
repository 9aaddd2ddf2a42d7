"""Whatever a client sends, it gets an answer that says what was wrong; no stream stops."""

import asyncio
import itertools
import json
import random
import socket
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.conversation import Conversation

Talk = Callable[..., Conversation]

BAD_TEXT = [
    "",
    "{",
    "null",
    "[]",
    "42",
    '"GENERATE"',
    "{}",
    '{"type": 7}',
    '{"type": "NO_SUCH"}',
    '{"type": "GENERATE"}',
    '{"type": "GENERATE", "data": {"audio_chunk": {"data": "***"}}}',
    '{"type": "GENERATE", "data": {"audio_chunk": {"data": "AAAA", "sample_rate": 7}}}',
    '{"type": "GENERATE", "data": {"audio_chunk": {"data": "AAAA", "format": "mp3"}}}',
    '{"type": "INIT", "data": {"user_id": "tester", "video_config": {"resolution": "1x1"}}}',
    '{"type": "STATE_CHANGE", "data": {"target_state": "flying", "base_video": "idle_0"}}',
    '{"type": "ACTION", "data": {}}',
    '{"type": "ACTION", "data": {"action_index": 1e400}}',
    json.dumps({"type": "x" * 1_000_000}),
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BAD_TEXT, ids=[t[:60] for t in BAD_TEXT])
async def test_bad_text_is_answered_and_the_stream_goes_on(talk: Talk, text: str) -> None:
    async with talk() as c:
        await c.socket.send(text)
        error = await c.next("ERROR")
        await c.frames_more(3)
    assert error.data["code"] == "INVALID_MESSAGE"
    assert error.data["message"]
    assert "path" in error.data["details"]


async def test_binary_junk_is_answered(talk: Talk) -> None:
    rng = random.Random(3)
    junk = [b"", b"\x10", rng.randbytes(19), rng.randbytes(500), struct.pack("<BBHIQI", 16, 0, 9, 16000, 0, 0) + b"ab"]
    async with talk() as c:
        for data in junk:
            await c.socket.send(data)
        await c.until(lambda: len(c.of("ERROR")) == len(junk))
        await c.frames_more(3)
    assert {e.data["code"] for e in c.of("ERROR")} == {"INVALID_MESSAGE"}


async def test_a_flood_of_junk_disturbs_no_other_session(talk: Talk) -> None:
    rng = random.Random(5)
    async with talk("quiet") as quiet, talk("loud") as loud:
        await quiet.frames_more(2)
        start = len(quiet.frames)
        for _ in range(2000):
            await loud.socket.send(rng.choice(BAD_TEXT[:16]))
        await quiet.frames_more(25)
        await loud.frames_more(5)
    timestamps = [f.data["frame_timestamp"] for f in quiet.frames[start:]]
    assert [b - a for a, b in itertools.pairwise(timestamps)] == [40] * (len(timestamps) - 1)


async def test_text_that_is_no_utf_8_closes_that_connection_alone(talk: Talk) -> None:
    async with talk() as bad, talk() as good:
        await bad.socket.send(b"\xff\xfe", text=True)
        assert await bad.closed() == 1007
        await good.frames_more(3)


async def test_a_half_open_socket_and_one_that_only_says_hello_harm_nobody(talk: Talk) -> None:
    place = urlsplit(talk().url)
    with (
        socket.create_connection((place.hostname, place.port)) as silent,
        socket.create_connection((place.hostname, place.port)) as half,
    ):
        half.sendall(b"GET /musetalk/v1/ws/x HTTP/1.1\r\nHost: x\r\nUpgrade: websoc")
        async with talk() as c:
            await c.frames_more(5)
        silent.sendall(b"\0\1\2 junk \r\n\r\n")
        async with talk() as c:
            await c.frames_more(5)


async def test_a_reader_that_pauses_loses_whole_groups_and_sees_the_gap(talk: Talk) -> None:
    """The socket is read by hand so that the client can stop reading."""
    import base64
    import os

    place = urlsplit(talk().url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**16)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")

    async def frame() -> dict[str, object]:
        head = await reader.readexactly(2)
        size = head[1]
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        body = await reader.readexactly(size)
        return json.loads(body) if head[0] & 15 == 1 else {}

    await frame()
    await asyncio.sleep(12)  # real time: the kernel's buffers have to fill
    async with talk() as other:
        await other.frames_more(5)
    timestamps: list[tuple[int, bool]] = []
    while len(timestamps) < 250:
        data = (await asyncio.wait_for(frame(), 10)).get("data", {})
        if isinstance(data, dict) and "frame_timestamp" in data:
            timestamps.append((data["frame_timestamp"], data["keyframe"]))
        if any(b[0] - a[0] > 40 for a, b in itertools.pairwise(timestamps)):
            break
    gaps = [(a, b) for a, b in itertools.pairwise(timestamps) if b[0] - a[0] != 40]
    assert gaps, "the buffers are bounded, so a reader that pauses 12 s has lost packets"
    assert all(after[1] for _, after in gaps), "the stream goes on at an IDR"
    writer.close()
