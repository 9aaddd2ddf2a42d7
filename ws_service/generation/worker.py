"""The engine's own thread: one batch at a time, results back by callback. Owns the thread, nothing else."""

import queue
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from models.interface import LipSyncEngine, Mouth, SpeechFrame

Done = Callable[[list[Mouth] | Exception], None]


class EngineWorker:
    """Runs `engine.generate` off the event loop. `done` is called on the worker's thread."""

    def __init__(self, engine: LipSyncEngine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[tuple[Sequence[SpeechFrame], Done] | None] = queue.SimpleQueue()
        self._busy_since_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def busy_since_s(self) -> float | None:
        """When the batch in work was begun, by `time.monotonic`; None between two. May be read on any thread."""
        return self._busy_since_s

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def post(self, frames: Sequence[SpeechFrame], done: Done) -> None:
        """Queue a batch; the scheduler posts one at a time."""
        self._jobs.put((frames, done))

    def stop(self) -> None:
        """Finish what is queued, then end the thread."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            frames, done = job
            self._busy_since_s = monotonic()
            # no name for the answer: a failure held here until the next batch would keep the broken engine alive
            done(self._timed(frames))

    def _timed(self, frames: Sequence[SpeechFrame]) -> list[Mouth] | Exception:
        try:
            return self._generated(frames)
        finally:
            self._busy_since_s = None

    def _generated(self, frames: Sequence[SpeechFrame]) -> list[Mouth] | Exception:
        try:
            mouths = self._engine.generate(frames)
        except Exception as error:  # whatever the engine raises belongs to the sessions of this batch
            return error
        except BaseException as error:  # an engine that calls for an exit ends its batch, not the thread
            return RuntimeError(f"the engine raised {error!r}")
        if len(mouths) != len(frames):
            return RuntimeError(f"the engine made {len(mouths)} mouths of {len(frames)} frames")
        return mouths
