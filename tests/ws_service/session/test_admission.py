"""Who may come in, under which id, and how all are asked to leave."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codes import CloseCode, CloseReason, ErrorCode
from ws_service.errors import AtCapacity, NotReady, ServiceError
from ws_service.metrics import Counts
from ws_service.session.admission import Admission

CLIENTS_ID = "6F9619FF-8B86-D011-B42D-00C04FC964FF"


class Visitor:
    """A session as the register sees it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.asked: list[CloseReason] = []
        self.told: list[tuple[CloseCode, ServiceError]] = []

    def leave(
        self, reason: CloseReason, code: CloseCode = CloseCode.GOING_AWAY, error: ServiceError | None = None
    ) -> None:
        self.asked.append(reason)
        if error is not None:
            self.told.append((code, error))


def test_each_session_gets_a_uuid_of_its_own():
    admission = Admission(10)
    ids = {admission.enter(Visitor()) for _ in range(10)}
    assert len(ids) == 10
    assert all(str(UUID(one)) == one for one in ids)
    assert admission.active == 10


def test_at_the_limit_the_next_is_refused_with_4429_and_comes_in_when_one_has_left():
    admission = Admission(1)
    admission.check()
    first = admission.enter(Visitor())
    with pytest.raises(AtCapacity) as refused:
        admission.check()
    assert refused.value.close_code == CloseCode.AT_CAPACITY == 4429
    assert refused.value.code == ErrorCode.RATE_LIMIT_EXCEEDED
    assert admission.sessions_refused == 1
    admission.exit(first)
    admission.check()


def test_a_clients_uuid_is_taken_as_it_was_written():
    admission = Admission(10)
    assert admission.rename(admission.enter(Visitor()), CLIENTS_ID) == CLIENTS_ID
    assert list(admission.sessions) == [CLIENTS_ID]


def test_the_same_session_may_ask_for_its_own_id_again():
    admission = Admission(10)
    session_id = admission.rename(admission.enter(Visitor()), CLIENTS_ID)
    assert admission.rename(session_id, CLIENTS_ID) == CLIENTS_ID


@pytest.mark.parametrize("wanted", [CLIENTS_ID, CLIENTS_ID.lower(), CLIENTS_ID.replace("-", "")])
def test_an_id_in_use_by_another_connection_is_not_given_twice_however_it_is_written(wanted):
    admission = Admission(10)
    admission.rename(admission.enter(Visitor()), CLIENTS_ID)
    given_id = admission.rename(admission.enter(Visitor()), wanted)
    assert given_id.lower() != CLIENTS_ID.lower()
    assert UUID(given_id)
    assert admission.active == 2


@pytest.mark.parametrize("wanted", [None, "", "session-1", CLIENTS_ID + "0", CLIENTS_ID[:-1] + "g", "../" + CLIENTS_ID])
def test_what_is_no_uuid_is_replaced_by_one(wanted):
    admission = Admission(10)
    given_id = admission.rename(admission.enter(Visitor()), wanted)
    assert given_id != wanted
    assert UUID(given_id)


def test_an_id_is_free_again_when_its_session_has_ended():
    admission = Admission(10)
    admission.exit(admission.rename(admission.enter(Visitor()), CLIENTS_ID))
    assert admission.rename(admission.enter(Visitor()), CLIENTS_ID) == CLIENTS_ID


def test_a_drain_asks_everyone_to_leave_and_lets_nobody_in():
    admission, visitors = Admission(10), [Visitor() for _ in range(3)]
    for visitor in visitors:
        admission.enter(visitor)
    admission.drain()
    assert [visitor.asked for visitor in visitors] == [[CloseReason.SERVER_SHUTDOWN]] * 3
    with pytest.raises(NotReady):
        admission.check()


def test_totals_hold_what_ended_sessions_did_and_what_open_ones_did_so_far():
    admission, ended, open_one = Admission(10), Visitor(), Visitor()
    ended.counts.frames_sent, open_one.counts.frames_sent = 100, 7
    admission.exit(admission.enter(ended))
    admission.enter(open_one)
    assert admission.totals().frames_sent == 107
    assert admission.sessions_total == 2
    assert admission.totals().frames_sent == 107, "asking does not count twice"


@given(st.lists(st.tuples(st.sampled_from(["enter", "rename", "exit"]), st.integers(0, 20)), max_size=60))
def test_whatever_happens_the_register_holds_each_open_session_once(steps):
    admission, wanted = Admission(1000), [str(uuid4()) for _ in range(5)]
    open_ones: dict[Visitor, str] = {}
    for step, number in steps:
        if step == "enter":
            visitor = Visitor()
            open_ones[visitor] = admission.enter(visitor)
        elif open_ones:
            visitor = list(open_ones)[number % len(open_ones)]
            if step == "exit":
                admission.exit(open_ones.pop(visitor))
            else:
                open_ones[visitor] = admission.rename(open_ones[visitor], wanted[number % 5])
        assert admission.sessions == {session_id: visitor for visitor, session_id in open_ones.items()}
        assert len(set(open_ones.values())) == len(open_ones)


def test_a_failure_of_the_service_is_told_to_everyone_with_the_request_to_come_back():
    admission, visitors = Admission(10), [Visitor(), Visitor()]
    for visitor in visitors:
        admission.enter(visitor)
    failure = NotReady("the engine is lost")
    admission.drain(failure)
    admission.drain()
    for visitor in visitors:
        assert visitor.asked[0] == CloseReason.ERROR
        assert visitor.told == [(CloseCode.SERVICE_RESTART, failure)]
    with pytest.raises(NotReady):
        admission.check()
