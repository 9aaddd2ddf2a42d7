"""The event loop's side of generation: takes requests, starts batches when the policy says so, gives out mouths."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from models.interface import LipSyncEngine, Mouth, SpeechFrame, Voice
from ws_service.errors import ProcessingFailed
from ws_service.generation.batch_policy import BatchPolicy
from ws_service.generation.request import GenerationRequest
from ws_service.generation.worker import EngineWorker

SLACK_S = 0.016  # of a 40 ms tick; a batch of the light engine takes a few ms
EARLY_S = 0.001  # uvloop counts whole milliseconds: a timer this early is not set again


class GenerationScheduler:
    """One engine for many sessions. Its methods run on the event loop."""

    def __init__(self, engine: LipSyncEngine, slack_s: float = SLACK_S) -> None:
        self.past_samples = engine.past_samples
        self.future_samples = engine.future_samples
        self.batches = 0
        self.frames = 0
        self._engine = engine
        self._policy: BatchPolicy[GenerationRequest] = BatchPolicy(engine.max_batch, slack_s)
        self._worker = EngineWorker(engine)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False

    def start(self) -> None:
        """Start the engine's thread."""
        self._worker.start()

    def stop(self) -> None:
        """Cancel the requests that wait and end the engine's thread. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._cancel_waiting)
        self._worker.stop()

    @property
    def busy(self) -> bool:
        """A batch is in work."""
        return self._busy

    def new_voice(self) -> Voice:
        """The engine's memory of a new utterance. Raises `ProcessingFailed`."""
        try:
            return self._engine.new_voice()
        except Exception as error:
            raise ProcessingFailed("The engine failed on this speech", {"reason": str(error)}) from error

    def describe(self) -> Mapping[str, Any]:
        """Name and figures of the engine."""
        return self._engine.describe()

    def submit(self, frame: SpeechFrame, deadline_s: float) -> "asyncio.Future[Mouth]":
        """Ask for a mouth by `deadline_s`; cancel the future to drop it. Fails with `ProcessingFailed`."""
        request = GenerationRequest(frame, deadline_s, self._loop.create_future())
        self._policy.add(request)
        self._schedule()
        return request.mouth

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy:
            return
        starts_s = self._policy.starts_s()
        if starts_s is None:
            return
        if starts_s - EARLY_S <= self._loop.time():
            self._start_batch()
        else:
            self._timer = self._loop.call_at(starts_s, self._schedule)

    def _cancel_waiting(self) -> None:
        while batch := self._policy.take():
            for request in batch:
                request.mouth.cancel()
        self._schedule()

    def _start_batch(self) -> None:
        batch = self._policy.take()
        self._busy = True
        self.batches += 1
        self.frames += len(batch)

        def done(result: list[Mouth] | Exception) -> None:
            self._loop.call_soon_threadsafe(self._finish, batch, result)

        self._worker.post([request.frame for request in batch], done)

    def _finish(self, batch: list[GenerationRequest], result: list[Mouth] | Exception) -> None:
        self._busy = False
        if isinstance(result, Exception):
            structlog.get_logger().error("engine failed", error=repr(result), frames=len(batch))
        for position, request in enumerate(batch):
            if request.dropped:
                continue
            if isinstance(result, Exception):
                request.mouth.set_exception(
                    ProcessingFailed("The engine failed on this speech", {"reason": str(result)})
                )
            else:
                request.mouth.set_result(result[position])
        self._schedule()
