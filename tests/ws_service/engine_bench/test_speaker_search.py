import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.engine_bench.speaker_search import SpeakerSearch


def run(carries: int, first: int, limit: int) -> tuple[int, list[int]]:
    """The answer and the numbers tested, for a service that carries so many."""
    search, tested = SpeakerSearch(first, limit), []
    while (speakers := search.next) is not None:
        tested.append(speakers)
        search.tell(speakers, speakers <= carries)
    return search.passed, tested


@given(carries=st.integers(0, 300), first=st.integers(1, 64), limit=st.integers(64, 256))
def test_the_largest_number_that_passes_is_found_and_none_is_tested_twice(carries, first, limit) -> None:
    found, tested = run(carries, first, limit)
    assert found == min(carries, limit)
    assert len(tested) == len(set(tested))
    assert max(tested) <= limit


def test_it_doubles_and_then_halves_the_distance() -> None:
    assert run(21, 4, 128) == (21, [4, 8, 16, 32, 24, 20, 22, 21])


@pytest.mark.parametrize(("carries", "tested"), [(30, [20]), (0, [20, 10, 5, 2, 1])])
def test_a_service_that_says_how_many_it_takes_is_tested_with_these_first(carries, tested) -> None:
    assert run(carries, 20, 20) == (min(carries, 20), tested)
