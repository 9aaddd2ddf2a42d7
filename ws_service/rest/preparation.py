"""POST /avatars/prepare and the jobs that come of it. Reads forms, writes answers; the rest is the jobs' own."""

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from protocol.rest import Job as JobBody
from protocol.rest import Jobs, JobThumbnail, PrepareForm, RestModel
from protocol.timing import USER_ID_PATTERN
from ws_service.avatars.job_queue import Job
from ws_service.avatars.preparation_jobs import PreparationJobs, Recording
from ws_service.errors import ServiceError
from ws_service.origins import may_come_from
from ws_service.rest.upload import FormFields, read_form

_BASE_VIDEOS = tuple(  # actions count from 1, as clients ask for them by number
    f"{kind}_{number}" for kind, first in (("idle", 0), ("speaking", 0), ("action", 1)) for number in range(first, 10)
)
_FILES = ("image_file", "video_file", "recording_file", *_BASE_VIDEOS)
_FIELDS = FormFields(files=_FILES, texts=PrepareForm.model_fields)
_STEADYING = ("box_filter", "scale_lock", "tracking")
_TELL_EVERY_S = 0.9  # a second at most, on a busy machine, too
_MEGABYTE = 1_000_000

# fields that other services know, and why they change nothing here
_WITHOUT_EFFECT = {
    "batch_size": "batch_size has no effect: one frame is prepared after the other",
    "bbox_shift": "bbox_shift has no effect: where the mouth is comes from the landmarks of the whole face",
}


