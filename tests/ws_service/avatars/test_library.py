"""Avatars in memory: loaded once, shared, kept while used, forgotten when too many, read anew when replaced."""

import asyncio
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import EngineFailure
from models.interface import LipSyncEngine
from models.prepared_avatar import PreparedAvatar, load_avatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.avatar_loader import ResidentAvatar
from ws_service.avatars.cache import AvatarCache
from ws_service.avatars.library import AvatarLibrary, HeldAvatar
from ws_service.avatars.loop_files import avatar_loops
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarInUse, AvatarNotFound, EngineUnavailable, ProcessingFailed
from ws_service.generation.capacity import NoiseSource
from ws_service.generation.lasting_engine import LastingEngine
from ws_service.video.encoder import EncodingError

ENGINE_BYTES = 1000
AVATAR_BYTES = 2 * 25 * 768 * 512 + 300_000  # of `put_avatar`, its landmarks and its loops


class CountingEngine(FakeEngine):
    """Remembers what was loaded and unloaded. `may_load`: cleared, a load waits for it, and holds what unloading needs.

    `begun` is set when a load begins. An avatar named `swift` waits for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.may_load, self.begun, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.may_load.set()
        self.known: list[PreparedAvatar] = []
        self.loaded: list[str] = []
        self.unloaded: list[str] = []

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        if avatar.name != "swift":
            with self.lock:
                self.begun.set()
                assert self.may_load.wait(10)
        self.loaded.append(avatar.name)
        self.known.append(avatar)
        return ENGINE_BYTES

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        with self.lock:
            self.known.remove(avatar)
            self.unloaded.append(avatar.name)

    @property
    def known_names(self) -> list[str]:
        """What it holds now."""
        return sorted(avatar.name for avatar in self.known)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name in ("default", "a", "b", "c", "swift"):
        put_avatar(folder, name)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A folder of its own for each test; the files are shared, so replace them, never write into them."""
    return Path(shutil.copytree(made, tmp_path / "avatars", copy_function=os.link))


def library(folder: Path, engine: LipSyncEngine, pool: ThreadPoolExecutor, **options: object) -> AvatarLibrary:
    """`capacity`: how many of our avatars the budget has room for. `ttl_s`: of the cache."""
    room = int(float(str(options.pop("capacity", 100))) * AVATAR_BYTES)
    cache = AvatarCache[ResidentAvatar](room, float(str(options.pop("ttl_s", 0))))
    given = {"default_name": "default", "require_avatar": False, **options}
    return AvatarLibrary(AvatarStore(folder), engine, pool, cache, **given)  # type: ignore[arg-type]


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
    assert engine.unloaded == [], "all are in use"
    a.release()
    a.release()
    await until(lambda: engine.unloaded == ["a"])
    b.release()
    await asyncio.sleep(0)
    assert engine.unloaded == ["a"], "there is room for two"
    c = await avatars.acquire("c", strict=True, all_intra=False)
    await until(lambda: engine.unloaded == ["a", "b"])
    c.release()
    assert (await avatars.acquire("default", strict=True, all_intra=False)).avatar.name == "default"
    a = await avatars.acquire("a", strict=True, all_intra=False)
    await until(lambda: engine.unloaded == ["a", "b", "c"])
    assert engine.loaded == ["default", "a", "b", "c", "a"]
    assert (avatars.cache.counts.hits, avatars.cache.counts.misses) == (1, 5)


async def test_an_entry_is_as_large_as_what_it_holds(folder: Path, pool: ThreadPoolExecutor) -> None:
    avatars = library(folder, CountingEngine(), pool)
    await avatars.warm()
    (entry,) = avatars.cache.entries()
    arrays = entry.value.avatar.size_bytes
    before = entry.size_bytes
    assert arrays + ENGINE_BYTES < before < arrays + ENGINE_BYTES + 300_000
    await avatars.acquire("default", strict=True, all_intra=True)
    assert entry.size_bytes > before, "its loops for clients that decode each frame by itself"


