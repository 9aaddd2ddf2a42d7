"""An INIT whose avatar is on its way, loaded beside the stream. Owns the load; changes nothing of the session."""

import asyncio
from collections.abc import Callable

from protocol.client_messages import Init
from ws_service.errors import InvalidMessage
from ws_service.session.interfaces import AvatarProvider, LoadedAvatar


class PendingInit:
    """From the message to its avatar. To be ended by `avatar`, once it is `done`, or by `drop`."""

    def __init__(self, message: Init, user_id: str, avatars: AvatarProvider, wake: Callable[[], None]) -> None:
        """Begin to load; `wake` is called when it is `done`. Raises `InvalidMessage` for another user's INIT."""
        data = message.data
        if data.user_id != user_id:
            raise InvalidMessage(
                f"user_id {data.user_id!r} is not the one of the path, {user_id!r}", {"path": "data.user_id"}
            )
        self.message = message
        all_intra = bool(data.video_config and data.video_config.all_intra)
        name, strict = (data.avatar_id, True) if data.avatar_id else (user_id, False)
        acquiring = avatars.acquire(name, strict=strict, all_intra=all_intra)
        self._loading: asyncio.Task[LoadedAvatar] = asyncio.get_running_loop().create_task(acquiring)
        self._loading.add_done_callback(lambda _: wake())

    @property
    def done(self) -> bool:
        """The avatar is here, or cannot be had."""
        return self._loading.done()

    def avatar(self) -> LoadedAvatar:
        """What was loaded, from now on the caller's to release. Raises `ServiceError`."""
        return self._loading.result()

    def drop(self) -> None:
        """The session is over: an avatar that has come already, or comes all the same, is released."""
        self._loading.add_done_callback(_release)
        self._loading.cancel()


def _release(loading: asyncio.Task[LoadedAvatar]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loading.result().release()
