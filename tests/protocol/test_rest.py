import pytest
from pydantic import ValidationError

from protocol.rest import Health, Problem, Ready, ServiceFigures, SessionFigures, Sessions

SESSION = SessionFigures(
    session_id="s", user_id="u", avatar="default", state="idle", base_video="idle_0",
    connected_s=1.5, frames_sent=37, frames_late=0, frames_dropped=0, generated=0,
)  # fmt: skip


def test_health_says_ok() -> None:
    assert Health().model_dump() == {"status": "ok"}


def test_what_is_not_ready_says_why() -> None:
    body = Ready(ready=False, reasons=["the engine is loading"])
    assert Ready.model_validate_json(body.model_dump_json()) == body


def test_sessions_come_back_as_they_were() -> None:
    service = ServiceFigures(uptime_s=3.0, engine={"name": "light"})
    body = Sessions(active=1, limit=400, speaking=0, sessions=[SESSION], service=service)
    assert Sessions.model_validate_json(body.model_dump_json()) == body


def test_counts_are_not_negative_and_states_are_known() -> None:
    for wrong in ({"frames_sent": -1}, {"connected_s": -0.1}, {"state": "asleep"}):
        with pytest.raises(ValidationError):
            SessionFigures.model_validate(SESSION.model_dump() | wrong)


def test_a_problem_has_an_error_status() -> None:
    assert Problem(title="Not Found", status=404).type == "about:blank"
    with pytest.raises(ValidationError):
        Problem(title="fine", status=200)
