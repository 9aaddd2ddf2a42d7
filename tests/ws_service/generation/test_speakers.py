"""Places for speakers: full rate, half rate, refused; and the load even over ticks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codes import ErrorCode
from ws_service.errors import SpeakersFull
from ws_service.generation.speakers import SpeakerPlace, Speakers


def speaking(count: int, full_rate: int | None) -> tuple[Speakers, list[SpeakerPlace]]:
    speakers = Speakers()
    speakers.full_rate = full_rate
    return speakers, [speakers.enter() for _ in range(count)]


def generated(places: list[SpeakerPlace], ticks: int, phases_s: list[float] | None = None) -> list[list[bool]]:
    """One row a tick: whose frame is generated."""
    phases_s = phases_s or [0.001 * n for n in range(len(places))]
    return [
        [place.generates(1000 + 0.04 * tick + phase) for place, phase in zip(places, phases_s, strict=True)]
        for tick in range(ticks)
    ]


def test_up_to_the_full_rate_every_frame_is_generated():
    speakers, places = speaking(4, 4)
    assert not speakers.at_half_rate
    assert all(all(row) for row in generated(places, 10))


def test_beyond_it_every_second_frame_of_each_is():
    speakers, places = speaking(5, 4)
    assert speakers.at_half_rate
    rows = generated(places, 10)
    for mine in zip(*rows, strict=True):
        assert all(one != next_one for one, next_one in pairwise(mine))


def test_half_of_them_have_their_turn_in_each_tick():
    _, places = speaking(64, 32)
    assert [sum(row) for row in generated(places, 6, [0.0] * 64)] == [32] * 6


def test_beyond_twice_as_many_new_speech_is_refused_and_a_place_given_up_is_free():
    speakers, places = speaking(8, 4)
    with pytest.raises(SpeakersFull) as refused:
        speakers.enter()
    assert refused.value.code == ErrorCode.RATE_LIMIT_EXCEEDED
    assert refused.value.close_code is None
    assert refused.value.details == {"speakers_limit": 8}
    assert speakers.refused_total == 1
    places[3].leave()
    speakers.enter()
    assert len(speakers) == 8


def test_a_place_is_given_up_once():
    speakers, places = speaking(3, 4)
    places[0].leave()
    places[0].leave()
    assert len(speakers) == 2


def test_when_load_falls_the_full_rate_comes_back():
    speakers, places = speaking(5, 4)
    generated(places, 3)
    places.pop().leave()
    assert not speakers.at_half_rate
    assert all(all(row) for row in generated(places, 4))


def test_nothing_known_of_the_card_means_no_limit():
    speakers, places = speaking(500, None)
    assert speakers.limit is None
    assert all(all(row) for row in generated(places, 2))


def test_a_card_that_shrank_below_its_speakers_serves_them_at_half_rate_and_lets_nobody_in():
    speakers, places = speaking(8, 8)
    speakers.full_rate = 2
    assert all(sum(row) == 4 for row in generated(places, 4, [0.0] * 8))
    with pytest.raises(SpeakersFull):
        speakers.enter()


@given(st.lists(st.booleans(), min_size=3, max_size=60))
def test_whoever_goes_the_turns_of_those_who_stay_become_even_again(stays):
    speakers, places = speaking(len(stays), len(stays))
    speakers.full_rate = 1
    generated(places, 4, [0.0] * len(places))
    for place, stay in zip(places, stays, strict=True):
        if not stay:
            place.leave()
    left = [place for place, stay in zip(places, stays, strict=True) if stay]
    if len(left) > 1:
        rows = generated(left, 5, [0.0] * len(left))
        assert all(abs(2 * sum(row) - len(left)) <= 2 for row in rows[1:])
