"""Parts of an answer: the bytes that were asked for, or all of them."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ws_service.rest.parts import whole_or_part
from ws_service.rest.routes import problem

CONTENT = bytes(range(100))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def film(request: Request) -> Response:
        return whole_or_part(CONTENT, request, media_type="video/mp4", headers={"cache-control": "no-cache"})

    app = Starlette(routes=[Route("/film", film)], exception_handlers={HTTPException: problem})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as running:
        yield running


async def test_without_a_range_all_is_sent_and_parts_are_offered(client: httpx.AsyncClient) -> None:
    answer = await client.get("/film")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["accept-ranges"] == "bytes"
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-cache", "video/mp4")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-", 0, 99), ("10-19", 10, 19), ("99-99", 99, 99), ("90-1000", 90, 99), ("-5", 95, 99), ("-1000", 0, 99)],
)
async def test_a_part_is_sent_and_named(client: httpx.AsyncClient, asked: str, first: int, last: int) -> None:
    answer = await client.get("/film", headers={"range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/100"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
async def test_a_part_that_does_not_exist_is_a_problem(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get("/film", headers={"range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */100")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Range: there are 100 bytes, counted from 0"


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=0-1,5-6",
        "bytes=x-y",
        "pages=0-1",
        "bytes=" + "9" * 9999 + "-",
    ],
)
async def test_what_is_not_understood_gets_all(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get("/film", headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_a_part_of_another_content_is_not_mixed_with_this_one(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/film")).headers["etag"]
    for seen, status in ((etag, 206), ('"of another"', 200)):
        answer = await client.get("/film", headers={"range": "bytes=0-9", "if-range": seen})
        assert answer.status_code == status
