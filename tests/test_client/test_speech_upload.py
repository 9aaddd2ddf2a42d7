from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_client.speech_upload import Pace, chunks


async def in_pieces(pcm: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    at = 0
    for cut in sorted(cut % (len(pcm) + 1) for cut in cuts):
        yield pcm[at:cut]
        at = cut
    yield pcm[at:]


async def test_a_chunk_of_40_ms_is_1280_bytes_at_16_khz_mono() -> None:
    assert [len(chunk) async for chunk in chunks(bytes(3000), 16_000, 1)] == [1280, 1280, 440]


async def test_a_chunk_follows_rate_channels_and_length() -> None:
    assert [len(chunk) async for chunk in chunks(bytes(4000), 8_000, 2, 100)] == [3200, 800]
    assert [chunk async for chunk in chunks(b"", 16_000, 1)] == []


@given(pcm=st.binary(max_size=5000), cuts=st.lists(st.integers(0, 5000), max_size=8))
async def test_pieces_of_any_length_give_the_same_chunks(pcm: bytes, cuts: list[int]) -> None:
    whole = [chunk async for chunk in chunks(pcm, 16_000, 1)]
    assert [chunk async for chunk in chunks(in_pieces(pcm, cuts), 16_000, 1)] == whole
    assert b"".join(whole) == pcm


async def test_a_chunk_of_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk_ms"):
        await anext(chunks(b"xx", 16_000, 1, 0))


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_pace_is_a_grid_that_begins_at_once() -> None:
    clock = Clock()
    pace = Pace(0.04, clock)
    assert pace.delay_s() == 0
    assert pace.delay_s() == pytest.approx(0.04)
    clock.now_s += 0.05  # slept a little too long: the next wait is shorter
    assert pace.delay_s() == pytest.approx(0.03)


def test_a_late_caller_catches_up() -> None:
    clock = Clock()
    pace = Pace(0.04, clock)
    pace.delay_s()
    clock.now_s += 0.1
    assert [pace.delay_s() for _ in range(3)] == pytest.approx([0, 0, 0.02])


def test_a_caller_late_by_more_than_a_second_begins_a_new_grid() -> None:
    clock = Clock()
    pace = Pace(0.04, clock)
    pace.delay_s()
    clock.now_s += 5.0
    assert [pace.delay_s() for _ in range(2)] == pytest.approx([0, 0.04])
