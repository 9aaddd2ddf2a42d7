"""Pages of other origins: those in CORS_ORIGINS may use every route and the socket, others none of them."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.end_to_end.browser import browser
from tests.end_to_end.running_service import RunningService

LISTED, OTHER = "https://page.example", "https://other.example"

# what a page that shows an avatar does, each step with what came of it
USE_ALL = """
async (service) => {
  const outcome = (promise) => promise.then((value) => value ?? "done", (error) => error.constructor.name);
  const get = (path) => outcome(fetch(service + path).then((answer) => answer.status));
  const module = await import(service + "/static/avatar-client.js").catch(() => null);
  const results = { module: module !== null, voices: await get("/voices"), avatars: await get("/avatars") };
  if (module === null) {
    const socket = new WebSocket(service.replace("http", "ws") + "/musetalk/v1/ws/page");
    results.connected = await new Promise((settle) => {
      socket.onopen = () => settle("done");
      socket.onerror = () => settle("refused");
    });
  } else {
    const client = new module.AvatarClient(service, { userId: "page", reconnect: false });
    const started = new Promise((settle) => {
      client.onevent = (event) => event.type === "SPEAK_STARTED" && settle(event.data.text);
    });
    results.connected = await outcome(client.connect().then(() => "done"));
    results.started = started;
  }
  const body = JSON.stringify({ text: "Hello.", user_id: "page" });
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  results.spoken = await outcome(fetch(service + "/speak", post).then((answer) => answer.status));
  results.started = await results.started;
  return results;
}
"""


@pytest.fixture(scope="module")
def page_server() -> Iterator[int]:
    """The port of a server with an empty page; `localhost` and `127.0.0.1` are two origins of it."""

    class EmptyPage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><link rel=icon href='data:,'>")

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def strict(avatars_dir: Path, service: RunningService, page_server: int) -> Iterator[RunningService]:
    """`service`: for the avatar that it has prepared in the same folder."""
    with RunningService(avatars_dir, CORS_ORIGINS=f"{LISTED},self,http://127.0.0.1:{page_server}") as running:
        yield running


@pytest.fixture
def http(strict: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=strict.http, trust_env=False) as client:
        yield client


def preflight(http: httpx.Client, origin: str, method: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    return http.options("/speak", headers={"Origin": origin, **asked})


def test_a_listed_page_may_post_after_asking_and_no_other_may(http: httpx.Client) -> None:
    allowed = preflight(http, LISTED, "POST")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, LISTED)
    assert {"GET", "POST", "DELETE"} <= set(allowed.headers["access-control-allow-methods"].split(", "))
    assert "content-type" in allowed.headers["access-control-allow-headers"].lower()
    assert "Origin" in allowed.headers["vary"]
    for origin, method in ((OTHER, "POST"), ("null", "POST"), (LISTED, "PATCH")):
        refused = preflight(http, origin, method)
        assert refused.status_code == 400
        assert origin == LISTED or "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "path", ["/health", "/sessions", "/voices", "/avatars", "/static/avatar-client.js", "/openapi.yaml", "/nothing"]
)
def test_a_listed_page_may_read_answers_and_errors_and_no_other_may(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"Origin": LISTED}).headers["access-control-allow-origin"] == LISTED
    for origin in (OTHER, "null", LISTED + ".evil.example", "http://page.example"):
        assert "access-control-allow-origin" not in http.get(path, headers={"Origin": origin}).headers


def test_the_reason_of_a_refused_text_can_be_read_too(http: httpx.Client) -> None:
    refused = http.post("/speak", json={"text": ""}, headers={"Origin": LISTED})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, LISTED)


def test_a_post_that_needs_no_asking_first_speaks_nothing(http: httpx.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        posted = http.post("/speak", content=b'{"text": "Hi"}', headers={"Origin": OTHER, "Content-Type": kind})
        assert posted.status_code == 415


@pytest.mark.browser
async def test_in_a_browser_a_listed_page_does_all_and_another_nothing(
    strict: RunningService, page_server: int
) -> None:
    pytest.importorskip("espeakng_loader")
    async with browser() as chromium:
        page = await chromium.new_page()
        await page.goto(f"http://127.0.0.1:{page_server}/")
        listed = await page.evaluate(USE_ALL, strict.http)
        await page.goto(f"http://localhost:{page_server}/")
        other = await page.evaluate(USE_ALL, strict.http)
    assert listed == {
        "module": True, "voices": 200, "avatars": 200, "connected": "done", "spoken": 202, "started": "Hello.",
    }  # fmt: skip
    assert other == {
        "module": False, "voices": "TypeError", "avatars": "TypeError", "connected": "refused", "spoken": "TypeError",
        "started": None,
    }  # fmt: skip
