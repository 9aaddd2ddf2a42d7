"""One service and one browser for all end-to-end tests; those that change the service start their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import RunningService


@pytest.fixture(scope="session")
def avatars_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of avatars; the built-in one is prepared in it once, by the first service."""
    return tmp_path_factory.mktemp("avatars")


@pytest.fixture(scope="session")
def service(avatars_dir: Path) -> Iterator[RunningService]:
    """The shared service."""
    with RunningService(avatars_dir) as running:
        yield running


@pytest.fixture
def talk(service: RunningService) -> Callable[..., Conversation]:
    """`async with talk() as c`: a connection to the shared service."""

    def open_one(user_id: str = "tester", **options: object) -> Conversation:
        return Conversation(f"{service.websocket}/musetalk/v1/ws/{user_id}", options)

    return open_one


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The shared browser. Skips where it is not installed."""
    from tests.end_to_end.browser import browser  # not above: it skips, and few tests need it

    async with browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Any) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """`tab = await open_page(url)`, as browser.open_tab; closed after the test, which fails on any console error."""
    from tests.end_to_end.browser import Tab, open_tab

    tabs: list[Tab] = []

    async def open_one(url: str, before: str = "", **options: Any) -> Tab:
        tabs.append(await open_tab(chromium, url, before, **options))
        return tabs[-1]

    yield open_one
    for tab in tabs:
        await tab.page.context.close()
    assert [text for tab in tabs for text in tab.complaints] == []
