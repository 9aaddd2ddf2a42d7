"""The avatars over HTTP: who can be shown, what they look like, and removing one.

Reads what lies on disk, on threads, and loads nothing into memory.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from protocol.rest import Avatar, Avatars, DamagedAvatar
from ws_service.avatars.preview import preview_picture, preview_video
from ws_service.avatars.store import AvatarStore, StoredAvatar
from ws_service.errors import AvatarInUse, AvatarNotFound, ServiceError
from ws_service.rest.parts import whole_or_part

T = TypeVar("T")

_ASK_ANEW = {"cache-control": "no-cache"}  # an avatar may be replaced

REPORT_NAME = "report.html"  # as preparation names it

# a report may have come with an avatar from elsewhere: it shows pictures of its own and does nothing
_INERT = {
    "content-security-policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class AvatarRoutes:
    """The routes over one folder of avatars.

    `default_name`: DEFAULT_AVATAR, which cannot be removed. `when_removed`: called on the event loop with a name.
    """

    store: AvatarStore
    default_name: str
    when_removed: Callable[[str], None]
    _preview: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # making one must not cost much

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/avatars", self.avatars),
            Route("/avatars/{avatar_id}", self.avatar, methods=["GET", "DELETE"]),
            Route("/avatars/{avatar_id}/preview.jpg", self.picture),
            Route("/avatars/{avatar_id}/preview.mp4", self.video),
            Route("/avatars/{avatar_id}/report.html", self.report),
        ]

    async def avatars(self, _: Request) -> Response:
        """All avatars, damaged ones apart."""
        found = await asyncio.to_thread(self.store.describe_all)
        body = Avatars(
            default=self.default_name,
            avatars=[_body(avatar) for avatar in found if not avatar.damage],
            damaged=[DamagedAvatar(avatar_id=avatar.name, reason=avatar.damage) for avatar in found if avatar.damage],
        )
        return Response(body.model_dump_json(), media_type="application/json")

    async def avatar(self, request: Request) -> Response:
        """One avatar. DELETE removes it from disk and memory; sessions that show it keep it to their end."""
        if request.method == "DELETE":
            name = request.path_params["avatar_id"]
            await _in_thread(lambda: self._remove(name))
            self.when_removed(name)
            return Response(status_code=204)
        found = await _in_thread(lambda: self.store.describe(request.path_params["avatar_id"]))
        if found.damage:
            raise HTTPException(409, f"Avatar {found.name!r} is damaged: {found.damage}")
        return Response(_body(found).model_dump_json(), media_type="application/json")

    async def picture(self, request: Request) -> Response:
        """What the avatar looks like."""
        async with self._preview:
            jpeg = await _in_thread(lambda: preview_picture(self.store, request.path_params["avatar_id"]))
        return Response(jpeg, media_type="image/jpeg", headers=_ASK_ANEW)

    async def video(self, request: Request) -> Response:
        """How the avatar moves while it listens."""
        async with self._preview:
            film = await _in_thread(lambda: preview_video(self.store, request.path_params["avatar_id"]))
        return whole_or_part(film, request, media_type="video/mp4", headers=_ASK_ANEW)

    async def report(self, request: Request) -> Response:
        """What preparation saw and did, for people."""
        page = await _in_thread(lambda: self._report(request.path_params["avatar_id"]))
        return Response(page, media_type="text/html", headers={**_ASK_ANEW, **_INERT})

    def _report(self, name: str) -> bytes:
        file = self.store.folder / name / REPORT_NAME
        if self.store.exists(name) and file.is_file():  # no pipe, say
            with suppress(OSError):  # it has just been removed
                return file.read_bytes()
        raise AvatarNotFound(f"There is no report of an avatar named {name!r}", {"avatar": name})

    def _remove(self, name: str) -> None:
        if name == self.default_name and self.store.exists(name):
            raise AvatarInUse(f"Avatar {name!r} is the default one (DEFAULT_AVATAR); force_recreate replaces it")
        self.store.remove(name)


async def _in_thread(work: Callable[[], T]) -> T:
    """Raises `HTTPException` for what a `ServiceError` says."""
    try:
        return await asyncio.to_thread(work)
    except ServiceError as error:
        raise HTTPException(error.http_status, error.message) from None


def _body(avatar: StoredAvatar) -> Avatar:
    assert avatar.manifest is not None
    path = f"/avatars/{avatar.name}"
    return Avatar(
        avatar_id=avatar.name,
        base_videos=sorted(avatar.manifest.videos),
        frames=dict(sorted(avatar.manifest.videos.items())),
        same_pose=avatar.manifest.same_pose,
        engines=list(avatar.engines),
        size_bytes=avatar.size_bytes,
        prepared_at=avatar.prepared_at.isoformat(timespec="seconds"),
        preview_picture=f"{path}/preview.jpg",
        preview_video=f"{path}/preview.mp4",
    )
