"""Earliest deadline first, nobody starved, nothing computed for those who have left."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ws_service.generation.batch_policy import BatchPolicy

SLACK_S = 0.016


@dataclass(eq=False)
class Job:
    """`number`: in the order of adding."""

    deadline_s: float
    number: int = 0
    dropped: bool = False


def filled(max_batch: int, *deadlines_s: float) -> tuple[BatchPolicy[Job], list[Job]]:
    policy: BatchPolicy[Job] = BatchPolicy(max_batch, SLACK_S)
    jobs = [Job(deadline_s, number) for number, deadline_s in enumerate(deadlines_s)]
    for job in jobs:
        policy.add(job)
    return policy, jobs


def test_nothing_waits_so_nothing_starts():
    policy, _ = filled(4)
    assert policy.starts_s() is None
    assert policy.take() == []


def test_a_batch_that_is_not_full_waits_for_company_until_its_first_deadline_is_near():
    policy, _ = filled(4, 10.5, 10.2, 10.9)
    assert policy.starts_s() == pytest.approx(10.2 - SLACK_S)


def test_a_full_batch_starts_at_once():
    policy, _ = filled(2, 10.5, 10.2)
    assert policy.starts_s() == 0


def test_the_most_urgent_go_first_and_equals_in_the_order_they_came():
    policy, _ = filled(3, 5.0, 1.0, 5.0, 3.0, 1.0)
    assert [job.number for job in policy.take()] == [1, 4, 3]
    assert [job.number for job in policy.take()] == [0, 2]
    assert len(policy) == 0


def test_a_dropped_job_neither_starts_a_batch_nor_takes_a_place_in_one():
    policy, jobs = filled(2, 1.0, 2.0, 3.0)
    jobs[0].dropped = jobs[1].dropped = True
    assert policy.starts_s() == pytest.approx(3.0 - SLACK_S)
    assert policy.take() == [jobs[2]]


def test_what_was_dropped_at_the_last_moment_is_not_taken():
    policy, jobs = filled(2, 1.0, 2.0, 3.0)
    jobs[0].dropped = True
    assert policy.take() == jobs[1:]


def test_when_all_are_dropped_nothing_waits():
    policy, jobs = filled(2, 1.0, 2.0, 3.0)
    for job in jobs:
        job.dropped = True
    assert policy.starts_s() is None
    assert len(policy) == 0


@given(st.lists(st.floats(0, 100, allow_nan=False), max_size=40), st.integers(1, 8))
def test_batches_taken_one_after_another_hold_every_job_once_by_deadline(deadlines_s, max_batch):
    policy, jobs = filled(max_batch, *deadlines_s)
    taken = []
    while batch := policy.take():
        assert len(batch) <= max_batch
        taken += batch
    assert taken == sorted(jobs, key=lambda job: (job.deadline_s, job.number))


@given(st.integers(2, 30), st.integers(1, 4), st.integers(20, 80))
def test_sessions_that_ask_again_and_again_all_get_their_turn(sessions, max_batch, rounds):
    """An overloaded engine: each session asks for its next frame as soon as it has one, due 40 ms later."""
    policy, jobs = filled(max_batch, *(0.04 + n * 0.001 for n in range(sessions)))
    owner = {id(job): n for n, job in enumerate(jobs)}
    got = [0] * sessions
    kept = list(jobs)
    for now in range(rounds):
        for job in policy.take():
            session = owner[id(job)]
            got[session] += 1
            again = Job(job.deadline_s + 0.04, len(kept) + now)
            kept.append(again)
            owner[id(again)] = session
            policy.add(again)
    assert max(got) - min(got) <= 1


class PolicyMachine(RuleBasedStateMachine):
    """Against a plain list that is sorted each time."""

    def __init__(self) -> None:
        super().__init__()
        self.policy: BatchPolicy[Job] = BatchPolicy(3, SLACK_S)
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
        batch = self.policy.take()
        assert batch == expected
        assert not any(job.dropped for job in batch)

    @invariant()
    def says_when_to_start(self) -> None:
        if not self.model:
            assert self.policy.starts_s() is None
        elif len(self.model) >= 3:
            assert self.policy.starts_s() == 0
        else:
            assert self.policy.starts_s() == min(job.deadline_s for job in self.model) - SLACK_S


TestPolicyMachine = PolicyMachine.TestCase
