"""One session's video: loop or encoder, cross-fades, and what happens when something fails in between."""

import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from models.interface import BaseFrame
from models.prepared_avatar import BaseVideo, PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.video.decoding import decode_strictly
from ws_service.errors import ProcessingFailed
from ws_service.session.timeline import BaseTick, Fade
from ws_service.video import source as module
from ws_service.video.encoder import EncodingError, H264Encoder
from ws_service.video.loop import EncodedLoop
from ws_service.video.packet import MouthLost, Packet
from ws_service.video.source import VideoSource

GREY = {"idle_0": 60, "speaking_0": 180}


@pytest.fixture
def avatar() -> PreparedAvatar:
    videos = {
        name: BaseVideo(name, np.full((50, 768, 512), grey, np.uint8), np.zeros((50, 468, 2), np.float32))
        for name, grey in GREY.items()
    }
    return PreparedAvatar("grey", videos, True, {})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class BrightEngine(FakeEngine):
    """Its mouth makes the whole picture as bright as it is told; `broken` fails."""

    broken = False

    def paint(self, mouth: Any, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> np.ndarray:
        if self.broken:
            raise ValueError("the painter fell off the ladder")
        return np.full((768, 512), int(mouth), np.uint8)


def make(avatar: PreparedAvatar, pool: ThreadPoolExecutor, engine: FakeEngine | None = None) -> VideoSource:
    loops = {name: EncodedLoop(name, video.pictures) for name, video in avatar.videos.items()}
    return VideoSource(avatar, loops, engine or BrightEngine(), pool, all_intra=False)


def luma(packets: list[Packet]) -> list[float]:
    return [float(picture[:512].mean()) for picture in decode_strictly(packets)]


async def test_idle_is_the_loops_own_packets(avatar: PreparedAvatar, pool: ThreadPoolExecutor) -> None:
    source = make(avatar, pool)
    loop = EncodedLoop("idle_0", avatar.videos["idle_0"].pictures)
    assert [source.shared(BaseTick("idle_0", n)) for n in range(50)] == list(loop.packets)


async def test_speech_in_the_middle_decodes_and_shows_the_mouth(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor
) -> None:
    source = make(avatar, pool)
    packets = [source.shared(BaseTick("idle_0", n)) for n in range(10)]
    packets += [await source.encode(BaseTick("idle_0", n), 120, 1.0) for n in range(10, 15)]
    for n in range(15, 30):
        tick = BaseTick("idle_0", n)
        packets.append(source.shared(tick) or await source.encode(tick, None, 0.0))
    seen = luma([p for p in packets if p is not None])
    assert len(seen) == 30
    assert seen[:10] == pytest.approx([60] * 10, abs=2)
    assert seen[10:15] == pytest.approx([120] * 5, abs=2)
    assert seen[15:] == pytest.approx([60] * 15, abs=2)
    assert [n for n, p in enumerate(packets) if p is not None and p.keyframe] == [0, 10, 25]


async def test_a_fade_mixes_both_pictures_and_is_never_the_loops(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor
) -> None:
    source = make(avatar, pool)
    tick = BaseTick("speaking_0", 0, Fade("idle_0", 7, 0.75))
    assert source.shared(tick) is None
    packet = await source.encode(tick, None, 0.0)
    assert luma([packet]) == pytest.approx([0.75 * 60 + 0.25 * 180], abs=2)


async def test_a_painter_that_fails_costs_the_mouth_not_the_stream(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor
) -> None:
    engine = BrightEngine()
    source = make(avatar, pool, engine)
    packets = [await source.encode(BaseTick("idle_0", 1), 120, 1.0)]
    engine.broken = True
    with pytest.raises(MouthLost) as lost:
        await source.encode(BaseTick("idle_0", 2), 120, 1.0)
    packets.append(lost.value.packet)
    engine.broken = False
    packets.append(await source.encode(BaseTick("idle_0", 3), 120, 1.0))
    assert [p.keyframe for p in packets] == [True, False, False], "the encoder goes on"
    assert luma(packets) == pytest.approx([120, 60, 120], abs=2)


async def test_an_encoder_that_fails_is_replaced_two_in_a_row_are_told(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {"left": 1}

    class Flaky(H264Encoder):
        def encode(self, picture: np.ndarray, keyframe: bool = False) -> Any:
            if failures["left"]:
                failures["left"] -= 1
                raise EncodingError("out of bits")
            return super().encode(picture, keyframe)

    source = make(avatar, pool)
    monkeypatch.setattr(module, "H264Encoder", Flaky)
    packet = await source.encode(BaseTick("idle_0", 1), None, 0.0)
    assert packet.keyframe
    failures["left"] = 2
    with pytest.raises(ProcessingFailed, match="out of bits"):
        await source.encode(BaseTick("idle_0", 2), None, 0.0)


async def test_the_encoder_is_given_back_when_the_loop_takes_over(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[H264Encoder] = weakref.WeakSet()

    class Watched(H264Encoder):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            alive.add(self)

    source = make(avatar, pool)
    monkeypatch.setattr(module, "H264Encoder", Watched)
    await source.encode(BaseTick("idle_0", 24), 100, 1.0)
    assert len(alive) == 1
    assert source.shared(BaseTick("idle_0", 25)) is not None
    pool.submit(gc.collect).result()
    pool.submit(gc.collect).result()
    assert len(alive) == 0


async def test_an_encoder_that_fails_once_keeps_the_mouth(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(avatar, pool)
    packets = [await source.encode(BaseTick("idle_0", 1), 120, 1.0)]
    monkeypatch.setattr(source._encoder, "_context", None)  # what a closed or broken x264 looks like
    packets += [await source.encode(BaseTick("idle_0", n), 120, 1.0) for n in range(2, 30)]
    assert luma(packets) == pytest.approx([120] * len(packets), abs=2)
    assert [n for n, p in enumerate(packets) if p.keyframe] == [0, 1, 26]
