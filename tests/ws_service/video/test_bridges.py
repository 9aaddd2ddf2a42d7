"""Bridges between idle videos: the pictures of the timeline's fade, encoded once, spliced without a cost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.prepared_avatar import BaseVideo, PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.video.decoding import decode_strictly, psnr_db
from tests.ws_service.video.pictures import head
from ws_service.session.timeline import BaseTick, Timeline
from ws_service.video.bridges import Bridge, loop_pictures, mixed
from ws_service.video.loop import encode_loops
from ws_service.video.source import VideoSource

POINTS = np.zeros((50, 468, 2), np.float32)


def make_avatar(*, same_pose: bool = False, idles: int = 2) -> PreparedAvatar:
    videos = {
        f"idle_{number}": BaseVideo(f"idle_{number}", np.roll(head(50, speaking=False), 30 * number, axis=2), POINTS)
        for number in range(idles)
    }
    videos["speaking_0"] = BaseVideo("speaking_0", videos["idle_0"].pictures, POINTS)
    return PreparedAvatar("a", videos, same_pose, {})


@pytest.fixture(scope="module")
def avatar() -> PreparedAvatar:
    return make_avatar()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def timeline(avatar: PreparedAvatar) -> Timeline:
    return Timeline({name: len(video.pictures) for name, video in avatar.videos.items()}, avatar.same_pose)


def shown(avatar: PreparedAvatar, tick: BaseTick) -> np.ndarray:
    picture = avatar.videos[tick.video].pictures[tick.index]
    if tick.fade is None:
        return picture
    return mixed(avatar.videos[tick.fade.video].pictures[tick.fade.index], picture, tick.fade.weight)


def test_a_bridge_shows_what_the_timeline_shows(avatar: PreparedAvatar) -> None:
    line = timeline(avatar)
    ticks = [line.tick() for _ in range(75)][50:]
    bridge = Bridge(avatar.videos["idle_0"], avatar.videos["idle_1"])
    assert len(bridge) == 25
    assert [tick.video for tick in ticks] == ["idle_1"] * 25
    for picture, tick in zip(bridge, ticks, strict=True):
        assert np.array_equal(picture, shown(avatar, tick))


def test_there_is_a_bridge_from_each_idle_video_to_the_next() -> None:
    bridges = [name for name in loop_pictures(make_avatar(idles=3)) if ">" in name]
    assert bridges == ["idle_0>idle_1", "idle_1>idle_2", "idle_2>idle_0"]


def test_no_bridge_is_made_where_none_is_needed() -> None:
    assert list(loop_pictures(make_avatar(idles=1))) == ["idle_0", "speaking_0"]
    assert list(loop_pictures(make_avatar(same_pose=True))) == ["idle_0", "idle_1", "speaking_0"]


@pytest.mark.parametrize("all_intra", [False, True])
def test_idle_videos_alternate_without_the_sessions_encoder(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor, all_intra: bool
) -> None:
    loops = encode_loops(loop_pictures(avatar), all_intra=all_intra)
    source, line = VideoSource(avatar, loops, FakeEngine(), pool, all_intra=all_intra), timeline(avatar)
    ticks = [line.tick() for _ in range(170)]
    packets = [source.shared(tick) for tick in ticks]
    assert [n for n, packet in enumerate(packets) if packet is None] == []
    assert [tick.video for tick in ticks[::50]] == ["idle_0", "idle_1", "idle_0", "idle_1"]
    pictures = decode_strictly([packet for packet in packets if packet is not None])
    assert min(psnr_db(seen, shown(avatar, tick)) for seen, tick in zip(pictures, ticks, strict=True)) > 30


async def test_a_bridge_that_is_left_goes_on_in_the_encoder_until_the_next_group(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor
) -> None:
    source = VideoSource(avatar, encode_loops(loop_pictures(avatar)), FakeEngine(), pool, all_intra=False)
    line = timeline(avatar)
    packets, encoded = [], []
    for number in range(90):
        tick = line.tick()
        packet = None if number == 60 else source.shared(tick)  # a mouth, say
        if packet is None:
            encoded.append(number)
            packet = await source.encode(tick, None, 0.0)
        packets.append(packet)
    assert encoded == list(range(60, 75))
    assert len(decode_strictly(packets)) == 90


async def test_a_change_that_a_client_asks_for_fades_in_the_encoder(
    avatar: PreparedAvatar, pool: ThreadPoolExecutor
) -> None:
    source = VideoSource(avatar, encode_loops(loop_pictures(avatar)), FakeEngine(), pool, all_intra=False)
    line = timeline(avatar)
    for _ in range(30):
        source.shared(line.tick())
    line.change("idle_1")
    assert [source.shared(line.tick()) for _ in range(25)] == [None] * 25
    assert source.shared(line.tick()) is not None
