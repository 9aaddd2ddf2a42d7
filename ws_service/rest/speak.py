"""POST /speak and GET /voices: text for the service's own voice. Finds the session; the rest is the narrator's."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from protocol.rest import SpeakAccepted, SpeakRequest, Voice, Voices
from ws_service.errors import NoVoice, ServiceError, SessionAmbiguous, SessionNotFound
from ws_service.session.actor import SessionActor
from ws_service.session.admission import Admission, same_id
from ws_service.session.narrator import Narrator
from ws_service.speech.synthesizer import VoiceList

_MAX_QUOTED_CHARS = 64
MAX_BODY_BYTES = 262_144  # the longest text, with every character escaped


@dataclass(frozen=True)
class SpeakRoutes:
    """The routes over one voice and the open sessions."""

    admission: Admission
    narrator: Narrator

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [Route("/speak", self.speak, methods=["POST"]), Route("/voices", self.voices)]

    async def speak(self, request: Request) -> Response:
        """Speak a text in an open session."""
        wanted = await _read(request)
        try:
            voice = await self.narrator.synthesizer.check(wanted.voice)
            actors = {k: s for k, s in self.admission.sessions.items() if isinstance(s, SessionActor)}
            session = find_session(actors, wanted)
            accepted = await self.narrator.speak(session, wanted.text, voice, interrupt=wanted.interrupt)
        except ServiceError as error:
            raise HTTPException(error.http_status, error.message) from None
        body = SpeakAccepted(
            session_id=session.session_id,
            utterance_id=accepted.utterance_id,
            voice=voice,
            interrupted=accepted.interrupted,
        )
        return Response(body.model_dump_json(), 202, media_type="application/json")

    async def voices(self, _: Request) -> Response:
        """The voices that can be asked for."""
        synthesizer, reason = self.narrator.synthesizer, ""
        try:
            listed = await synthesizer.voices()
        except NoVoice as missing:  # no error: a page that asks what there is has done nothing wrong
            listed, reason = VoiceList("", ()), missing.message
        rows = [Voice(name=v.name, language=v.language, description=v.description) for v in listed.voices]
        body = Voices(
            synthesizer=synthesizer.name,
            default=listed.default,
            voices=rows,
            complete=listed.complete,
            remark=listed.remark,
            reason=reason,
        )
        return Response(body.model_dump_json(), media_type="application/json")


def find_session(sessions: Mapping[str, SessionActor], wanted: SpeakRequest) -> SessionActor:
    """The one open session that `session_id` and `user_id` leave; without either, the only one there is.

    Raises `SessionNotFound`, or `SessionAmbiguous` when there are several.
    """
    found = [
        session
        for session_id, session in sessions.items()
        if (wanted.session_id is None or same_id(session_id, wanted.session_id))
        and (wanted.user_id is None or session.user_id == wanted.user_id)
    ]
    if not found:
        raise SessionNotFound("There is no such session open; GET /sessions lists them")
    if len(found) > 1:
        raise SessionAmbiguous(f"{len(found)} sessions are open that may be meant; say which by session_id")
    return found[0]


async def _read(request: Request) -> SpeakRequest:
    """The body. Raises `HTTPException`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # a page of another origin may post plain text unasked, but JSON only where CORS_ORIGINS allows it
        raise HTTPException(415, "The body must be application/json")
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(413, f"The body is longer than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "The body ended early") from None
    try:
        return SpeakRequest.model_validate_json(bytes(body))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in wrong["loc"])
        if wrong["type"] == "extra_forbidden":
            allowed = ", ".join(SpeakRequest.model_fields)
            raise HTTPException(
                400, f"{path[:_MAX_QUOTED_CHARS]}: there is no such field; allowed are {allowed}"
            ) from None
        raise HTTPException(400, f"{path}: {wrong['msg']}" if path else wrong["msg"]) from None