async def test_unused_for_a_while_an_avatar_goes_by_itself(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool, ttl_s=0.05)
    await avatars.warm()
    a = await avatars.acquire("a", strict=True, all_intra=False)
    await asyncio.sleep(0.1)
    assert engine.known_names == ["a", "default"]
    a.release()
    await until(lambda: engine.known_names == ["default"])


async def test_what_goes_does_not_stop_the_streams_while_another_avatar_is_prepared(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=2)
    await avatars.warm()
    a = await avatars.acquire("a", strict=True, all_intra=False)
    loading = await begun(engine, avatars, "b")
    avatars.cache.budget_bytes = 0
    a.release()
    (await avatars.acquire("default", strict=True, all_intra=False)).release()  # returns: the engine is not waited for
    assert engine.unloaded == []
    engine.may_load.set()
    assert (await loading).avatar.name == "b"
    await until(lambda: engine.known_names == ["b", "default"])


async def test_an_avatar_does_not_wait_for_others_that_are_loaded(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    slow = [await begun(engine, avatars, "a"), asyncio.create_task(avatars.acquire("b", strict=True, all_intra=False))]
    assert (await avatars.acquire("swift", strict=True, all_intra=False)).avatar.name == "swift"
    assert not any(task.done() for task in slow)
    engine.may_load.set()
    assert [(await task).avatar.name for task in slow] == ["a", "b"]


async def test_an_avatar_that_was_replaced_is_read_anew_and_sessions_keep_the_old_one(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    old = await avatars.acquire("a", strict=True, all_intra=False)
    put_avatar(folder, "a", shade=9)
    new = await avatars.acquire("a", strict=True, all_intra=False)
    assert (old.avatar.videos["idle_0"].pictures[0, 5, 5], new.avatar.videos["idle_0"].pictures[0, 5, 5]) == (0, 9)
    assert engine.known_names == ["a", "a", "default"]
    old.release()
    await until(lambda: engine.known_names == ["a", "default"])
    assert new.avatar in engine.known


async def test_a_default_avatar_that_was_replaced_is_seen_by_new_connections_soon(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    put_avatar(folder, "default", shade=9)

    def shade() -> int:
        held = avatars.default()
        held.release()
        return int(held.avatar.videos["idle_0"].pictures[0, 5, 5])

    assert shade() == 0, "nobody waits for it"
    await until(lambda: shade() == 9)
    await until(lambda: engine.known_names == ["default"])
    shutil.rmtree(folder / "default")
    assert shade() == 9, "what is shown stays when its files go"
    assert (await avatars.acquire("nobody", strict=False, all_intra=False)).avatar.name == "default"


async def test_an_avatar_that_was_removed_is_found_no_more(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    held = await avatars.acquire("a", strict=True, all_intra=False)
    AvatarStore(folder).remove("a")
    with pytest.raises(AvatarNotFound):
        await avatars.acquire("a", strict=True, all_intra=False)
    assert engine.known_names == ["a", "default"], "who shows it keeps it"
    assert held.avatar.videos["idle_0"].pictures[24].max() == 0
    held.release()
    await until(lambda: engine.known_names == ["default"])


async def test_pictures_that_do_not_fit_their_checksum_are_named_and_no_more_given_out(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    path = folder / "a" / "speaking_0.pictures.npy"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:-1] + b"\7")
    (await avatars.acquire("a", strict=True, all_intra=False)).release()
    await until(lambda: engine.known_names == ["default"])
    with pytest.raises(ProcessingFailed, match=r"'a' is damaged: a/speaking_0\.pictures\.npy.*checksum"):
        await avatars.acquire("a", strict=True, all_intra=False)
    assert "speaking_0" in avatars.store.describe("a").damage
    (await avatars.acquire("b", strict=True, all_intra=False)).release()
    path.write_bytes(whole)
    avatars.look_again("a")
    (await avatars.acquire("a", strict=True, all_intra=False)).release()


async def test_what_nobody_uses_can_be_taken_out_of_memory(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    held = await avatars.acquire("a", strict=True, all_intra=False)
    for name in ("a", "default"):
        with pytest.raises(AvatarInUse, match=name):
            avatars.forget(name)
    held.release()
    assert avatars.forget("a")
    assert not avatars.forget("a")
    await until(lambda: engine.known_names == ["default"])


async def test_a_load_that_nobody_waits_for_any_more_is_finished_and_forgotten_like_any_other(
    folder: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ws_service.avatars.avatar_loader._THREADS", 1)
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
    await until(lambda: engine.loaded[-1] == "c" and engine.known_names == ["c", "default"])


async def test_an_avatar_that_cannot_be_encoded_does_not_stay(
    folder: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EncodingError("no encoder")

    engine = CountingEngine()
    avatars = library(folder, engine, pool, capacity=1)
    await avatars.warm()
    monkeypatch.setattr("ws_service.avatars.avatar_loader.avatar_loops", refuse)
    with pytest.raises(ProcessingFailed, match="'a' cannot be encoded: no encoder"):
        await avatars.acquire("a", strict=True, all_intra=False)
    await until(lambda: engine.known_names == ["default"])


async def test_all_intra_loops_are_made_when_they_are_asked_for(folder: Path, pool: ThreadPoolExecutor) -> None:
    avatars = library(folder, CountingEngine(), pool)
    await avatars.warm()
    from ws_service.session.timeline import BaseTick

    usual = avatars.default().open_video()
    intra = (await avatars.acquire("default", strict=True, all_intra=True)).open_video()
    assert [usual.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, False, False]  # type: ignore[union-attr]
    assert [intra.shared(BaseTick("idle_0", n)).keyframe for n in range(3)] == [True, True, True]  # type: ignore[union-attr]


async def test_two_hundred_avatars_with_room_for_twenty_are_kept_as_the_longest_unused_goes(
    made: Path, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """Sessions come and go over all avatars: memory and hits are those of a plain list of the last used."""
    avatar_loops(load_avatar(made / "a"))  # kept there, and shared like all files
    shutil.copytree(made / "default", tmp_path / "default", copy_function=os.link)
    for number in range(200):
        shutil.copytree(made / "a", tmp_path / f"a{number}", copy_function=os.link)
    engine, rng = CountingEngine(), random.Random(3)
    avatars = library(tmp_path, engine, pool, capacity=21)  # the default one, too
    await avatars.warm()
    recent: list[str] = []
    hits = 0
    for _ in range(400):
        name = f"a{min(199, int(rng.expovariate(1 / 30)))}"
        (await avatars.acquire(name, strict=True, all_intra=False)).release()
        hits += name in recent
        recent = [name, *(other for other in recent if other != name)][:20]
        assert avatars.cache.size_bytes <= avatars.cache.budget_bytes
    assert hits == avatars.cache.counts.hits
    assert 100 < hits < 350
    await until(lambda: engine.known_names == sorted([*recent, "default"]))


async def test_a_removed_avatar_goes_with_its_last_user(folder: Path, pool: ThreadPoolExecutor) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    first, second = [await avatars.acquire("a", strict=True, all_intra=False) for _ in range(2)]
    avatars.store.remove("a")
    first.release()
    assert avatars.cache.find("a") is not None, "one session shows it still"
    second.release()
    assert avatars.cache.find("a") is None
    await until(lambda: engine.unloaded == ["a"])


async def test_an_avatar_that_was_removed_while_it_was_loaded_does_not_stay_unused(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    loading = await begun(engine, avatars, "a")
    loading.cancel()
    avatars.store.remove("a")
    avatars.drop("a")
    engine.may_load.set()
    await until(lambda: engine.loaded[-1] == "a" and engine.unloaded == ["a"])
    assert avatars.cache.find("a") is None


async def test_a_default_avatar_that_was_replaced_stays_whoever_loaded_the_new_one(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    avatars = library(folder, CountingEngine(), pool, capacity=0)
    await avatars.warm()
    put_avatar(folder, "default", shade=9)
    (await avatars.acquire("default", strict=True, all_intra=False)).release()
    assert avatars.cache.find("default") is None, "there is no room for what nobody uses"
    avatars.default().release()
    await until(lambda: avatars.default().avatar.videos["idle_0"].pictures[0, 5, 5] == 9)


async def test_an_engine_that_is_made_anew_damages_no_avatar(folder: Path, pool: ThreadPoolExecutor) -> None:
    may_make = threading.Event()
    may_make.set()

    def make() -> CountingEngine:
        assert may_make.wait(10)
        return CountingEngine()

    engine = LastingEngine(make)
    avatars = library(folder, engine, pool)
    await avatars.warm()
    frames = NoiseSource(engine, avatars.default().avatar).frames(1)
    may_make.clear()
    engine._engine.failure = RuntimeError("broken")  # type: ignore[union-attr]
    with pytest.raises(EngineFailure):
        engine.generate(frames)
    with pytest.raises(EngineUnavailable, match="'a' cannot be used: the engine is being made anew"):
        await avatars.acquire("a", strict=True, all_intra=False)
    assert avatars.store.describe("a").damage == ""
    put_avatar(folder, "default", shade=9)
    avatars.default().release()
    await until(lambda: "made anew" in avatars.default_trouble())
    may_make.set()
    await until(lambda: engine.state == "running")
    assert (await avatars.acquire("a", strict=True, all_intra=False)).avatar.name == "a"
    await until(lambda: avatars.default_trouble() == "")
    assert avatars.default().avatar.videos["idle_0"].pictures[0, 5, 5] == 9


async def test_an_avatar_that_is_asked_for_in_both_modes_at_once_is_read_once(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    loading = await begun(engine, avatars, "a")
    others = [asyncio.create_task(avatars.acquire("a", strict=True, all_intra=True)) for _ in range(2)]
    await asyncio.sleep(0)
    engine.may_load.set()
    held = await asyncio.gather(loading, *others)
    assert engine.loaded == ["default", "a"]
    entry = avatars.cache.find("a")
    assert entry is not None
    assert (avatars.cache.entries()[1:], entry.pins, len(entry.value.loops)) == ([entry], 3, 2)
    for one in held:
        one.release()
    assert entry.pins == 0


async def test_one_mode_waits_in_vain_for_a_load_of_the_other_that_fails_or_is_given_up(
    folder: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ws_service.avatars.avatar_loader._THREADS", 1)
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    slow = await begun(engine, avatars, "a")
    given_up = asyncio.create_task(avatars.acquire("b", strict=True, all_intra=False))
    await asyncio.sleep(0)
    other = asyncio.create_task(avatars.acquire("b", strict=True, all_intra=True))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    engine.may_load.set()
    await slow
    assert (await other).avatar.name == "b"
    assert engine.loaded == ["default", "a", "b"]


async def test_an_avatar_removed_while_it_is_loaded_gives_the_default_one_unless_it_was_required(
    folder: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ws_service.avatars.avatar_loader._THREADS", 1)
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    await begun(engine, avatars, "b")
    loose, strict = [
        asyncio.create_task(avatars.acquire("a", strict=strict, all_intra=False)) for strict in (False, True)
    ]
    await asyncio.sleep(0)
    avatars.store.remove("a")
    engine.may_load.set()
    assert (await loose).avatar.name == "default"
    with pytest.raises(AvatarNotFound, match="'a'"):
        await strict


async def test_unused_avatars_that_another_service_removed_go_when_any_session_ends(
    folder: Path, pool: ThreadPoolExecutor
) -> None:
    engine = CountingEngine()
    avatars = library(folder, engine, pool)
    await avatars.warm()
    for name in ("a", "b"):
        (await avatars.acquire(name, strict=True, all_intra=False)).release()
    AvatarStore(folder).remove("a")
    avatars.default().release()
    await until(lambda: engine.known_names == ["b", "default"])
    assert avatars.cache.find("a") is None
