"""The outbox against a reader that is quick, slow, or gone; in virtual time."""

import asyncio
import itertools
import json

import pytest

from protocol.codes import ErrorCode
from protocol.server_messages import ErrorData, ErrorMessage, StateChanged, StateChangedData
from tests.virtual_time import run_virtual
from ws_service.errors import PeerGone, SlowReader
from ws_service.session.interfaces import SentFrame
from ws_service.session.timeline import State
from ws_service.sockets.dialects import TextDialect
from ws_service.sockets.outbox import CONTROL_MESSAGES, MEDIA_FRAMES, Outbox
from ws_service.video.packet import Packet


class Reader:
    """A connection whose peer reads while `reading` is set."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.reading.set()
        self.got: list[dict[str, object]] = []
        self.gone = False

    async def send(self, message: str | bytes) -> None:
        await self.reading.wait()
        if self.gone:
            raise PeerGone
        self.got.append(json.loads(message))

    def timestamps(self) -> list[int]:
        return [m["data"]["frame_timestamp"] for m in self.got if m["type"] == "VIDEO_FRAME"]  # type: ignore[index]


def frame(number: int) -> SentFrame:
    """Every 25th is a keyframe."""
    return SentFrame(Packet(b"x", number % 25 == 0), number * 40, State.IDLE, False)


def error(code: ErrorCode = ErrorCode.INVALID_MESSAGE) -> ErrorMessage:
    return ErrorMessage(session_id="s", data=ErrorData(code=code, message="no", details={}))


def changed() -> StateChanged:
    return StateChanged(session_id="s", data=StateChangedData(current_state="idle", current_video="idle_0"))


def test_everything_comes_in_order_to_a_reader_that_keeps_up() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 20), Reader()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        outbox.frame("s", frame(0))
        outbox.event(changed())
        outbox.sound("s", bytes(1280), 0, 40)
        outbox.frame("s", frame(1))
        outbox.ping()
        await outbox.flush(1)
        assert [m["type"] for m in reader.got] == ["VIDEO_FRAME", "STATE_CHANGED", "AUDIO_FRAME", "VIDEO_FRAME", "PING"]
        running.cancel()

    run_virtual(scene())


def test_media_past_the_bound_are_dropped_whole_up_to_the_next_idr() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.reading.clear()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        total = MEDIA_FRAMES + 60
        for number in range(total):
            outbox.frame("s", frame(number))
            outbox.sound("s", bytes(1280), 0, number * 40)
            await asyncio.sleep(0.04)
        reader.reading.set()
        await outbox.flush(5)
        shown = [t // 40 for t in reader.timestamps()]
        assert shown == sorted(set(shown)), "each once, in order"
        jumps = [b for a, b in itertools.pairwise(shown) if b != a + 1]
        assert jumps
        assert all(number % 25 == 0 for number in jumps), "after a gap comes an IDR"
        assert outbox.counts.frames_dropped == total - len(shown)
        running.cancel()

    run_virtual(scene())


def test_a_quick_reader_gets_every_error_a_slow_one_only_one_of_each_code() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        for _ in range(3):
            outbox.event(error())
        await outbox.flush(1)
        assert len(reader.got) == 3
        reader.reading.clear()
        for number in range(10):
            outbox.frame("s", frame(number))
        await asyncio.sleep(0)
        for _ in range(5):
            outbox.event(error())
            outbox.event(error(ErrorCode.RATE_LIMIT_EXCEEDED))
        reader.reading.set()
        await outbox.flush(1)
        codes = [m["data"]["code"] for m in reader.got[3:] if m["type"] == "ERROR"]  # type: ignore[index]
        assert codes == ["INVALID_MESSAGE", "RATE_LIMIT_EXCEEDED"]
        running.cancel()

    run_virtual(scene())


def test_control_messages_survive_the_dropping_of_media() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.reading.clear()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        for number in range(MEDIA_FRAMES * 2):
            outbox.frame("s", frame(number))
            if number % 20 == 0:
                outbox.event(changed())
        reader.reading.set()
        await outbox.flush(5)
        assert sum(m["type"] == "STATE_CHANGED" for m in reader.got) == 5
        running.cancel()

    run_virtual(scene())


def test_a_reader_that_takes_nothing_for_too_long_is_given_up() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 20), Reader()
        reader.reading.clear()
        outbox.frame("s", frame(0))
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(SlowReader, match="20 s"):
            await outbox.run(reader)  # type: ignore[arg-type]
        assert 20 <= asyncio.get_running_loop().time() - began_s <= 22

    run_virtual(scene())


def test_a_reader_that_lets_control_messages_pile_up_is_given_up() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.reading.clear()
        for _ in range(CONTROL_MESSAGES + 2):
            outbox.event(changed())
        with pytest.raises(SlowReader, match="control"):
            await outbox.run(reader)  # type: ignore[arg-type]

    run_virtual(scene())


def test_a_peer_that_is_gone_ends_the_writer() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.gone = True
        outbox.frame("s", frame(0))
        with pytest.raises(PeerGone):
            await outbox.run(reader)  # type: ignore[arg-type]

    run_virtual(scene())


def test_sound_is_dropped_and_sent_together_with_its_frame() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.reading.clear()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        for number in range(MEDIA_FRAMES * 3):
            outbox.sound("s", bytes(1280), 0, number * 40)
            outbox.frame("s", frame(number))
        reader.reading.set()
        await outbox.flush(5)
        sounds = [m["data"]["frame_timestamp"] for m in reader.got if m["type"] == "AUDIO_FRAME"]  # type: ignore[index]
        assert sounds == reader.timestamps()
        running.cancel()

    run_virtual(scene())


def test_a_burst_of_errors_to_a_stuck_reader_does_not_end_it() -> None:
    async def scene() -> None:
        outbox, reader = Outbox(TextDialect(), 1000), Reader()
        reader.reading.clear()
        running = asyncio.create_task(outbox.run(reader))  # type: ignore[arg-type]
        outbox.frame("s", frame(0))
        await asyncio.sleep(0.1)
        for _ in range(CONTROL_MESSAGES * 4):
            outbox.event(error())
        await asyncio.sleep(3)
        assert not running.done()
        reader.reading.set()
        await outbox.flush(1)
        assert [m["type"] for m in reader.got] == ["VIDEO_FRAME", "ERROR"]
        running.cancel()

    run_virtual(scene())
