"""HTTP: the service described, as pages for people and as YAML for programs. Reads files, changes nothing."""

import asyncio
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from protocol.asyncapi import asyncapi_document
from ws_service.pages.socket_page import socket_page

FOLDERS = (
    Path(__file__).parent,
    Path(__file__).parents[2],
)  # of the descriptions: in an installed wheel, in a checkout
HTTP_PAGE = Path(__file__).parents[1] / "pages" / "docs.html"
HEADERS = {"cache-control": "no-cache"}  # another version of the service says other things


def docs_routes() -> list[Route]:
    """For Starlette."""
    return [
        Route("/docs", http_api),
        Route("/docs/socket", socket),
        Route("/openapi.yaml", openapi),
        Route("/asyncapi.yaml", asyncapi),
    ]


async def http_api(_: Request) -> Response:
    """The HTTP API, in a viewer that gets `/openapi.yaml`."""
    return HTMLResponse(HTTP_PAGE.read_bytes(), headers=HEADERS)


async def socket(_: Request) -> Response:
    """The socket, as this version's messages describe it."""
    return HTMLResponse(await asyncio.to_thread(_socket_page), headers=HEADERS)


async def openapi(_: Request) -> Response:
    """The HTTP API in OpenAPI."""
    return _description("openapi.yaml")


async def asyncapi(_: Request) -> Response:
    """The socket in AsyncAPI."""
    return _description("asyncapi.yaml")


@cache
def _socket_page() -> str:
    return socket_page(asyncapi_document())


def _description(name: str) -> Response:
    path = next(folder / name for folder in FOLDERS if (folder / name).exists())
    return Response(path.read_bytes(), media_type="application/yaml", headers=HEADERS)
