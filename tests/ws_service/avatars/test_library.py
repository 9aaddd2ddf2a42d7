"""Avatars in memory: loaded once, shared, kept while used, forgotten when too many."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.prepared_avatar import PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.library import AvatarLibrary
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarNotFound


class CountingEngine(FakeEngine):
    """Remembers what was loaded and unloaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.unloaded: list[str] = []

    def load_avatar(self, avatar: PreparedAvatar) -> None:
        self.loaded.append(avatar.name)

    def unload_avatar(self, name: str) -> None:
        self.unloaded.append(name)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("default", "a", "b", "c"):
        put_avatar(tmp_path, name)
    return tmp_path


def library(folder: Path, engine: CountingEngine, pool: ThreadPoolExecutor, **options: object) -> AvatarLibrary:
    given = {"default_name": "default", "require_avatar": False, **options}
    return AvatarLibrary(AvatarStore(folder), engine, pool, **given)  # type: ignore[arg-type]


async def test_an_avatar_is_loaded_once_for_many_sessions(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    held = await asyncio.gather(*(avatars.acquire("a", strict=True, all_intra=False) for _ in range(5)))
    assert engine.loaded == ["default", "a"]
    assert len({id(h.avatar) for h in held}) == 1
    assert {h.open_video().codec for h in held} == {"avc1.42C01E"}


async def test_an_unknown_name_gives_the_default_avatar_unless_one_is_required(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    avatars = library(folder, CountingEngine(), pool)
    assert (await avatars.acquire("nobody", strict=False, all_intra=False)).avatar.name == "default"
    with pytest.raises(AvatarNotFound):
        await avatars.acquire("nobody", strict=True, all_intra=False)
    strict = library(folder, CountingEngine(), pool, require_avatar=True)
    with pytest.raises(AvatarNotFound):
        await strict.acquire("nobody", strict=False, all_intra=False)


async def test_avatars_in_use_stay_the_longest_unused_goes(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=2)
    await avatars.warm()
    a = await avatars.acquire("a", strict=True, all_intra=False)
    b = await avatars.acquire("b", strict=True, all_intra=False)
    assert engine.unloaded == [], "both are in use"
    a.release()
    a.release()
    c = await avatars.acquire("c", strict=True, all_intra=False)
    assert engine.unloaded == ["a"]
    b.release()
    c.release()
    assert (await avatars.acquire("default", strict=True, all_intra=False)).avatar.name == "default"
    assert "default" not in engine.unloaded


async def test_all_intra_loops_are_made_when_they_are_asked_for(folder: Path, pool: ThreadPoolExecutor) -> None:
    avatars = library(folder, CountingEngine(), pool)
    await avatars.warm()
    from ws_service.session.timeline import BaseTick

    usual = avatars.default().open_video()
    intra = (await avatars.acquire("default", strict=True, all_intra=True)).open_video()
    assert [usual.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, False, False]  # type: ignore[union-attr]
    assert [intra.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, True, True]  # type: ignore[union-attr]
