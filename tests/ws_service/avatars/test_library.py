"""Avatars in memory: loaded once, shared, kept while used, forgotten when too many."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.prepared_avatar import PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.library import AvatarLibrary, HeldAvatar
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarNotFound, ProcessingFailed
from ws_service.video.encoder import EncodingError


class CountingEngine(FakeEngine):
    """Remembers what was loaded and unloaded. `may_load`: cleared, a load waits for it, and holds what unloading needs.

    `begun` is set when a load begins.
    """

    def __init__(self) -> None:
        super().__init__()
        self.may_load, self.begun, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.may_load.set()
        self.loaded: list[str] = []
        self.unloaded: list[str] = []

    def load_avatar(self, avatar: PreparedAvatar) -> None:
        with self.lock:
            self.begun.set()
            assert self.may_load.wait(10)
            self.loaded.append(avatar.name)

    def unload_avatar(self, name: str) -> None:
        with self.lock:
            self.unloaded.append(name)

    @property
    def known(self) -> set[str]:
        """What it holds now, loaded once each."""
        return set(self.loaded) - set(self.unloaded)


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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def begun(engine: CountingEngine, avatars: AvatarLibrary, name: str) -> asyncio.Task[HeldAvatar]:
    """A load that the engine is at and that waits for `may_load`."""
    engine.may_load.clear()
    engine.begun.clear()
    loading = asyncio.create_task(avatars.acquire(name, strict=True, all_intra=False))
    await until(engine.begun.is_set)
    return loading


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
    await until(lambda: engine.unloaded == ["a"])
    b.release()
    c.release()
    assert (await avatars.acquire("default", strict=True, all_intra=False)).avatar.name == "default"
    await until(lambda: engine.unloaded == ["a", "b"])
    a = await avatars.acquire("a", strict=True, all_intra=False)
    await until(lambda: engine.unloaded == ["a", "b", "c"])
    assert engine.loaded == ["default", "a", "b", "c", "a"]


async def test_what_goes_does_not_stop_the_streams_while_another_avatar_is_prepared(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=1)
    await avatars.warm()
    a = await avatars.acquire("a", strict=True, all_intra=False)
    a.release()
    loading = await begun(engine, avatars, "b")
    (await avatars.acquire("default", strict=True, all_intra=False)).release()  # returns: the engine is not waited for
    assert engine.unloaded == []
    engine.may_load.set()
    assert (await loading).avatar.name == "b"
    await until(lambda: engine.known == {"default", "b"})


async def test_a_load_that_nobody_waits_for_any_more_is_finished_and_forgotten_like_any_other(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=2)
    await avatars.warm()
    loading = await begun(engine, avatars, "a")
    behind = asyncio.create_task(avatars.acquire("b", strict=True, all_intra=False))
    await asyncio.sleep(0)
    for task in (loading, behind):
        task.cancel()
    await asyncio.wait([loading, behind])
    engine.may_load.set()
    a = await avatars.acquire("a", strict=True, all_intra=False)
    assert engine.loaded == ["default", "a"], "what had begun is used, what had not is never loaded"
    a.release()
    (await begun(engine, avatars, "c")).cancel()
    engine.may_load.set()
    await until(lambda: engine.known == {"default", "c"})


async def test_an_avatar_that_cannot_be_encoded_does_not_stay(
    folder: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EncodingError("no encoder")

    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=1)
    await avatars.warm()
    monkeypatch.setattr("ws_service.avatars.library.encode_loops", refuse)
    with pytest.raises(ProcessingFailed, match="'a' cannot be encoded: no encoder"):
        await avatars.acquire("a", strict=True, all_intra=False)
    await until(lambda: engine.known == {"default"})


async def test_all_intra_loops_are_made_when_they_are_asked_for(folder: Path, pool: ThreadPoolExecutor) -> None:
    avatars = library(folder, CountingEngine(), pool)
    await avatars.warm()
    from ws_service.session.timeline import BaseTick

    usual = avatars.default().open_video()
    intra = (await avatars.acquire("default", strict=True, all_intra=True)).open_video()
    assert [usual.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, False, False]  # type: ignore[union-attr]
    assert [intra.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, True, True]  # type: ignore[union-attr]
