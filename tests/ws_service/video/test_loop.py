from base64 import b64decode

import numpy as np
import pytest

from tests.ws_service.video.decoding import decode_strictly, psnr_db
from tests.ws_service.video.pictures import head
from ws_service.video import bitstream
from ws_service.video.encoder import COARSEST_QUANTIZER, QUANTIZER, most_kbits_per_s
from ws_service.video.loop import EncodedLoop, encode_loops


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


def noisy(deviation: float) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [np.clip(p + rng.normal(0, deviation, p.shape), 0, 255).astype(np.uint8) for p in head(60)[:50]]


def test_after_each_picture_it_is_told_how_much_is_encoded_and_never_less_than_before() -> None:
    told: list[float] = []
    encode_loops({"idle_0": head(60)[:25], "speaking_0": head(60)[:30]}, on_share=told.append)
    assert told == [n / 55 for n in range(1, 56)]
    told.clear()
    encode_loops({"idle_0": noisy(12)[:10]}, on_share=told.append)
    assert told == [min(1.0, n / 10) for n in range(1, len(told) + 1)]
    assert len(told) > 10, "all of them again, coarser"


def test_an_avatars_loops_have_the_usual_quantizer_where_that_keeps_to_the_rate() -> None:
    loops = encode_loops({"idle_0": head(60, speaking=False)[:50], "speaking_0": head(60)[:30]})
    assert {name: (loop.name, loop.quantizer, len(loop)) for name, loop in loops.items()} == {
        "idle_0": ("idle_0", QUANTIZER, 50),
        "speaking_0": ("speaking_0", QUANTIZER, 30),
    }


@pytest.mark.parametrize("all_intra", [False, True])
def test_one_noisy_video_makes_all_of_an_avatars_loops_coarser(all_intra: bool) -> None:
    loops = encode_loops({"idle_0": head(60, speaking=False)[:50], "idle_1": noisy(12)}, all_intra=all_intra)
    bound = most_kbits_per_s(all_intra=all_intra)
    assert EncodedLoop("idle_1", noisy(12), all_intra=all_intra).kbits_per_s > bound
    assert loops["idle_1"].kbits_per_s < bound
    assert loops["idle_0"].quantizer == loops["idle_1"].quantizer
    decode_strictly([*loops["idle_0"].packets[:25], *loops["idle_1"].packets])


def test_nothing_is_coarser_than_the_coarsest() -> None:
    rng = np.random.default_rng(3)
    snow = [rng.integers(0, 256, (768, 512), np.uint8) for _ in range(10)]
    assert encode_loops({"idle_0": snow})["idle_0"].quantizer == COARSEST_QUANTIZER
