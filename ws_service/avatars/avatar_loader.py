"""Reads an avatar from the disk, encodes it and hands it to the engine, on threads of its own, several at a time.

Owns these threads, what an avatar is in memory, and which ones the engine has just refused. Who uses it, and for how
long it stays, is the library's.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from models.errors import EngineFailure, ModelError
from models.interface import LipSyncEngine
from models.prepared_avatar import PreparedAvatar
from ws_service.avatars.loop_files import Loops, avatar_loops
from ws_service.avatars.store import AvatarStore, Stamp
from ws_service.errors import AvatarDamaged, EngineUnavailable, ProcessingFailed
from ws_service.video.encoder import EncodingError

_THREADS = 4
_TRY_AGAIN_S = 60.0  # what the engine refused: its own material may be mended, which the stamp does not tell
_BASE64 = 4 / 3  # of packets: made when they are first sent, and kept


@dataclass(slots=True, eq=False)
class ResidentAvatar:
    """An avatar in memory. `loops` by `all_intra`. `engine_bytes`: what the engine made for it."""

    avatar: PreparedAvatar
    stamp: Stamp
    engine_bytes: int
    loops: dict[bool, Loops] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Memory it takes once everything of it has been shown, mapped pictures included."""
        packets = sum(loop.size_bytes for loops in self.loops.values() for loop in loops.values())
        return self.avatar.size_bytes + self.engine_bytes + int(packets * (1 + _BASE64))


class AvatarLoader:
    """Its methods return at once. Futures raise `AvatarNotFound`, `AvatarDamaged` or `ProcessingFailed`."""

    def __init__(
        self,
        store: AvatarStore,
        engine: LipSyncEngine,
        *,
        encoder_name: str,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`encoder_name`: what encodes the loops."""
        self._store = store
        self._engine = engine
        self._encoder_name = encoder_name
        self._clock_s = clock_s
        self._refused: dict[str, tuple[Stamp, float, AvatarDamaged]] = {}  # and when
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="avatars")

    def refuse_damaged(self, name: str, stamp: Stamp) -> None:
        """Raises `AvatarDamaged` where the engine has just refused this writing: no need to let it fail again."""
        if name in self._refused:
            refused, refused_s, error = self._refused[name]
            if refused == stamp and self._clock_s() < refused_s + _TRY_AGAIN_S:
                raise AvatarDamaged(error.message, error.details)

    def look_again(self, name: str) -> None:
        """Forget that it was refused: somebody may have repaired it."""
        self._refused.pop(name, None)

    def load(self, name: str, stamp: Stamp, *, all_intra: bool) -> Future[ResidentAvatar]:
        """From the disk."""
        return self._threads.submit(self._read, name, stamp, all_intra)

    def encode(self, resident: ResidentAvatar, *, all_intra: bool) -> Future[ResidentAvatar]:
        """The other loops of one that is in memory."""
        return self._threads.submit(self._encode, resident, all_intra)

    def unload(self, resident: ResidentAvatar) -> None:
        """Let the engine forget it; it may wait for an avatar that it prepares now. On the event loop."""
        asyncio.get_running_loop().run_in_executor(self._threads, self._engine.unload_avatar, resident.avatar)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, name: str, stamp: Stamp, all_intra: bool) -> ResidentAvatar:
        self._store.forget_damage(name)
        avatar = self._store.read(name)
        try:
            engine_bytes = self._engine.load_avatar(avatar)
        except EngineFailure as error:
            raise EngineUnavailable(f"Avatar {name!r} cannot be used: {error}", {"avatar": name}) from error
        except ModelError as error:
            self._store.note_damage(name, stamp, f"the engine cannot use it: {error}")
            refusal = AvatarDamaged(f"Avatar {name!r} cannot be used: {error}", {"avatar": name})
            self._refused[name] = (stamp, self._clock_s(), refusal)
            raise refusal from error
        try:
            # replaced since it was asked for: the next to ask reads it again
            return self._encode(ResidentAvatar(avatar, stamp, engine_bytes), all_intra)
        except BaseException:
            self._engine.unload_avatar(avatar)
            raise

    def _encode(self, resident: ResidentAvatar, all_intra: bool) -> ResidentAvatar:
        name = resident.avatar.name
        try:
            loops = avatar_loops(resident.avatar, all_intra=all_intra, encoder_name=self._encoder_name)
        except EncodingError as error:
            raise ProcessingFailed(f"Avatar {name!r} cannot be encoded: {error}", {"avatar": name}) from error
        resident.loops[all_intra] = loops
        return resident