@dataclass(frozen=True)
class PreparationRoutes:
    """The routes over one service's jobs."""

    jobs: PreparationJobs
    cors_origins: list[str]
    max_upload_bytes: int

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/avatars/prepare", self.prepare, methods=["POST"]),
            Route("/prepare_avatar/{user_id}", self.prepare, methods=["POST"]),
            Route("/jobs", self.list_jobs),
            Route("/jobs/{job_id}", self.job, methods=["GET", "DELETE"]),
            Route("/jobs/{job_id}/events", self.events),
        ]

    async def prepare(self, request: Request) -> Response:
        """Take a photo or a video of a face; the avatar is prepared in the background."""
        origin = request.headers.get("origin")
        # a page of another origin may post a form unasked
        if origin is not None and not may_come_from(origin, request.headers.get("host", ""), self.cors_origins):
            raise HTTPException(403, f"Origin {origin} is not one of CORS_ORIGINS")
        named = request.path_params.get("user_id")
        if named is not None and not re.fullmatch(USER_ID_PATTERN, named):
            raise HTTPException(400, f"user_id must match {USER_ID_PATTERN}")

        async def receive(folder: Path) -> Recording:
            return _recording(folder, await read_form(request, _FIELDS, folder, self.max_upload_bytes), named)

        try:
            job = await self.jobs.submit(receive)
        except ServiceError as error:
            raise _problem(error) from None
        return _json(self._body(job), 202, {"location": f"/jobs/{job.job_id}"})

    async def list_jobs(self, _: Request) -> Response:
        """All jobs that are known."""
        jobs = [self._body(job) for job in self.jobs.jobs()]
        return _json(Jobs(jobs=jobs, waiting_limit=self.jobs.max_waiting))

    async def job(self, request: Request) -> Response:
        """One job. DELETE ends it and removes what there is of it; an avatar that is prepared stays."""
        job = self._find(request)
        if request.method == "DELETE":
            await self.jobs.cancel(job.job_id)
        return _json(self._body(job))

    async def events(self, request: Request) -> Response:
        """A job's server-sent events, until it has ended; HEAD is answered at once."""
        job = self._find(request)
        return StreamingResponse(
            () if request.method == "HEAD" else self._stream(job),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _stream(self, job: Job) -> AsyncIterator[str]:
        """The job each time that it changes and at least each second; a thumbnail when there is a new one."""
        shown = ""
        while True:
            seen = job.changes
            if job.thumbnail != shown:
                shown = job.thumbnail
                thumbnail = JobThumbnail(job_id=job.job_id, data_url=f"data:image/jpeg;base64,{shown}")
                yield _event("thumbnail", thumbnail)
            yield _event("job", self._body(job))
            if job.state.has_ended:
                return
            await self.jobs.change(job, seen, _TELL_EVERY_S)

    def _find(self, request: Request) -> Job:
        try:
            return self.jobs.job(request.path_params["job_id"])
        except ServiceError as error:
            raise _problem(error) from None

    def _body(self, job: Job) -> JobBody:
        now_s = monotonic()
        ended_s = job.ended_s if job.ended_s is not None else now_s
        started_s = job.started_s if job.started_s is not None else ended_s
        peak_bytes = job.peak_memory_bytes
        return JobBody(
            job_id=job.job_id,
            avatar_id=job.request.avatar_id,
            state=job.state.value,
            stage=job.progress.stage,
            percent=round(100 * job.progress.fraction, 1),
            frames_per_second=job.progress.frames_per_second,
            jobs_ahead=self.jobs.ahead_of(job),
            waited_s=round(started_s - job.queued_s, 3),
            running_s=round(ended_s - started_s, 3),
            peak_memory_mb=round(peak_bytes / _MEGABYTE, 1) if peak_bytes else None,
            error=job.error,
            remarks=list(job.remarks),
        )


def _recording(folder: Path, texts: dict[str, str], named: str | None) -> Recording:
    """What the form asks for. Raises `HTTPException`."""
    given = {field: text for field, text in texts.items() if text != ""}  # as browsers send what was left empty
    if named is not None and given.setdefault("avatar_id", named) != named:
        raise HTTPException(400, "avatar_id: is not the one in the path")
    try:
        form = PrepareForm.model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise HTTPException(400, f"{'.'.join(str(part) for part in wrong['loc'])}: {wrong['msg']}") from None
    sources = {field: folder / field for field in _FILES if (folder / field).exists()}
    if empty := [field for field, file in sources.items() if not file.stat().st_size]:
        raise HTTPException(400, f"{empty[0]}: the file is empty")
    if len(sources) != 1 and not (sources and set(sources) <= set(_BASE_VIDEOS)):
        raise HTTPException(400, "Send image_file, video_file, recording_file, or base videos by name: one of these")
    if "idle_0" not in sources and set(sources) <= set(_BASE_VIDEOS):
        raise HTTPException(400, "idle_0 is missing: what is shown while nobody speaks")
    remarks = tuple(remark for field, remark in _WITHOUT_EFFECT.items() if getattr(form, field) is not None)
    if "image_file" in sources:
        remarks += tuple(f"{way} has no effect: a photo does not shake" for way in _STEADYING if way in given)
    steadying = {way: getattr(form, way) for way in _STEADYING}
    return Recording(form.avatar_id, sources, form.force_recreate, remarks, _actions(form, sources), steadying)


def _actions(form: PrepareForm, sources: Collection[str]) -> dict[str, tuple[float, float]]:
    """The marked times by name, in seconds. Raises `HTTPException`."""
    found: dict[str, tuple[float, float]] = {}
    for text in form.actions.split(",") if form.actions else ():
        name, _, times = text.partition("=")
        start, _, end = times.partition("-")
        if name in found:
            raise HTTPException(400, f"actions: {name} is given twice")
        found[name] = (float(start), float(end))
    if found and "recording_file" not in sources:
        raise HTTPException(400, "actions: marked times are of a recording_file; other videos come by name")
    return found


def _event(name: str, body: RestModel) -> str:
    return f"event: {name}\ndata: {body.model_dump_json()}\n\n"


def _problem(error: ServiceError) -> HTTPException:
    headers = {"retry-after": "10"} if error.http_status == 429 else None
    return HTTPException(error.http_status, error.message, headers)


def _json(body: RestModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
