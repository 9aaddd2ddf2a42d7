"""HTTP: is it alive, is it ready, who is connected, what can it do. These routes read figures and change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from time import monotonic
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from protocol.rest import Health, Problem, Ready, RestModel, ServiceFigures, SessionFigures, Sessions
from ws_service.pages.index import index_page
from ws_service.pages.static_files import static_file
from ws_service.session.actor import SessionActor
from ws_service.session.admission import Admission
from ws_service.session.timeline import State


class ServiceState(Protocol):
    """What the routes ask of the service."""

    admission: Admission

    def warnings(self) -> list[str]:
        """What is wrong though sessions can be served."""
        ...

    def not_ready(self) -> list[str]:
        """Why sessions cannot be served now; empty when they can."""
        ...

    def choices(self) -> Mapping[str, str]:
        """Fields of `Health`: engine and video encoder, and why these; what is not chosen yet is left out."""
        ...

    def engine_figures(self) -> Mapping[str, Any]:
        """Name and figures of the engine; empty before it is there."""
        ...


@dataclass(frozen=True)
class Rest:
    """The routes over one service."""

    service: ServiceState
    started_s: float

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/", self.index),
            Route("/health", self.health),
            Route("/ready", self.ready),
            Route("/sessions", self.sessions),
            Route("/static/{name:path}", self.static),
        ]

    async def index(self, _: Request) -> Response:
        """The page."""
        reasons = self.service.not_ready()
        return HTMLResponse(
            index_page(
                version("musetalk-stream"), self.service.engine_figures(), reasons, self.service.admission.active
            )
        )

    async def health(self, _: Request) -> Response:
        """The process is alive; what it chose to run, and why."""
        return _json(Health(**self.service.choices()))

    async def ready(self, _: Request) -> Response:
        """Sessions can be served, or why not."""
        reasons = self.service.not_ready()
        told = [*reasons, *self.service.warnings()]
        body = Ready(ready=not reasons, reasons=told, engine=dict(self.service.engine_figures()))
        return _json(body, 503 if reasons else 200)

    async def sessions(self, _: Request) -> Response:
        """Open sessions and the service's figures."""
        admission = self.service.admission
        now_s = monotonic()
        rows = [_row(s) for s in admission.sessions.values() if isinstance(s, SessionActor)]
        total = admission.totals()
        body = Sessions(
            active=admission.active,
            limit=admission.max_sessions,
            speaking=sum(row.state == State.SPEAKING.value for row in rows),
            draining=admission.draining,
            sessions=rows,
            service=ServiceFigures(
                uptime_s=round(now_s - self.started_s, 3),
                version=version("musetalk-stream"),
                engine=dict(self.service.engine_figures()),
                sessions_total=admission.sessions_total,
                frames_sent_total=total.frames_sent,
                frames_generated_total=total.frames_generated,
                frames_late_total=total.frames_late,
                frames_dropped_total=total.frames_dropped,
            ),
        )
        return _json(body)

    async def static(self, request: Request) -> Response:
        """A part of the page, or of the JavaScript client."""
        found = static_file(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found.content, media_type=found.media_type, headers={"cache-control": found.cache_control})


async def problem(_: Request, error: Exception) -> Response:
    """HTTP errors as `application/problem+json`."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    body = Problem(title=phrase, status=error.status_code, detail=error.detail if error.detail != phrase else "")
    return Response(
        body.model_dump_json(), error.status_code, headers=error.headers, media_type="application/problem+json"
    )


async def fault(request: Request, _: Exception) -> Response:
    """What nobody expected, without its insides; the server logs it, since Starlette raises it once more."""
    return await problem(request, HTTPException(500, "The service has a fault here; its log says which"))


def _row(session: SessionActor) -> SessionFigures:
    counts = session.counts
    return SessionFigures(
        session_id=session.session_id,
        user_id=session.user_id,
        avatar=session.avatar_name,
        state=session.conversation.state.value,
        base_video=session.conversation.timeline.base_video,
        connected_s=round(session.age_s, 3),
        frames_sent=counts.frames_sent,
        frames_late=counts.frames_late,
        frames_dropped=counts.frames_dropped,
        generated=counts.frames_generated,
    )


def _json(body: RestModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")
