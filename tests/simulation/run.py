"""Runs a scenario in virtual time and reduces it to figures."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import structlog

from models.prepared_avatar import PreparedAvatar
from protocol.timing import FPS
from tests.fakes.avatars import make_avatar
from tests.simulation.card import Card, CardEngine, CardWorker
from tests.simulation.session import TICK_S, Script, User, users_of
from tests.virtual_time import run_virtual
from ws_service.generation.scheduler import GenerationScheduler
from ws_service.session.admission import Admission

NORMAL_CARD = Card()
LENGTHS = {"idle_1": 100}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`slow`: so many of the users show the avatar that costs more. `together`: they all connect at the same moment."""

    scripts: tuple[Script, ...]
    card: Card = NORMAL_CARD
    slow: int = 0
    together: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was seen. Times are of the virtual clock."""

    users: list[User]
    full_rate: int
    busy_share: float
    batches: list[int]

    @property
    def spoke(self) -> list[User]:
        """Whose speech was taken."""
        return [user for user in self.users if not user.refused]

    @property
    def held(self) -> list[int]:
        """Ticks of each who spoke that showed the last mouth because the engine was late."""
        return [user.actor.counts.frames_held for user in self.spoke if user.actor is not None]

    @property
    def lost_ticks(self) -> int:
        """Deadlines that the sessions' own clocks missed for good."""
        return sum(user.actor.counts.frames_late for user in self.users if user.actor is not None)


def run(scenario: Scenario) -> Outcome:
    """The scenario from the first connect to the last word."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        return run_virtual(_run(scenario))
    finally:
        structlog.reset_defaults()


async def _run(scenario: Scenario) -> Outcome:
    loop = asyncio.get_running_loop()
    engine = CardEngine(scenario.card)
    scheduler = GenerationScheduler(engine, CardWorker(engine), loop.time)
    normal, slow = make_avatar(lengths=LENGTHS), make_avatar("slow", lengths=LENGTHS)
    await scheduler.measure(normal)
    full_rate = scheduler.speakers.full_rate
    assert full_rate is not None
    engine.works_s, began_s = 0.0, loop.time()
    engine.batches.clear()
    avatars: list[PreparedAvatar] = [slow if n < scenario.slow else normal for n in range(len(scenario.scripts))]
    users = users_of(list(scenario.scripts), scheduler, avatars, scenario.seed)
    admission = Admission(max_sessions=1000)
    await asyncio.gather(*(user.run(admission, 0.0 if scenario.together else at_s) for user, at_s in users))
    assert len(scheduler.speakers) == 0, "a place was not given back"
    return Outcome([user for user, _ in users], full_rate, engine.works_s / (loop.time() - began_s), engine.batches)


def crowd(speakers: int, utterance_s: float = 6.0, seed: int = 1, *, burst: bool = False) -> tuple[Script, ...]:
    """So many who begin within a second and speak for a while."""
    random = Random(seed)
    return tuple(Script(0.1 + random.random(), utterance_s, burst=burst) for _ in range(speakers))


def fresh_fps(user: User, from_s: float, to_s: float) -> float:
    """Generated mouths a second that a user saw between two moments in which he spoke, in pairs of ticks."""
    ticks = [shown for shown in user.tally.frames if from_s <= shown.at_s < to_s]
    ticks = ticks[: len(ticks) // 2 * 2]
    return FPS * sum(shown.fresh for shown in ticks) / len(ticks)


def all_speaking(users: Sequence[User]) -> tuple[float, float]:
    """The moments between which all of them spoke, less a few ticks at both ends."""
    begins_s = max(user.tally.started_s[0] for user in users)
    ends_s = min(user.tally.ended_s[0] for user in users)
    return begins_s + 4 * TICK_S, ends_s - 2 * TICK_S
