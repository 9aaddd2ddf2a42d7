"""`/docs`: files of this service alone, with headers that fit, and a description that leaves no route out."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import Route

from tests.ws_service.pages.test_index import Outline
from ws_service.app import build_app
from ws_service.pages.static_files import FOLDER
from ws_service.rest.docs import docs_routes
from ws_service.settings import Settings

ROOT = Path(__file__).parents[3]
LICENCE = "vendor/swagger-ui-5.35.0.LICENSE.txt"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=docs_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as running:
        yield running


@pytest.mark.parametrize("path", ["/docs", "/docs/socket"])
async def test_the_pages_are_html_that_is_asked_for_anew(client: httpx.AsyncClient, path: str):
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert {"/", "/docs", "/docs/socket"} <= set(Outline(answer.text).links)


async def test_what_a_page_needs_lies_in_the_package(client: httpx.AsyncClient):
    for path in ("/docs", "/docs/socket"):
        links = Outline((await client.get(path)).text).links
        files = [link.removeprefix("/static/") for link in links if link.startswith("/static/")]
        assert "docs.css" in files
        assert all((FOLDER / name).is_file() for name in files)
        assert all(link.startswith(("/", "#")) for link in links)


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
async def test_the_descriptions_are_the_files(client: httpx.AsyncClient, name: str):
    answer = await client.get(f"/{name}")
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.content == (ROOT / name).read_bytes()


def test_the_viewer_comes_with_its_licence():
    text = (FOLDER / LICENCE).read_text()
    assert "SmartBear Software" in text
    assert "Apache License" in text


def test_every_route_is_described_and_nothing_else(tmp_path: Path):
    app = build_app(Settings(_env_file=None, avatars_dir=tmp_path, model_path=tmp_path))  # type: ignore[call-arg]
    described = yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"]
    methods = {"get", "post", "put", "patch", "delete"}
    routes: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, Route):
            path = route.path.replace(":path}", "}")
            routes[path] = routes.get(path, set()) | {name.lower() for name in route.methods or ()} & methods
    assert routes == {path: set(item) & methods for path, item in described.items()}
