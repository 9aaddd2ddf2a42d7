"""The cache's routes: its figures, warming, and taking out."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from models.errors import ModelError
from models.prepared_avatar import PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.avatar_loader import ResidentAvatar
from ws_service.avatars.cache import AvatarCache
from ws_service.avatars.library import AvatarLibrary
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarDamaged, NotReady
from ws_service.rest.avatars import AvatarRoutes
from ws_service.rest.cache import CacheRoutes
from ws_service.rest.routes import problem


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[AvatarLibrary]:
    for name in ("default", "anna"):
        put_avatar(tmp_path, name)
    with ThreadPoolExecutor(1) as pool:
        cache = AvatarCache[ResidentAvatar](100_000_000)
        avatars = AvatarLibrary(
            AvatarStore(tmp_path), FakeEngine(), pool, cache, default_name="default", require_avatar=False
        )
        await avatars.warm()
        yield avatars
        avatars.close()


@pytest.fixture
async def client(library: AvatarLibrary) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(CacheRoutes(lambda: library), AvatarRoutes(library.store, "default", library.drop)) as running:
        yield running


def client_of(*parts: CacheRoutes | AvatarRoutes) -> httpx.AsyncClient:
    routes = [route for part in parts for route in part.routes()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: problem})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def test_the_figures_are_those_of_the_cache(client: httpx.AsyncClient, library: AvatarLibrary) -> None:
    held = await library.acquire("anna", strict=True, all_intra=False)
    library.default().release()
    body = (await client.get("/cache")).json()
    assert (body["hits"], body["misses"], body["evictions"], body["budget_bytes"]) == (1, 2, 0, 100_000_000)
    assert [(row["avatar_id"], row["users"]) for row in body["avatars"]] == [("anna", 1), ("default", 1)]
    assert body["size_bytes"] == sum(row["size_bytes"] for row in body["avatars"]) == body["pinned_bytes"]
    held.release()
    after = (await client.get("/cache")).json()
    assert after["pinned_bytes"] < after["size_bytes"]


async def test_an_avatar_is_warmed_and_taken_out(client: httpx.AsyncClient, library: AvatarLibrary) -> None:
    for _ in range(2):
        warm = await client.put("/cache/anna")
        assert (warm.status_code, warm.json()["avatar_id"], warm.json()["users"]) == (200, "anna", 0)
    assert library.cache.counts.misses == 2
    assert (await client.delete("/cache/anna")).status_code == 204
    assert (await client.delete("/cache/anna")).status_code == 404
    assert (await client.delete("/cache/default")).status_code == 409
    assert (await client.put("/cache/nobody")).status_code == 404


async def test_what_cannot_be_warmed_says_why(
    client: httpx.AsyncClient, library: AvatarLibrary, tmp_path: Path
) -> None:
    (tmp_path / "anna" / "idle_0.landmarks.npy").unlink()
    damaged = await client.put("/cache/anna")
    assert (damaged.status_code, "idle_0.landmarks.npy" in damaged.json()["detail"]) == (409, True)
    put_avatar(tmp_path, "anna")
    library.cache.budget_bytes = 1
    assert "CACHE_BUDGET_MB" in (await client.put("/cache/anna")).json()["detail"]


async def test_an_avatar_that_goes_while_it_is_warmed_is_not_found(
    client: httpx.AsyncClient, library: AvatarLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed_meanwhile(_: FakeEngine, avatar: PreparedAvatar) -> int:
        library.store.remove(avatar.name)
        return 0

    monkeypatch.setattr(FakeEngine, "load_avatar", removed_meanwhile)
    answer = await client.put("/cache/anna")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no avatar named 'anna'")


async def test_before_the_service_is_ready_there_is_no_cache() -> None:
    def refuse() -> AvatarLibrary:
        raise NotReady("Not ready: the engine is being loaded")

    async with client_of(CacheRoutes(refuse)) as client:
        for answer in (await client.get("/cache"), await client.put("/cache/a"), await client.delete("/cache/a")):
            assert (answer.status_code, "being loaded" in answer.json()["detail"]) == (503, True)


async def in_memory(client: httpx.AsyncClient) -> dict[str, int]:
    """Users by avatar."""
    return {row["avatar_id"]: row["users"] for row in (await client.get("/cache")).json()["avatars"]}


async def test_an_avatar_that_is_removed_leaves_memory_at_once_or_with_its_last_user(
    client: httpx.AsyncClient, library: AvatarLibrary, tmp_path: Path
) -> None:
    await client.put("/cache/anna")
    assert (await client.delete("/avatars/anna")).status_code == 204
    assert await in_memory(client) == {"default": 1}
    put_avatar(tmp_path, "anna")
    held = await library.acquire("anna", strict=True, all_intra=False)
    assert (await client.delete("/avatars/anna")).status_code == 204
    assert await in_memory(client) == {"default": 1, "anna": 1}
    assert (await client.put("/cache/anna")).status_code == 404, "found no more"
    held.release()
    assert await in_memory(client) == {"default": 1}
    assert (await client.delete("/avatars/default")).status_code == 409


async def test_an_avatar_that_is_replaced_while_it_is_shown_is_told_so_and_goes_with_its_last_user(
    client: httpx.AsyncClient, library: AvatarLibrary, tmp_path: Path
) -> None:
    async def replaced() -> dict[str, bool]:
        return {row["avatar_id"]: row["replaced"] for row in (await client.get("/cache")).json()["avatars"]}

    held = await library.acquire("anna", strict=True, all_intra=False)
    assert await replaced() == {"default": False, "anna": False}
    put_avatar(tmp_path, "anna", shade=9)
    assert await replaced() == {"default": False, "anna": True}
    held.release()
    assert await replaced() == {"default": False}
    AvatarStore(tmp_path).remove("default")
    assert await replaced() == {"default": False}, "who asks for it gets it"


async def test_what_the_engine_refused_is_loaded_once_however_often_it_is_asked_for(
    client: httpx.AsyncClient, library: AvatarLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def cannot(engine: FakeEngine, avatar: PreparedAvatar) -> int:
        asked.append(avatar.name)
        raise ModelError("its latents have another shape")

    monkeypatch.setattr(FakeEngine, "load_avatar", cannot)
    for _ in range(3):
        with pytest.raises(AvatarDamaged, match="another shape"):
            await library.acquire("anna", strict=True, all_intra=False)
    assert asked == ["anna"]
    await client.put("/cache/anna")
    assert asked == ["anna", "anna"]


async def test_damage_that_loading_finds_is_told_of_the_avatar_everywhere(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        raise ModelError("its latents have another shape")

    monkeypatch.setattr(FakeEngine, "load_avatar", cannot)
    assert (await client.get("/avatars/anna/preview.mp4")).status_code == 200
    warm = await client.put("/cache/anna")
    assert (warm.status_code, "another shape" in warm.json()["detail"]) == (409, True)
    for path in ("", "/preview.jpg", "/preview.mp4"):
        answer = await client.get(f"/avatars/anna{path}")
        assert (answer.status_code, "another shape" in answer.json()["detail"]) == (409, True)
    assert [row["avatar_id"] for row in (await client.get("/avatars")).json()["damaged"]] == ["anna"]
    monkeypatch.undo()
    assert (await client.put("/cache/anna")).status_code == 200
    assert (await client.get("/avatars/anna")).status_code == 200
