"""GET /cache: which avatars are in memory; warming one before it is asked for, and taking one out."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from protocol.rest import Cache, CachedAvatar
from ws_service.avatars.library import AvatarLibrary, Entry
from ws_service.errors import ServiceError


@dataclass(frozen=True)
class CacheRoutes:
    """The routes over the avatars in memory. `library` raises `NotReady` before there is one."""

    library: Callable[[], AvatarLibrary]

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/cache", self.cache),
            Route("/cache/{avatar_id}", self.avatar, methods=["PUT", "DELETE"]),
        ]

    async def cache(self, _: Request) -> Response:
        """What is in memory, and how often what was asked for was there."""
        library = self._present()
        cache = library.cache
        entries = cache.entries()
        body = Cache(
            budget_bytes=cache.budget_bytes,
            size_bytes=cache.size_bytes,
            pinned_bytes=sum(entry.size_bytes for entry in entries if entry.pins),
            ttl_s=cache.ttl_s,
            hits=cache.counts.hits,
            misses=cache.counts.misses,
            evictions=cache.counts.evictions,
            expirations=cache.counts.expirations,
            avatars=[_body(library, entry) for entry in entries],
        )
        return Response(body.model_dump_json(), media_type="application/json")

    async def avatar(self, request: Request) -> Response:
        """PUT loads an avatar now; one that was found damaged is looked at again. DELETE takes out what is unused."""
        name, library = request.path_params["avatar_id"], self._present()
        try:
            return self._forget(library, name) if request.method == "DELETE" else await self._warm(library, name)
        except ServiceError as error:
            raise HTTPException(error.http_status, error.message) from None

    async def _warm(self, library: AvatarLibrary, name: str) -> Response:
        library.look_again(name)
        stamp = library.store.stamp(name)
        (await library.acquire(name, strict=True, all_intra=False)).release()
        entry = library.cache.find(name)
        if entry is None:
            if library.store.stamp(name) != stamp:  # replaced or removed while it was loaded
                return await self._warm(library, name)
            raise HTTPException(409, f"Avatar {name!r} does not fit into CACHE_BUDGET_MB beside those in use")
        return Response(_body(library, entry).model_dump_json(), media_type="application/json")

    def _forget(self, library: AvatarLibrary, name: str) -> Response:
        if not library.forget(name):
            raise HTTPException(404, f"There is no avatar named {name!r} in memory")
        return Response(status_code=204)

    def _present(self) -> AvatarLibrary:
        try:
            return self.library()
        except ServiceError as error:
            raise HTTPException(error.http_status, error.message) from None


def _body(library: AvatarLibrary, entry: Entry) -> CachedAvatar:
    unused_s = 0.0 if entry.pins else asyncio.get_running_loop().time() - entry.used_s
    return CachedAvatar(
        avatar_id=entry.name,
        size_bytes=entry.size_bytes,
        users=entry.pins,
        unused_s=round(unused_s, 3),
        replaced=not library.is_current(entry),
    )
