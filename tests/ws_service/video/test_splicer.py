from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ws_service.video.decoding import decode_strictly, psnr_db
from tests.ws_service.video.pictures import head
from ws_service.video import bitstream
from ws_service.video.encoder import H264Encoder
from ws_service.video.loop import EncodedLoop
from ws_service.video.packet import Packet
from ws_service.video.splicer import Splicer

LENGTHS = {"idle_0": 100, "speaking_0": 50, "action_1": 30}


class Decision(NamedTuple):
    """Who makes the packet, and whether it is an IDR."""

    from_loop: bool
    keyframe: bool


LOOP_IDR, LOOP, IDR, P = Decision(True, True), Decision(True, False), Decision(False, True), Decision(False, False)


def decide(splicer: Splicer, video: str, index: int, *, needs_picture: bool, all_intra: bool = False) -> Decision:
    """As a video source asks: the loop first, where no mouth is painted, else the encoder."""
    if not needs_picture and splicer.takes_loop(video, index):
        return Decision(True, all_intra or index % 25 == 0)
    return Decision(False, splicer.encodes())


# runs of ticks: stay on a video, with or without a mouth; enter it at any index
RUNS = st.lists(
    st.tuples(st.sampled_from(sorted(LENGTHS)), st.integers(0, 99), st.integers(1, 70), st.booleans()), max_size=8
)


def ticks(runs: list[tuple[str, int, int, bool]]) -> list[tuple[str, int, bool]]:
    return [
        (video, (start + n) % LENGTHS[video], needs_picture)
        for video, start, count, needs_picture in runs
        for n in range(count)
    ]


@settings(max_examples=200)
@given(RUNS, st.booleans(), st.sets(st.integers(0, 200), max_size=4))
def test_any_sequence_of_ticks_gives_a_stream_that_decodes(
    runs: list[tuple[str, int, int, bool]], all_intra: bool, losses: set[int]
) -> None:
    splicer = Splicer(all_intra=all_intra)
    since_idr = None  # of the stream that a client sees
    previous: tuple[object, ...] | None = None
    for number, (video, index, needs_picture) in enumerate(ticks(runs)):
        decision = decide(splicer, video, index, needs_picture=needs_picture, all_intra=all_intra)
        if needs_picture:
            assert not decision.from_loop
        if decision.from_loop:
            assert decision.keyframe == (all_intra or index % 25 == 0), "a loop's packet is what it is"
            refers_to: tuple[object, ...] = (video, index - 1)
            previous_now: tuple[object, ...] = (video, index)
        else:
            refers_to = previous_now = ("encoder",)
        if all_intra:
            assert decision.keyframe
        if not decision.keyframe:
            assert previous == refers_to, "a P picture refers to the packet just before it"
        since_idr = 1 if decision.keyframe else (since_idr or 99) + 1
        assert since_idr <= 25
        previous = previous_now
        if number in losses:
            splicer.lost()
            previous = None


def test_idle_takes_every_packet_from_the_loop() -> None:
    splicer = Splicer()
    decisions = [decide(splicer, "idle_0", n % 100, needs_picture=False) for n in range(250)]
    assert decisions == [LOOP_IDR if n % 25 == 0 else LOOP for n in range(250)]


def test_speech_starts_with_an_idr_and_the_loop_comes_back_at_its_next_group() -> None:
    splicer = Splicer()
    made = [decide(splicer, "idle_0", n, needs_picture=10 <= n < 30) for n in range(60)]
    assert made[:10] == [LOOP_IDR] + [LOOP] * 9
    assert made[10:35] == [IDR] + [P] * 24
    assert made[35:50] == [IDR] + [P] * 14
    assert made[50:] == [LOOP_IDR] + [LOOP] * 9


def test_a_loop_entered_in_the_middle_is_encoded_until_its_group_starts() -> None:
    splicer = Splicer()
    made = [decide(splicer, "idle_0", n, needs_picture=False) for n in range(20, 27)]
    assert made == [IDR, P, P, P, P, LOOP_IDR, LOOP]


def test_another_loop_at_the_next_index_is_not_the_same_loop() -> None:
    splicer = Splicer()
    assert splicer.takes_loop("idle_0", 0)
    assert not splicer.takes_loop("idle_1", 1)
    assert splicer.takes_loop("idle_0", 1)
    assert not splicer.takes_loop("idle_0", 3)
    assert splicer.takes_loop("idle_1", 25)


def test_a_loop_that_was_refused_leaves_the_encoders_group_open() -> None:
    splicer = Splicer()
    assert splicer.encodes()
    assert not splicer.takes_loop("idle_0", 1)
    assert not splicer.encodes()


def test_after_a_loss_everything_starts_anew() -> None:
    splicer = Splicer()
    assert splicer.encodes()
    splicer.lost()
    assert splicer.encodes()
    assert splicer.takes_loop("idle_0", 0)
    splicer.lost()
    assert not splicer.takes_loop("idle_0", 1)


@pytest.fixture(scope="module", params=[False, True], ids=["groups", "all_intra"])
def loops(request: pytest.FixtureRequest) -> tuple[bool, dict[str, EncodedLoop], dict[str, np.ndarray]]:
    pictures = {"idle_0": head(100, speaking=False), "speaking_0": head(60)[:50], "action_1": head(60)[25:55]}
    return (
        request.param,
        {name: EncodedLoop(name, p, all_intra=request.param) for name, p in pictures.items()},
        pictures,
    )


@settings(max_examples=6)
@given(runs=RUNS)
def test_ffmpeg_decodes_every_packet_of_a_spliced_stream(
    loops: tuple[bool, dict[str, EncodedLoop], dict[str, np.ndarray]], runs: list[tuple[str, int, int, bool]]
) -> None:
    all_intra, encoded, pictures = loops
    splicer = Splicer(all_intra=all_intra)
    encoder: H264Encoder | None = None
    packets: list[Packet] = []
    shown = []
    for video, index, needs_picture in ticks(runs)[:150]:
        picture = pictures[video][index]
        if needs_picture:
            picture = picture.copy()
            picture[300:340, 200:300] = 200
        decision = decide(splicer, video, index, needs_picture=needs_picture, all_intra=all_intra)
        if decision.from_loop:
            packets.append(encoded[video].packets[index])
            encoder = None  # as the service does: the next speech opens a new one
        else:
            encoder = encoder or H264Encoder(all_intra=all_intra)
            packets.append(encoder.encode(picture, decision.keyframe))
        assert packets[-1].keyframe == decision.keyframe
        shown.append(picture)
    assert all(bitstream.faults(packet.data) == [] for packet in packets)
    for picture, decoded in zip(shown, decode_strictly(packets), strict=True):
        assert psnr_db(picture, decoded) > 33
