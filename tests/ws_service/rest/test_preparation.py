"""The routes over real jobs: what they answer, what they refuse, and what an event stream tells."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from ws_service.avatars.job_queue import JobQueue
from ws_service.avatars.preparation_jobs import PreparationJobs
from ws_service.avatars.store import AvatarStore
from ws_service.rest.preparation import _FIELDS, PreparationRoutes
from ws_service.rest.routes import problem

OPENAPI = (Path(__file__).parents[3] / "openapi.yaml").read_text()
NO_PICTURE = {"image_file": ("me.png", b"no picture")}
EXISTING = "ben"


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[PreparationJobs]:
    """Room for two that wait."""
    opened = PreparationJobs(
        AvatarStore(tmp_path),
        JobQueue(max_waiting=2, max_running=1, kept_s=60),
        timeout_s=60,
        memory_bytes=1 << 30,
    )
    yield opened
    await opened.closed()


@pytest.fixture
async def http(jobs: PreparationJobs) -> AsyncIterator[httpx.AsyncClient]:
    routes = PreparationRoutes(jobs, ["https://page.example"], 1_000_000).routes()
    app = Starlette(routes=routes, exception_handlers={HTTPException: problem})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        yield client


async def ended(http: httpx.AsyncClient, location: str) -> dict[str, Any]:
    while (job := (await http.get(location)).json())["state"] in ("queued", "running"):
        await asyncio.sleep(0.02)
    return dict(job)


async def test_a_form_becomes_a_job_that_can_be_asked_for(http: httpx.AsyncClient) -> None:
    form = {"avatar_id": "anna", "batch_size": "8", "bbox_shift": "", "force_recreate": "true"}
    answer = await http.post("/avatars/prepare", data=form, files=NO_PICTURE)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['job_id']}"
    assert (job["avatar_id"], job["state"], job["error"]) == ("anna", "running", None)
    assert [remark.partition(" ")[0] for remark in job["remarks"]] == ["batch_size"], "what has no effect is said"
    waiting = (await http.post("/prepare_avatar/carl", files={"video_file": b"no video"})).json()
    assert (waiting["state"], waiting["jobs_ahead"], waiting["avatar_id"]) == ("queued", 0, "carl")
    listed = (await http.get("/jobs")).json()
    assert [row["avatar_id"] for row in listed["jobs"]] == ["anna", "carl"]
    assert listed["waiting_limit"] == 2
    over = await ended(http, answer.headers["location"])
    assert (over["state"], over["error"][:11]) == ("failed", "image_file:")
    assert over["running_s"] > 0
    assert over["peak_memory_mb"] > 10
    cancelled = await http.delete(f"/jobs/{waiting['job_id']}")
    assert (cancelled.status_code, cancelled.json()["state"] in ("cancelled", "failed")) == (200, True)


@pytest.mark.parametrize(
    ("path", "form", "files", "status", "says"),
    [
        ("/avatars/prepare", {}, NO_PICTURE, 400, "avatar_id: Field required"),
        ("/avatars/prepare", {"avatar_id": "../x"}, NO_PICTURE, 400, "avatar_id: "),
        ("/avatars/prepare", {"avatar_id": "a", "batch_size": "x"}, NO_PICTURE, 400, "batch_size: "),
        ("/avatars/prepare", {"avatar_id": "a", "force_recreate": "maybe"}, NO_PICTURE, 400, "force_recreate: "),
        ("/avatars/prepare", {"avatar_id": "a"}, {"other": b"x"}, 400, "'other' is no field"),
        ("/avatars/prepare", {"avatar_id": "a"}, {"speaking_0": b"x"}, 400, "idle_0 is missing"),
        ("/avatars/prepare", {"avatar_id": "a"}, {"image_file": b""}, 400, "image_file: the file is empty"),
        ("/avatars/prepare", {"avatar_id": "a"}, {"image_file": b"x", "idle_0": b"y"}, 400, "one of these"),
        ("/prepare_avatar/a", {"actions": "action_1=2-4"}, NO_PICTURE, 400, "actions: marked times are of a recording"),
        ("/prepare_avatar/a", {}, {"idle_0": b"x", "action_0": b"x"}, 400, "'action_0' is no field"),
        ("/prepare_avatar/a", {"actions": "action_0=2-4"}, {"recording_file": b"x"}, 400, "actions: "),
        ("/prepare_avatar/a", {"actions": "nod=2-4"}, {"recording_file": b"x"}, 400, "actions: "),
        ("/prepare_avatar/a", {"actions": "action_1=2-4,action_1=5-6"}, {"recording_file": b"x"}, 400, "given twice"),
        ("/prepare_avatar/a", {"tracking": "perhaps"}, {"recording_file": b"x"}, 400, "tracking: "),
        ("/prepare_avatar/a.b", {}, NO_PICTURE, 400, "user_id must match"),
        ("/prepare_avatar/a", {"avatar_id": "b"}, NO_PICTURE, 400, "not the one in the path"),
        (f"/prepare_avatar/{EXISTING}", {}, NO_PICTURE, 409, "force_recreate=true replaces it"),
        ("/prepare_avatar/a", {}, {"video_file": b"x" * 1_100_000}, 413, "MAX_UPLOAD_MB"),
    ],
)
async def test_what_cannot_be_followed_is_a_problem_that_says_why(
    http: httpx.AsyncClient,
    tmp_path: Path,
    path: str,
    form: dict[str, str],
    files: dict[str, Any],
    status: int,
    says: str,
) -> None:
    put_manifest(tmp_path / EXISTING)
    answer = await http.post(path, data=form, files=files)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert (await http.get("/jobs")).json()["jobs"] == []
    assert not list(tmp_path.glob(".uploads.*/*"))  # noqa: ASYNC240


def put_manifest(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")


async def test_base_videos_come_by_name_and_a_long_recording_by_itself(http: httpx.AsyncClient) -> None:
    videos = {"idle_0": b"no video", "speaking_0": b"no video"}
    for files, error in ((videos, "idle_0: not a video"), ({"recording_file": b"x"}, "recording_file: not a video")):
        answer = await http.post("/prepare_avatar/anna", files=files)
        assert (await ended(http, answer.headers["location"]))["error"].startswith(error)


async def test_more_than_may_wait_are_told_to_come_again(http: httpx.AsyncClient) -> None:
    answers = [await http.post(f"/prepare_avatar/{name}", files=NO_PICTURE) for name in "abcd"]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].headers["retry-after"] == "10"
    again = await http.post("/prepare_avatar/a", files=NO_PICTURE)
    assert again.status_code in (409, 429)


async def test_a_page_of_an_origin_that_is_not_listed_prepares_nothing(http: httpx.AsyncClient) -> None:
    for origin, status in (("https://other.example", 403), ("https://page.example", 202), ("http://service", 202)):
        name = origin.partition("//")[2].partition(".")[0]
        answer = await http.post(f"/prepare_avatar/{name}", files=NO_PICTURE, headers={"origin": origin})
        assert answer.status_code == status


async def test_events_tell_of_a_job_until_it_has_ended(http: httpx.AsyncClient) -> None:
    job = (await http.post("/prepare_avatar/anna", files=NO_PICTURE)).json()
    answer = await http.get(f"/jobs/{job['job_id']}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
    assert all(name == "event: job" and data.startswith("data: ") for name, data in events)
    told = [json.loads(data.removeprefix("data: ")) for _, data in events]
    assert told[0]["state"] == "running"
    assert [row["state"] for row in told].index("failed") == len(told) - 1
    assert told[-1]["error"].startswith("image_file: not a picture")


async def test_whether_there_are_events_is_told_before_the_job_has_ended(http: httpx.AsyncClient) -> None:
    await http.post("/prepare_avatar/anna", files=NO_PICTURE)
    waiting = (await http.post("/prepare_avatar/ben", files=NO_PICTURE)).json()
    answer = await http.head(f"/jobs/{waiting['job_id']}/events")
    assert (answer.status_code, answer.headers["content-type"][:17]) == (200, "text/event-stream")
    assert (await http.get(f"/jobs/{waiting['job_id']}")).json()["state"] in ("queued", "running")


@pytest.mark.parametrize(("method", "path"), [("GET", "/jobs/x"), ("DELETE", "/jobs/x"), ("GET", "/jobs/x/events")])
async def test_a_job_nobody_knows_is_404(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, "no such job" in answer.json()["detail"]) == (404, True)


async def test_marked_times_and_ways_of_steadying_go_along(http: httpx.AsyncClient, jobs: PreparationJobs) -> None:
    form = {"actions": "action_1=2-4.5,action_12=10-11", "scale_lock": "false"}
    job = (await http.post("/prepare_avatar/anna", data=form, files={"recording_file": b"x"})).json()
    request = jobs.job(job["job_id"]).request
    assert request.actions == {"action_1": (2.0, 4.5), "action_12": (10.0, 11.0)}
    assert request.steadying == {"box_filter": True, "scale_lock": False, "tracking": True}
    photo = (await http.post("/prepare_avatar/ben", data={"tracking": "false"}, files=NO_PICTURE)).json()
    assert photo["remarks"] == ["tracking has no effect: a photo does not shake"]


def test_the_forms_are_described_with_every_file_that_is_taken() -> None:
    schemas = yaml.safe_load(OPENAPI)["components"]["schemas"]
    for form in ("PrepareForm", "PrepareUserForm"):
        files = {name for name, field in schemas[form]["properties"].items() if field.get("format") == "binary"}
        assert files == set(_FIELDS.files)
    assert "<<" not in OPENAPI, "YAML 1.2, as pages read it, has no merge keys"
