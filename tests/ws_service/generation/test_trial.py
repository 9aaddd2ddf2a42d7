"""Measuring an engine that breaks meanwhile, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from models.prepared_avatar import PreparedAvatar
from tests.fakes.avatars import make_avatar
from tests.virtual_time import run_virtual
from ws_service.errors import ProcessingFailed
from ws_service.generation.trial import measure


class Card:
    """An engine and what measures it. `fate`: what becomes of the engine in each measurement, in order."""

    def __init__(self, *fate: Callable[["Card"], None]) -> None:
        self.fate = list(fate)
        self.state = "running"
        self.rebuilds = 0
        self.measured: list[str] = []

    async def measure(self, avatar: PreparedAvatar) -> None:
        assert self.state == "running", "what is not there cannot be measured"
        self.measured.append(avatar.name)
        await asyncio.sleep(0.1)
        if self.fate:
            self.fate.pop(0)(self)
            raise ProcessingFailed("The engine failed on a trial")

    def runs_again(self) -> None:
        self.state, self.rebuilds = "running", self.rebuilds + 1

    def is_lost(self) -> None:
        self.state = "lost"


def breaks(then: Callable[[Card], None], after_s: float) -> Callable[[Card], None]:
    def fate(card: Card) -> None:
        card.state = "rebuilding"
        asyncio.get_running_loop().call_later(after_s, then, card)

    return fate


def test_an_engine_that_breaks_is_measured_again_when_it_was_made_anew() -> None:
    card = Card(breaks(Card.runs_again, 20.0), Card.runs_again, breaks(Card.runs_again, 1.0))
    run_virtual(measure(card, card, make_avatar("a")))
    assert card.measured == ["a"] * 4
    assert card.rebuilds == 3


def test_one_that_refuses_the_noise_and_goes_on_is_not_tried_again() -> None:
    card = Card(lambda _: None, lambda _: None)
    with pytest.raises(ProcessingFailed):
        run_virtual(measure(card, card, make_avatar()))
    assert len(card.measured) == 1


@pytest.mark.parametrize("fate", [Card.is_lost, breaks(Card.is_lost, 5.0)])
def test_one_that_is_lost_is_not_waited_for(fate: Callable[[Card], None]) -> None:
    card = Card(fate)
    with pytest.raises(ProcessingFailed):
        run_virtual(measure(card, card, make_avatar()))
    assert len(card.measured) == 1
