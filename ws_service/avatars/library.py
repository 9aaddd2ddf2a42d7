"""Avatars in memory: read once, encoded once, shared by all sessions, kept while in use.

Owns who uses them and who waits for them; loading is the loader's, how long the unused stay is the cache's decision. A
load that has begun is finished, even when nobody waits for it any more. An avatar that was replaced on disk is read
anew for whoever asks next; sessions that show the old one keep it to their end. Its pictures are compared with their
checksums after it is given out, because reading them all would keep its first frame waiting; damage is told in the log
and to whoever asks next.
"""

import asyncio
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial

import structlog

from models.interface import LipSyncEngine
from models.prepared_avatar import PreparedAvatar
from ws_service.avatars.avatar_loader import AvatarLoader, ResidentAvatar
from ws_service.avatars.cache import AvatarCache, CacheEntry
from ws_service.avatars.loop_files import Loops
from ws_service.avatars.picture_check import PictureCheck
from ws_service.avatars.store import AvatarStore, Stamp
from ws_service.errors import AvatarInUse, AvatarNotFound, ServiceError
from ws_service.video.encoder import X264
from ws_service.video.source import VideoSource

Entry = CacheEntry[ResidentAvatar]


class HeldAvatar:
    """An avatar that one session uses; it stays in memory until `release`."""

    def __init__(self, library: "AvatarLibrary", entry: Entry, *, all_intra: bool) -> None:
        self.avatar = entry.value.avatar
        self._library = library
        self._entry: Entry | None = entry
        self._loops = entry.value.loops[all_intra]
        self._all_intra = all_intra

    def shared(self) -> "HeldAvatar":
        """The same avatar for one more session, to be released by itself. Not after `release`."""
        assert self._entry is not None, "released"
        return self._library.hold(self._entry, all_intra=self._all_intra)

    def open_video(self) -> VideoSource:
        """A new session's video of this avatar."""
        return self._library.video(self.avatar, self._loops, all_intra=self._all_intra)

    def release(self) -> None:
        """This session no longer uses it."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._library.let_go(entry)


@dataclass(slots=True, eq=False)
class _Load:
    """A load under way. `waiters`: who wants it; once it is over each of them has a pin on the `entry`."""

    job: Future[ResidentAvatar]
    done: asyncio.Future[ResidentAvatar]
    waiters: int = 0
    entry: Entry | None = None


class AvatarLibrary:
    """Avatars by name, and the default one for names that are unknown. Its methods run on the event loop."""

    def __init__(
        self,
        store: AvatarStore,
        engine: LipSyncEngine,
        encoders: Executor,
        cache: AvatarCache[ResidentAvatar],
        *,
        default_name: str,
        require_avatar: bool,
        encoder_name: str = X264,
    ) -> None:
        """`encoder_name`: what encodes the loops and the speech of every session."""
        self.cache = cache
        self.store = store
        self._engine = engine
        self._encoders = encoders
        self._default_name = default_name
        self._require_avatar = require_avatar
        self._encoder_name = encoder_name
        self._loads: dict[tuple[str, Stamp, bool], _Load] = {}
        self._loader = AvatarLoader(store, engine, encoder_name=encoder_name)
        self._pictures = PictureCheck(store, self._found_damaged)
        self._first: HeldAvatar | None = None
        self._default_seen: Stamp | None = None  # the writing of the default avatar that was last tried
        self._default_trouble = ""
        self._renewal: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    async def warm(self) -> None:
        """Load the default avatar, which stays from then on. Raises `ServiceError` when it cannot be had."""
        self._default_seen = self.store.stamp(self._default_name)
        try:
            await self._show_first(self._default_name)
        except ServiceError as error:
            self._default_trouble = error.message
            raise
        self._default_trouble = ""

    async def warm_stand_in(self, name: str) -> None:
        """Load another avatar for connections to see first, until the default one can be. Raises `ServiceError`."""
        await self._show_first(name)

    def default(self) -> HeldAvatar:
        """What every connection sees first: the default avatar, which `warm` has loaded, or its stand-in.

        Where it was replaced on disk, the new one is loaded beside and seen by the connections after that.
        """
        assert self._first is not None, "warm first"
        self._look_at_default()
        return self._first.shared()

    def default_trouble(self) -> str:
        """Why the default avatar that lies on the disk is not shown; "" where it is. Another one is loaded."""
        self._look_at_default()
        return self._default_trouble

    async def acquire(self, name: str, *, strict: bool, all_intra: bool) -> HeldAvatar:
        """The avatar of this name, loaded when it is not in memory.

        An unknown name gives the default avatar, or `AvatarNotFound` when `strict` or when avatars are required; a
        damaged one is an `AvatarDamaged`, and without an engine there is an `EngineUnavailable`. Cancelled, it stops to
        wait: what it has begun to load becomes an avatar like any other that nobody uses.
        """
        try:
            return await self._acquired(name, all_intra=all_intra)
        except AvatarNotFound:  # removed before, or while it was loaded
            if strict or self._require_avatar or name == self._default_name:
                raise
        return await self._acquired(self._default_name, all_intra=all_intra)

    async def _acquired(self, name: str, *, all_intra: bool) -> HeldAvatar:
        stamp, entry = self.store.stamp(name), self.cache.find(name)
        if stamp is None and entry is not None and name == self._default_name:
            stamp = entry.value.stamp  # it was removed from the disk: it is shown on
        if stamp is None:
            self.drop(name)
            raise AvatarNotFound(f"There is no avatar named {name!r}", {"avatar": name})
        if entry is not None and entry.value.stamp == stamp and all_intra in entry.value.loops:
            return self.hold(entry, all_intra=all_intra)
        self.cache.miss()
        self._pictures.refuse_damaged(name, stamp)
        self._loader.refuse_damaged(name, stamp)
        return await self._loaded(name, stamp, all_intra=all_intra)

    def look_again(self, name: str) -> None:
        """Forget that it was found damaged: somebody may have repaired it."""
        self._pictures.look_again(name)
        self._loader.look_again(name)

    def is_current(self, entry: Entry) -> bool:
        """Who asks for its name now gets it: it was neither replaced nor removed on disk."""
        stamp = self.store.stamp(entry.name)
        shown_on = stamp is None and entry.name == self._default_name
        return entry.listed and (shown_on or stamp == entry.value.stamp)

    def forget(self, name: str) -> bool:
        """Take an avatar that nobody uses out of memory; False where it is not there. Raises `AvatarInUse`."""
        entry = self.cache.find(name)
        if entry is None:
            return False
        if entry.pins:
            raise AvatarInUse(f"Avatar {name!r} is in use", {"avatar": name})
        self.drop(name)
        return True

    def drop(self, name: str) -> None:
        """Nobody finds it any more, for it was removed from the disk, say; who shows it keeps it to the end."""
        self.cache.remove(name)
        self._evict()

    def video(self, avatar: PreparedAvatar, loops: Loops, *, all_intra: bool) -> VideoSource:
        """For `HeldAvatar`."""
        return VideoSource(
            avatar, loops, self._engine, self._encoders, all_intra=all_intra, encoder_name=self._encoder_name
        )

    def hold(self, entry: Entry, *, all_intra: bool) -> HeldAvatar:
        """For `HeldAvatar`: one user more of what is in memory."""
        self.cache.hit(entry, self._now_s())
        self.cache.pin(entry)
        return HeldAvatar(self, entry, all_intra=all_intra)

    def let_go(self, entry: Entry) -> None:
        """For `HeldAvatar`: one user less."""
        self.cache.unpin(entry, self._now_s())
        self._evict()

    def close(self) -> None:
        """End the threads."""
        self._closed = True
        for waiting in (self._expiry, self._renewal):
            if waiting is not None:
                waiting.cancel()
        self._loader.close()
        self._pictures.close()

    async def _loaded(self, name: str, stamp: Stamp, *, all_intra: bool) -> HeldAvatar:
        """Several may wait for one load. Whoever waits may be cancelled: what has not begun is not loaded then."""
        key = (name, stamp, all_intra)
        if key not in self._loads and (other := self._loads.get((name, stamp, not all_intra))) is not None:
            await asyncio.wait([other.done])  # it is read once; then its other loops are encoded
        load = self._loads.get(key) or self._begin(key)
        load.waiters += 1
        try:
            await asyncio.wait([load.done])  # which does not cancel what it waits for
        except asyncio.CancelledError:
            if load.entry is not None:
                self.let_go(load.entry)
            load.waiters -= 1
            if not load.waiters and load.job.cancel():
                self._loads.pop(key, None)
            raise
        load.done.result()
        assert load.entry is not None
        return HeldAvatar(self, load.entry, all_intra=all_intra)

    def _begin(self, key: tuple[str, Stamp, bool]) -> _Load:
        name, stamp, all_intra = key
        present = self.cache.find(name)
        if present is not None and present.value.stamp == stamp:
            self.cache.pin(present)  # it is not to go while it is encoded
            job = self._loader.encode(present.value, all_intra=all_intra)
        else:
            present = None
            job = self._loader.load(name, stamp, all_intra=all_intra)
        load = self._loads[key] = _Load(job, asyncio.wrap_future(job))
        load.done.add_done_callback(partial(self._load_is_over, key, load, present))
        return load

    def _load_is_over(
        self, key: tuple[str, Stamp, bool], load: _Load, present: Entry | None, _: asyncio.Future[ResidentAvatar]
    ) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]
        if not load.done.cancelled() and load.done.exception() is None and not self._closed:
            resident = load.done.result()
            if present is None:
                load.entry = self.cache.put(key[0], resident, resident.size_bytes, self._now_s(), pins=load.waiters)
                self._pictures.begin(key[0], resident.stamp)
                self._evict()
            else:
                load.entry, present.size_bytes = present, resident.size_bytes
                present.pins += load.waiters
        if present is not None:
            self.let_go(present)

    def _evict(self) -> None:
        if self._closed:
            return
        for entry in self.cache.entries():  # what was removed or replaced on disk: nobody will get it any more
            if entry.listed and not entry.pins and not self.is_current(entry):
                self.cache.remove(entry.name)
        loop = asyncio.get_running_loop()
        for entry in self.cache.evict(loop.time()):
            self._loader.unload(entry.value)
        if self._expiry is not None:
            self._expiry.cancel()
        due_s = self.cache.next_expiry_s()
        self._expiry = None if due_s is None else loop.call_at(due_s, self._evict)

    async def _show_first(self, name: str) -> None:
        held, self._first = self._first, await self.acquire(name, strict=True, all_intra=False)
        if held is not None:
            held.release()

    def _look_at_default(self) -> None:
        """Load it where it was replaced, or where a session could load what was damaged."""
        if self._closed or (self._renewal is not None and not self._renewal.done()):
            return
        stamp = self.store.stamp(self._default_name)
        repaired = self._default_trouble and self.cache.find(self._default_name) is not None
        if stamp is not None and (stamp != self._default_seen or repaired):
            self._renewal = asyncio.get_running_loop().create_task(self._renew_default())

    async def _renew_default(self) -> None:
        try:
            await self.warm()
        except ServiceError as error:
            structlog.get_logger().error("the default avatar was replaced and cannot be read", reason=error.message)

    def _found_damaged(self, name: str) -> None:
        if name != self._default_name:  # better a spot in the picture than no picture
            self.drop(name)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
