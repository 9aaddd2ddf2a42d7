"""One service for all end-to-end tests; those that change it start their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
