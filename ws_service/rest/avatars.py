"""GET /avatars: who can be shown. Reads what lies on disk and loads nothing."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from protocol.rest import Avatar, Avatars
from ws_service.avatars.store import AvatarStore


@dataclass(frozen=True)
class AvatarRoutes:
    """The routes over one folder of avatars."""

    store: AvatarStore

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [Route("/avatars", self.avatars)]

    async def avatars(self, _: Request) -> Response:
        """The prepared avatars and their base videos."""
        found = await asyncio.to_thread(self.store.base_videos)
        body = Avatars(avatars=[Avatar(avatar_id=name, base_videos=videos) for name, videos in found.items()])
        return Response(body.model_dump_json(), media_type="application/json")
