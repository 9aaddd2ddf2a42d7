"""The HTTP routes of the running service: against `openapi.yaml` by schemathesis, and what that cannot say."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import RunningService

# text: as bytes, some of the damaged forms that schemathesis 4.32 makes crash its own validator ("Unsupported type")
schemathesis.openapi.format("binary", strategies.text(min_size=1))
OPENAPI = Path(__file__).parents[2] / "openapi.yaml"
schema = schemathesis.openapi.from_path(str(OPENAPI))


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def get_json(service: RunningService, path: str) -> Any:
    return json.loads(fetch(service.http + path)[2])


@schema.parametrize()
def test_the_service_answers_as_openapi_yaml_says(case: schemathesis.Case, service: RunningService) -> None:
    case.call_and_validate(base_url=service.http)


def test_the_description_is_served_as_yaml(service: RunningService) -> None:
    status, headers, body = fetch(service.http + "/openapi.yaml")
    assert status == 200
    assert headers["content-type"].startswith("application/yaml")
    assert body == OPENAPI.read_bytes()


def test_health_and_ready(service: RunningService) -> None:
    health = get_json(service, "/health")
    assert (health["status"], health["engine"], health["h264_encoder"]) == ("ok", "light", "libx264")
    assert "musetalkV15/musetalk.json is missing" in health["engine_reason"]
    assert health["h264_encoder_reason"] == "no GPU is in use"
    ready = get_json(service, "/ready")
    assert ready["ready"] is True
    assert ready["reasons"] == []
    assert ready["engine"]["name"] == "light"


async def test_sessions_counts_what_is_open(service: RunningService, talk: Callable[..., Conversation]) -> None:
    before = get_json(service, "/sessions")
    async with talk("counted") as c:
        await c.generate(bytes(64000))
        await c.next("SPEAK_STARTED")
        now = get_json(service, "/sessions")
    mine = [row for row in now["sessions"] if row["user_id"] == "counted"]
    assert len(mine) == 1
    assert mine[0]["state"] == "speaking"
    assert mine[0]["avatar"] == "default"
    assert now["speaking"] >= 1
    assert now["active"] == len(now["sessions"])
    assert now["service"]["sessions_total"] > before["service"]["sessions_total"]
    assert now["service"]["frames_sent_total"] > before["service"]["frames_sent_total"]


def test_avatars_lists_what_can_be_shown(service: RunningService) -> None:
    listed = {avatar["avatar_id"]: avatar["base_videos"] for avatar in get_json(service, "/avatars")["avatars"]}
    assert {"idle_0", "speaking_0", "action_1"} <= set(listed["default"])


def test_the_page_says_what_runs_and_links_on(service: RunningService) -> None:
    status, headers, body = fetch(service.http + "/")
    page = body.decode()
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    for link in ("/health", "/ready", "/sessions", "/openapi.yaml"):
        assert f'href="{link}"' in page
    assert "ready" in page
    assert "light" in page


def test_other_pages_may_import_the_javascript_client(service: RunningService) -> None:
    status, headers, body = fetch(service.http + "/static/avatar-client.js", Origin="https://page.example")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert headers["access-control-allow-origin"] == "*"
    assert b"export class AvatarClient" in body


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/static/none.js", "GET", 404),
        ("/static/..%2findex.py", "GET", 404),
        ("/nothing", "GET", 404),
        ("/health", "POST", 405),
    ],
)
def test_errors_are_problem_json(service: RunningService, path: str, method: str, status: int) -> None:
    got, headers, body = fetch(service.http + path, method)
    assert got == status
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == status


def test_pages_of_other_origins_may_read_by_cors(service: RunningService) -> None:
    _, headers, _ = fetch(service.http + "/health", Origin="https://page.example")
    assert headers["access-control-allow-origin"] == "*"
