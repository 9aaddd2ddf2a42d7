"""Avatars in memory: read once, encoded once, shared by all sessions, kept while in use.

Reading, encoding and what the engine does for an avatar run on a thread of their own. A load that has begun is
finished, even when nobody waits for it any more. Avatars that nobody uses are forgotten, the least recently used first,
once more than `capacity` are in memory.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from models.errors import ModelError
from models.interface import LipSyncEngine
from models.prepared_avatar import PreparedAvatar
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarNotFound, ProcessingFailed
from ws_service.video.bridges import loop_pictures
from ws_service.video.encoder import X264, EncodingError
from ws_service.video.loop import EncodedLoop, encode_loops
from ws_service.video.source import VideoSource

Loops = dict[str, EncodedLoop]


@dataclass(slots=True)
class _Resident:
    """An avatar in memory. `loops` by `all_intra`."""

    avatar: PreparedAvatar
    loops: dict[bool, Loops] = field(default_factory=dict)
    users: int = 0


class HeldAvatar:
    """An avatar that one session uses; it stays in memory until `release`."""

    def __init__(
        self, resident: _Resident, *, all_intra: bool, engine: LipSyncEngine, encoders: Executor, encoder_name: str
    ) -> None:
        self.avatar = resident.avatar
        self._resident = resident
        self._all_intra = all_intra
        self._engine = engine
        self._encoders = encoders
        self._encoder_name = encoder_name
        self._released = False
        resident.users += 1

    def open_video(self) -> VideoSource:
        """A new session's video of this avatar."""
        loops = self._resident.loops[self._all_intra]
        return VideoSource(
            self.avatar,
            loops,
            self._engine,
            self._encoders,
            all_intra=self._all_intra,
            encoder_name=self._encoder_name,
        )

    def release(self) -> None:
        """This session no longer uses it."""
        if not self._released:
            self._released = True
            self._resident.users -= 1


class AvatarLibrary:
    """Avatars by name, and the default one for names that are unknown. Its methods run on the event loop."""

    def __init__(
        self,
        store: AvatarStore,
        engine: LipSyncEngine,
        encoders: Executor,
        *,
        default_name: str,
        require_avatar: bool,
        capacity: int = 8,
        encoder_name: str = X264,
    ) -> None:
        """`encoder_name`: what encodes the loops and the speech of every session."""
        self._store = store
        self._engine = engine
        self._encoders = encoders
        self._default_name = default_name
        self._require_avatar = require_avatar
        self._capacity = capacity
        self._encoder_name = encoder_name
        self._residents: OrderedDict[str, _Resident] = OrderedDict()
        self._loading = asyncio.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="avatars")
        self._closed = False

    async def warm(self) -> None:
        """Load the default avatar. Raises `ServiceError` when it cannot be had."""
        (await self.acquire(self._default_name, strict=True, all_intra=False)).release()

    def default(self) -> HeldAvatar:
        """The default avatar, which `warm` has loaded: what every connection sees first."""
        return self._hold(self._residents[self._default_name], all_intra=False)

    async def acquire(self, name: str, *, strict: bool, all_intra: bool) -> HeldAvatar:
        """The avatar of this name, loaded when it is not in memory.

        An unknown name gives the default avatar, or `AvatarNotFound` when `strict` or when avatars are required.
        Cancelled, it stops to wait: what it has begun to load becomes an avatar like any other that nobody uses.
        """
        if name not in self._residents and not self._store.exists(name):
            if strict or self._require_avatar:
                raise AvatarNotFound(f"There is no avatar named {name!r}", {"avatar": name})
            name = self._default_name
        if self._in_memory(name, all_intra):
            held = self._hold(self._residents[name], all_intra=all_intra)
        else:
            held = await self._loaded(name, all_intra=all_intra)
        self._residents.move_to_end(name)
        self._evict()
        return held

    def close(self) -> None:
        """End the reading thread."""
        self._closed = True
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _in_memory(self, name: str, all_intra: bool) -> bool:
        return name in self._residents and all_intra in self._residents[name].loops

    async def _loaded(self, name: str, *, all_intra: bool) -> HeldAvatar:
        """One load at a time. Whoever waits may be cancelled: before the load has begun there is none then."""
        await self._loading.acquire()
        loading = asyncio.create_task(self._load(name, all_intra=all_intra))
        loading.add_done_callback(self._load_is_over)
        try:
            await asyncio.wait([loading])  # which does not cancel what it waits for
        except asyncio.CancelledError:
            loading.add_done_callback(self._nobody_came)
            raise
        return loading.result()

    def _load_is_over(self, _: asyncio.Task[HeldAvatar]) -> None:
        self._loading.release()
        self._evict()  # what it loaded and could not encode, too

    def _nobody_came(self, loading: asyncio.Task[HeldAvatar]) -> None:
        if not loading.cancelled() and loading.exception() is None:
            loading.result().release()
            self._evict()

    async def _load(self, name: str, *, all_intra: bool) -> HeldAvatar:
        loop = asyncio.get_running_loop()
        resident = self._residents.get(name)
        if resident is None:
            resident = self._residents[name] = _Resident(await loop.run_in_executor(self._reader, self._read, name))
        resident.users += 1  # it is not to go while it is encoded
        try:
            if all_intra not in resident.loops:
                encode = partial(_encode_loops, resident.avatar, all_intra=all_intra, encoder_name=self._encoder_name)
                resident.loops[all_intra] = await loop.run_in_executor(self._reader, encode)
            return self._hold(resident, all_intra=all_intra)
        finally:
            resident.users -= 1

    def _read(self, name: str) -> PreparedAvatar:
        avatar = self._store.read(name)
        try:
            self._engine.load_avatar(avatar)
        except ModelError as error:
            raise ProcessingFailed(f"Avatar {name!r} cannot be used: {error}", {"avatar": name}) from error
        return avatar

    def _hold(self, resident: _Resident, *, all_intra: bool) -> HeldAvatar:
        return HeldAvatar(
            resident,
            all_intra=all_intra,
            engine=self._engine,
            encoders=self._encoders,
            encoder_name=self._encoder_name,
        )

    def _evict(self) -> None:
        if self._closed:
            return
        unused = [name for name, r in self._residents.items() if r.users == 0 and name != self._default_name]
        for name in unused[: max(0, len(self._residents) - self._capacity)]:
            del self._residents[name]
            # the engine may wait for an avatar that it prepares now; a load of the same name comes after it
            asyncio.get_running_loop().run_in_executor(self._reader, self._engine.unload_avatar, name)


def _encode_loops(avatar: PreparedAvatar, *, all_intra: bool, encoder_name: str) -> Loops:
    try:
        return encode_loops(loop_pictures(avatar), all_intra=all_intra, encoder_name=encoder_name)
    except EncodingError as error:
        raise ProcessingFailed(f"Avatar {avatar.name!r} cannot be encoded: {error}", {"avatar": avatar.name}) from error
