from base64 import b64decode

import pytest

from tests.ws_service.video.decoding import decode_strictly, psnr_db
from tests.ws_service.video.pictures import head
from ws_service.video import bitstream
from ws_service.video.loop import EncodedLoop


def test_a_loop_is_closed_groups_of_25_and_plays_round_and_round() -> None:
    pictures = head(60, speaking=False)[:50]
    loop = EncodedLoop("idle_0", pictures)
    assert len(loop) == len(loop.packets) == 50
    assert [n for n, packet in enumerate(loop.packets) if packet.keyframe] == [0, 25]
    assert loop.codec == "avc1.42C01E"
    decoded = decode_strictly([*loop.packets, *loop.packets])
    assert all(psnr_db(decoded[n], pictures[n % 50]) > 34 for n in range(100))


def test_each_group_decodes_without_the_one_before() -> None:
    loop = EncodedLoop("idle_0", head(60, speaking=False)[:50])
    decode_strictly([*loop.packets[25:], *loop.packets[:25], *loop.packets[:25]])


def test_the_last_group_may_be_shorter() -> None:
    loop = EncodedLoop("action_1", head(60)[:30])
    assert [n for n, packet in enumerate(loop.packets) if packet.keyframe] == [0, 25]
    decode_strictly([*loop.packets, *loop.packets])


def test_an_all_intra_loop_can_be_entered_anywhere() -> None:
    loop = EncodedLoop("idle_0", head(60)[:10], all_intra=True)
    for packet in loop.packets:
        assert packet.keyframe
        decode_strictly([packet])


def test_base64_is_shared_and_the_size_is_told() -> None:
    loop = EncodedLoop("idle_0", head(60)[:5])
    assert loop.packets[1].base64 is loop.packets[1].base64
    assert b64decode(loop.packets[1].base64) == loop.packets[1].data
    assert loop.size_bytes == sum(len(packet.data) for packet in loop.packets)
    assert all(bitstream.faults(packet.data) == [] for packet in loop.packets)


def test_a_loop_has_pictures() -> None:
    with pytest.raises(ValueError, match="'idle_9' has no pictures"):
        EncodedLoop("idle_9", [])
