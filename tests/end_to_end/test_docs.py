"""`/docs` in real Chromium: whole, without the internet, dark and narrow too, and a route can be tried."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocol.asyncapi import asyncapi_document
from tests.end_to_end.browser import browser
from tests.end_to_end.running_service import RunningService

PAGES = ["/docs", "/docs/socket"]
DESCRIBED = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text())

pytestmark = pytest.mark.browser


@dataclass
class Reader:
    """Pages of the service that somebody opens, and what went wrong with them."""

    running: Any
    service: RunningService
    wrong: list[str] = field(default_factory=list)

    async def open(self, path: str, **options: Any) -> Any:
        """The page when it is all there. `options` are Playwright's for a context."""
        context = await self.running.new_context(**options)
        page = await context.new_page()
        page.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("response", lambda answer: self.wrong.append(answer.url) if answer.status >= 400 else None)
        await page.goto(self.service.http + path)
        await page.wait_for_selector(".opblock" if path == "/docs" else "#closes")
        return page

    def _asked(self, url: str) -> None:
        if not url.startswith((self.service.http + "/", "data:")):
            self.wrong.append(f"asked {url}")


@pytest.fixture
async def reader(service: RunningService) -> AsyncIterator[Reader]:
    async with browser() as running:
        yield (opened := Reader(running, service))
    assert opened.wrong == []


async def test_the_http_page_shows_every_route_and_tries_one(reader: Reader) -> None:
    page = await reader.open("/docs")
    operations = sum(len(set(item) - {"parameters"}) for item in DESCRIBED["paths"].values())
    assert await page.locator(".opblock").count() == operations
    health = page.locator("#operations-state-getHealth")
    await health.locator(".opblock-summary-control").click()
    await health.get_by_role("button", name="Execute").click()
    answer = health.locator(".live-responses-table .response")
    await answer.wait_for()
    assert "200" in await answer.inner_text()
    assert '"engine": "light"' in await answer.inner_text()


async def test_the_pages_lead_to_each_other_and_to_the_avatar(reader: Reader) -> None:
    page = await reader.open("/docs")
    await page.get_by_role("link", name="WebSocket", exact=True).click()
    await page.wait_for_url("**/docs/socket")
    messages = asyncapi_document()["components"]["messages"]
    assert await page.locator("main section").count() == len(messages)
    await page.locator("aside").get_by_role("link", name="GENERATE").click()
    await page.wait_for_url("**/docs/socket#GENERATE")
    below_bar_px = await page.evaluate(
        "document.querySelector('#GENERATE').getBoundingClientRect().top"
        " - document.querySelector('nav').getBoundingClientRect().bottom"
    )
    assert 0 <= below_bar_px < 100
    assert await page.locator("nav .home").get_attribute("href") == "/"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_dark_where_the_browser_is_and_fits_a_phone(reader: Reader, path: str) -> None:
    brightness = "(([r, g, b]) => +r + +g + +b)(getComputedStyle(document.body).backgroundColor.match(/\\d+/g))"
    for scheme in ("light", "dark"):
        page = await reader.open(path, color_scheme=scheme, viewport={"width": 360, "height": 740})
        assert (await page.evaluate(brightness) > 600) is (scheme == "light")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
