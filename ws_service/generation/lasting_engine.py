"""An engine that outlives its own failures: in front of the real one, which is made anew when it breaks.

Owns which engine is the present one, which avatars it must know, and the thread that makes the next. The sessions keep
their streams and their voices meanwhile; whatever asks in that time gets an `EngineFailure`. When the device is gone,
or engine after engine breaks, `lost` says why: then only a new process helps, and the watchdog ends this one.

A plain `ModelError` is about one input and breaks nothing. Whatever else `generate` raises does; a failure of
`load_avatar` or `paint` does not, because these are about one avatar or one picture, which would fail again.
"""

import gc
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import structlog

from models.errors import EngineFailure, EngineLost, ModelError
from models.interface import BaseFrame, LipSyncEngine, Mouth, Picture, SpeechFrame, Voice
from models.prepared_avatar import PreparedAvatar
from ws_service.generation.capacity import NoiseSource
from ws_service.generation.rebuild_plan import RebuildPlan


class LastingEngine:
    """A `LipSyncEngine` that delegates to the present one. `generate` is the engine thread's, the rest any thread's."""

    def __init__(self, make: Callable[[], LipSyncEngine], plan: RebuildPlan | None = None) -> None:
        """`make`: a new engine, always of the same kind. Raises what it raises: the first one is not tried twice."""
        self._make = make
        self._plan = plan or RebuildPlan()
        engine = make()
        self._engine: LipSyncEngine | None = engine
        self.name = engine.name
        self.past_samples = engine.past_samples
        self.future_samples = engine.future_samples
        self.whole_utterances = engine.whole_utterances
        self._max_batch = engine.max_batch
        self._described = engine.describe()
        self._avatars: set[PreparedAvatar] = set()
        self._lock = threading.Lock()  # of the present engine and the avatars it must know; never held over work
        self._closed = threading.Event()
        self._rebuilds = 0
        self._lost: str | None = None
        self._rebuilding_since_s: float | None = None

    @property
    def max_batch(self) -> int:
        """The present engine's; the last one's while there is none."""
        engine = self._engine
        if engine is not None:
            self._max_batch = engine.max_batch
        return self._max_batch

    @property
    def lost(self) -> str | None:
        """Why no engine can be had in this process any more; None while there is hope."""
        return self._lost

    @property
    def rebuilds(self) -> int:
        """How often the engine was made anew."""
        return self._rebuilds

    @property
    def rebuilding_since_s(self) -> float | None:
        """When the attempt to make an engine was begun that is in work now, by `time.monotonic`."""
        return self._rebuilding_since_s

    @property
    def state(self) -> str:
        """`running`, `rebuilding` or `lost`."""
        if self._lost is not None:
            return "lost"
        return "running" if self._engine is not None else "rebuilding"

    def close(self) -> None:
        """Make no further engine."""
        self._closed.set()

    def new_voice(self) -> Voice:
        """The memory of a new utterance; it stays good when the engine is replaced."""
        return self._present().new_voice()

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        """Make what painting needs, now and in every later engine.

        Raises `ModelError` where the engine cannot use the avatar, `EngineFailure` for whatever else went wrong.
        """
        while True:
            engine = self._present()
            try:
                size_bytes = engine.load_avatar(avatar)
            except EngineLost as error:
                self._lose(str(error))
                raise
            except ModelError:
                raise
            except Exception as error:  # of one avatar: the others are shown on
                structlog.get_logger().error("avatar failed in the engine", avatar=avatar.name, exc_info=error)
                raise EngineFailure("the engine failed on it in an unexpected way, which the log tells") from error
            with self._lock:
                if self._engine is engine:
                    self._avatars.add(avatar)
                    return size_bytes

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        """Forget an avatar; unknown ones are fine."""
        with self._lock:
            self._avatars.discard(avatar)
            engine = self._engine
        if engine is not None:
            engine.unload_avatar(avatar)

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """One mouth per frame. Raises `ModelError`; one that breaks the engine has another made beside it."""
        engine = self._present()
        try:
            mouths = engine.generate(frames)
        except EngineLost as error:
            self._lose(str(error))
            raise
        except ModelError:
            raise
        except Exception as error:
            failure = repr(error)
            structlog.get_logger().error("the engine broke and is made anew", exc_info=error)
        else:
            self._plan.worked()
            return mouths
        del engine  # the error below must not keep the broken engine and its memory alive
        self._replace()
        raise EngineFailure(f"the engine broke: {failure}")

    def paint(self, mouth: Mouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """The base picture with the mouth on it."""
        return self._present().paint(mouth, weight, avatar, base)

    def describe(self) -> dict[str, Any]:
        """The present engine's figures, and how it has fared."""
        engine = self._engine
        if engine is not None:
            self._described = engine.describe()
        fared = {"state": self.state, "rebuilds": self._rebuilds}
        return self._described | fared | ({} if self._lost is None else {"lost": self._lost})

    def _present(self) -> LipSyncEngine:
        engine = self._engine
        if self._lost is not None:
            raise EngineLost(self._lost)
        if engine is None:
            raise EngineFailure("the engine is being made anew")
        return engine

    def _replace(self) -> None:
        with self._lock:
            self._engine = None
        wait_s = self._plan.broke()
        if wait_s is None:
            self._lose(f"it broke again and again ({self._plan.attempts} times made anew)")
        else:
            threading.Thread(target=self._rebuild, args=(wait_s,), name="engine-rebuild", daemon=True).start()

    def _rebuild(self, first_wait_s: float) -> None:
        """On a thread of its own: attempts until one succeeds or the plan gives up."""
        wait_s: float | None = first_wait_s
        failure = ""
        frozen = gc.get_freeze_count() > 0  # collections are spared what the service loaded, the broken engine with it
        while wait_s is not None:
            if self._closed.wait(wait_s):
                return
            gc.unfreeze()
            gc.collect()  # two of them may not fit into the device's memory
            self._rebuilding_since_s = monotonic()
            try:
                self._install(*self._made())
                if frozen:
                    gc.collect()
                    gc.freeze()
                return
            except EngineLost as error:
                self._lose(str(error))
                return
            except Exception as error:  # whatever it is, it is why there is no engine yet
                failure = str(error) or repr(error)
                structlog.get_logger().error("the engine could not be made anew", exc_info=error)
                wait_s = self._plan.broke()
            finally:
                self._rebuilding_since_s = None
        self._lose(f"it could not be made anew: {failure}")

    def _made(self) -> tuple[LipSyncEngine, set[PreparedAvatar]]:
        """A new engine that knows the avatars and has shown that it works, and which avatars these are."""
        engine = self._make()
        with self._lock:
            avatars = set(self._avatars)
        for avatar in avatars:
            engine.load_avatar(avatar)
        for avatar in list(avatars)[:1]:
            engine.generate(NoiseSource(engine, avatar).frames(1))
        return engine, avatars

    def _install(self, engine: LipSyncEngine, avatars: set[PreparedAvatar]) -> None:
        with self._lock:
            forgotten = avatars - self._avatars
            self._engine = engine
            self._rebuilds += 1
        for avatar in forgotten:
            engine.unload_avatar(avatar)
        structlog.get_logger().warning(
            "the engine runs again", rebuilds=self._rebuilds, avatars=sorted(a.name for a in avatars)
        )

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._engine = None
            self._lost = self._lost or reason
        structlog.get_logger().critical("the engine is lost", reason=reason)
