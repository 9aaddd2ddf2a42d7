"""POST /speak as far as it decides itself: the session that is meant, bodies that are refused, the status of errors."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from protocol.rest import SpeakAccepted, SpeakRequest
from tests.fakes.synthesizer import FakeSynthesizer
from tests.ws_service.session.stage import Stage, in_virtual_time, message
from ws_service.errors import SessionAmbiguous, SessionNotFound
from ws_service.rest.routes import problem
from ws_service.rest.speak import MAX_BODY_BYTES, SpeakRoutes, find_session
from ws_service.session.admission import Admission
from ws_service.session.narrator import Narrator
from ws_service.speech.synthesizer import NoSynthesizer, Synthesizer

A, B, C = (f"a1b2c3d4-0000-4000-8000-00000000000{letter}" for letter in "abc")
OPEN: Any = {key: SimpleNamespace(user_id=user, key=key) for key, user in ((A, "anna"), (B, "anna"), (C, "ben"))}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"session_id": A}, A),
        ({"session_id": A.upper().replace("-", "")}, A),
        ({"user_id": "ben"}, C),
        ({"user_id": "anna", "session_id": B}, B),
        ({"user_id": "anna"}, SessionAmbiguous),
        ({}, SessionAmbiguous),
        ({"user_id": "nobody"}, SessionNotFound),
        ({"user_id": "ben", "session_id": A}, SessionNotFound),
        ({"session_id": "x"}, SessionNotFound),
    ],
)
def test_the_session_is_found_by_its_id_its_user_or_both(wanted: dict[str, str], found: Any) -> None:
    request = SpeakRequest(text="Hello", **wanted)  # type: ignore[arg-type]
    if isinstance(found, str):
        assert find_session(OPEN, request) is OPEN[found]
    else:
        with pytest.raises(found):
            find_session(OPEN, request)


def test_the_only_session_need_not_be_named() -> None:
    assert find_session({A: OPEN[A]}, SpeakRequest(text="Hello")) is OPEN[A]
    with pytest.raises(SessionNotFound):
        find_session({}, SpeakRequest(text="Hello"))


def application(synthesizer: Synthesizer, admission: Admission | None = None) -> Starlette:
    routes = SpeakRoutes(admission or Admission(1), Narrator(synthesizer)).routes()
    return Starlette(routes=routes, exception_handlers={HTTPException: problem})


def client(synthesizer: Synthesizer | None = None, admission: Admission | None = None) -> httpx.AsyncClient:
    app = application(synthesizer or FakeSynthesizer(), admission)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b'{"text": "Hello"}', "text/plain", 415, "application/json"),
        (b"", "application/json", 400, "JSON"),
        (b'{"text"', "application/json", 400, "JSON"),
        (b"[]", "application/json", 400, "object"),
        (b"{}", "application/json", 400, "text: "),
        (b'{"text": "Hello", "interrupt": "yes"}', "application/json", 400, "interrupt: "),
        (
            b'{"text": "Hello", "interupt": true}',
            "application/json",
            400,
            "interupt: there is no such field; allowed are text, voice, session_id, user_id, interrupt",
        ),
        (b'{"text": "\xff"}', "application/json", 400, "JSON"),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413, "longer than"),
        (b'{"text": "Hello", "voice": "nobody"}', "application/json; charset=utf-8", 404, "nobody"),
        (b'{"text": "Hello"}', "application/json", 404, "no such session"),
    ],
)
async def test_what_cannot_be_followed_is_a_problem_that_says_why(
    body: bytes, kind: str, status: int, says: str
) -> None:
    async with client() as http:
        answer = await http.post("/speak", content=body, headers={"content-type": kind})
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


@in_virtual_time
async def test_a_text_that_is_stopped_before_its_first_sound_is_accepted_and_said_to_be_interrupted() -> None:
    async with Stage() as stage:
        synthesizer = FakeSynthesizer(delay_s=0.5)
        async with client(synthesizer, stage.admission) as http:
            stopped = asyncio.create_task(http.post("/speak", json={"text": "Hello"}))
            await stage.ticks(2)
            await stage.say(message("INTERRUPT"))
            spoken = await http.post("/speak", json={"text": "Hello again"})
        for answer, interrupted in ((await stopped, True), (spoken, False)):
            body = SpeakAccepted.model_validate(answer.json())
            assert (answer.status_code, body.interrupted) == (202, interrupted)


async def test_a_caller_that_leaves_in_the_middle_of_its_body_is_no_failure_of_the_service() -> None:
    came = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(came)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/speak", "headers": headers, "query_string": b""}
    await application(FakeSynthesizer())(scope, receive, send)
    assert sent[0]["status"] == 400
    assert b"ended early" in sent[1]["body"]


async def test_without_a_voice_a_text_is_503_and_the_list_is_empty_and_both_say_how_to_get_one() -> None:
    async with client(NoSynthesizer("No voice is installed: do this")) as http:
        refused, listed = await http.post("/speak", json={"text": "Hello"}), await http.get("/voices")
    assert (refused.status_code, refused.json()["title"]) == (503, "Service Unavailable")
    assert refused.json()["detail"] == "No voice is installed: do this"
    assert (listed.status_code, listed.json()["voices"]) == (200, [])
    assert listed.json()["reason"] == "No voice is installed: do this"


async def test_voices_are_listed() -> None:
    async with client() as http:
        answer = await http.get("/voices")
    assert answer.json() == {
        "synthesizer": "fake",
        "default": "anna",
        "voices": [{"name": "anna", "language": "", "description": ""}],
        "complete": True,
        "remark": "",
        "reason": "",
    }
