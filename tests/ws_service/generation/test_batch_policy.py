"""Earliest deadline first, nobody starved, nothing computed for those who have left."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ws_service.generation.batch_policy import INTERVAL_S, BatchPolicy
from ws_service.generation.batch_times import BatchTimes

SLACK_S = BatchTimes().slack_s(1)
CARD = BatchTimes((1, 2, 4, 8), (0.003, 0.005, 0.009, 0.017))


@dataclass(eq=False)
class Job:
    """`number`: in the order of adding."""

    deadline_s: float
    number: int = 0
    dropped: bool = False
    voice: object = field(default_factory=object)


def filled(*deadlines_s: float, times: BatchTimes | None = None) -> tuple[BatchPolicy[Job], list[Job]]:
    policy: BatchPolicy[Job] = BatchPolicy(times)
    jobs = [Job(deadline_s, number) for number, deadline_s in enumerate(deadlines_s)]
    for job in jobs:
        policy.add(job)
    return policy, jobs


def test_nothing_waits_so_nothing_starts():
    policy, _ = filled()
    assert policy.starts_s(4) is None
    assert policy.take(4) == []


def test_a_batch_that_is_not_full_waits_for_company_until_its_first_deadline_is_near():
    policy, _ = filled(10.5, 10.2, 10.9)
    assert policy.starts_s(4) == pytest.approx(10.2 - SLACK_S)


def test_a_slow_card_starts_sooner_the_more_wait():
    few, _ = filled(10.5, 10.2, times=CARD)
    many, _ = filled(10.5, 10.2, 10.9, 10.9, 10.9, times=CARD)
    assert few.starts_s(8) == pytest.approx(10.2 - (1.25 * 0.005 + 0.004))
    assert many.starts_s(8) == pytest.approx(10.2 - (1.25 * 0.017 + 0.004))


def test_a_full_batch_starts_at_once():
    policy, _ = filled(10.5, 10.2)
    assert policy.starts_s(2) == 0


def test_frames_that_are_all_late_wait_for_each_other():
    policy, _ = filled(9.9)
    policy.started(10.0)
    assert policy.starts_s(4) == pytest.approx(10.0 + INTERVAL_S)
    for deadline_s in (9.8, 9.95, 9.7):
        policy.add(Job(deadline_s))
    assert policy.starts_s(4) == 0, "a full batch goes at once"


def test_an_engine_that_ran_out_of_memory_gets_smaller_batches_from_then_on():
    policy, jobs = filled(*(1.0 + n for n in range(7)))
    assert policy.take(4) == jobs[:4]
    assert policy.starts_s(2) == 0
    assert policy.take(2) == jobs[4:6]


def test_the_most_urgent_go_first_and_equals_in_the_order_they_came():
    policy, _ = filled(5.0, 1.0, 5.0, 3.0, 1.0)
    assert [job.number for job in policy.take(3)] == [1, 4, 3]
    assert [job.number for job in policy.take(3)] == [0, 2]
    assert len(policy) == 0


def test_a_dropped_job_neither_starts_a_batch_nor_takes_a_place_in_one():
    policy, jobs = filled(1.0, 2.0, 3.0)
    jobs[0].dropped = jobs[1].dropped = True
    assert policy.starts_s(2) == pytest.approx(3.0 - SLACK_S)
    assert policy.take(2) == [jobs[2]]


def test_one_that_was_dropped_behind_others_does_not_make_the_batch_full():
    policy, jobs = filled(1.0, 2.0, 3.0)
    jobs[1].dropped = jobs[2].dropped = True
    assert policy.starts_s(2) == pytest.approx(1.0 - SLACK_S)


def test_when_all_are_dropped_nothing_waits():
    policy, jobs = filled(1.0, 2.0, 3.0)
    for job in jobs:
        job.dropped = True
    assert policy.starts_s(2) is None
    assert len(policy) == 0


def test_two_frames_of_one_voice_never_share_a_batch_and_keep_their_order():
    policy, jobs = filled(1.0, 1.5, 2.0, 3.0)
    jobs[1].voice = jobs[2].voice = jobs[0].voice
    assert policy.take(4) == [jobs[0], jobs[3]]
    assert policy.take(4) == [jobs[1]]
    assert policy.take(4) == [jobs[2]]


@given(st.lists(st.floats(0, 100, allow_nan=False), max_size=40), st.integers(1, 8))
def test_batches_taken_one_after_another_hold_every_job_once_by_deadline(deadlines_s, max_batch):
    policy, jobs = filled(*deadlines_s)
    taken = []
    while batch := policy.take(max_batch):
        assert len(batch) <= max_batch
        taken += batch
    assert taken == sorted(jobs, key=lambda job: (job.deadline_s, job.number))


@given(
    phases_ms=st.lists(st.integers(0, 39), min_size=1, max_size=30),
    batch=st.integers(1, 5),
    batch_ms=st.integers(1, 120),
    start_ms=st.integers(0, 40),
    kept=st.booleans(),
)
def test_on_a_card_that_is_far_too_slow_nobody_waits_longer_than_it_takes_to_serve_each_other_once(
    phases_ms, batch, batch_ms, start_ms, kept
):
    """Sessions ask at their ticks; late frames are asked for again, their first deadline kept. In whole ms."""
    policy: BatchPolicy[Job] = BatchPolicy()
    asked: dict[int, Job] = {}
    waited_batches = [0] * len(phases_ms)
    worst = 0
    free_ms, batches = start_ms, 0
    for now_ms in range(4000):
        for session, phase_ms in enumerate(phases_ms):
            if now_ms % 40 != phase_ms:
                continue
            late = asked.get(session)
            if late is not None:  # its tick is over: dropped and asked for again, or left where it is: the same order
                if not kept:
                    late.dropped = True
                    asked[session] = Job(late.deadline_s, session, voice=session)
                    policy.add(asked[session])
            else:
                asked[session] = Job(now_ms + 40, session, voice=session)
                policy.add(asked[session])
                waited_batches[session] = batches
        if now_ms >= free_ms and asked:
            for job in policy.take(batch):
                worst = max(worst, batches - waited_batches[job.number])
                del asked[job.number]
            batches += 1
            free_ms = now_ms + batch_ms
    # whoever asked before or at the same tick may go first, once each; whoever asks later may not
    assert worst <= -(-2 * len(phases_ms) // batch)


class PolicyMachine(RuleBasedStateMachine):
    """Against a plain list that is sorted each time."""

    def __init__(self) -> None:
        super().__init__()
        self.policy: BatchPolicy[Job] = BatchPolicy()
        self.model: list[Job] = []
        self.added = 0

    @rule(deadline_s=st.floats(0, 10, allow_nan=False))
    def add(self, deadline_s: float) -> None:
        job = Job(deadline_s, self.added)
        self.added += 1
        self.policy.add(job)
        self.model.append(job)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.model))
        job.dropped = True
        self.model.remove(job)

    @rule()
    def take(self) -> None:
        self.model.sort(key=lambda job: (job.deadline_s, job.number))
        expected, self.model = self.model[:3], self.model[3:]
        batch = self.policy.take(3)
        assert batch == expected
        assert not any(job.dropped for job in batch)

    @invariant()
    def says_when_to_start(self) -> None:
        if not self.model:
            assert self.policy.starts_s(3) is None
        elif len(self.model) >= 3:
            assert self.policy.starts_s(3) == 0
        else:
            assert self.policy.starts_s(3) == min(job.deadline_s for job in self.model) - SLACK_S


TestPolicyMachine = PolicyMachine.TestCase
