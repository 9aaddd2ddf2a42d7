"""The event loop's side of generation: takes requests, starts batches when the policy says so, gives out mouths.

It also measures the card before the service is ready and says how many sessions may speak. Decides nothing itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol

import structlog

from models.interface import LipSyncEngine, Mouth, SpeechFrame, Voice
from models.prepared_avatar import PreparedAvatar
from ws_service.errors import ProcessingFailed
from ws_service.generation.batch_policy import BatchPolicy
from ws_service.generation.batch_times import BatchTimes
from ws_service.generation.capacity import Measurement, NoiseSource, full_rate_speakers
from ws_service.generation.request import GenerationRequest, PendingMouth
from ws_service.generation.speakers import SpeakerPlace, Speakers
from ws_service.generation.worker import Done, EngineWorker

EARLY_S = 0.001  # uvloop counts whole milliseconds: a timer this early is not set again


class BatchRunner(Protocol):
    """Where batches are computed: the engine's thread."""

    @property
    def busy_since_s(self) -> float | None:
        """When the batch in work was begun, by `time.monotonic`; None between two."""
        ...

    def start(self) -> None:
        """Begin to take batches."""
        ...

    def post(self, frames: Sequence[SpeechFrame], done: Done) -> None:
        """Compute a batch; `done` is called with the mouths or the failure, on any thread."""
        ...

    def stop(self) -> None:
        """Finish what is queued."""
        ...


class GenerationScheduler:
    """One engine for many sessions. Its methods run on the event loop."""

    def __init__(
        self,
        engine: LipSyncEngine,
        worker: BatchRunner | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """`worker`: the engine's own thread unless given. `clock`: what batches are timed by."""
        self.past_samples = engine.past_samples
        self.future_samples = engine.future_samples
        self.whole_utterances = engine.whole_utterances
        self.speakers = Speakers()
        self.batches = 0
        self.frames = 0
        self._engine = engine
        self._policy: BatchPolicy[GenerationRequest] = BatchPolicy()
        self._max_batch = engine.max_batch
        self._worker = worker or EngineWorker(engine)
        self._clock = clock
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

    @property
    def busy_since_s(self) -> float | None:
        """When the batch in work was begun, by `time.monotonic`; None between two."""
        return self._worker.busy_since_s

    @property
    def times(self) -> BatchTimes:
        """What batches take on this card, as measured; empty before `measure`."""
        return self._policy.times

    async def measure(self, avatar: PreparedAvatar) -> None:
        """Time batches of loud noise on a loaded avatar; from then on batches and speakers follow what was found.

        To be called before there are sessions. Raises `ProcessingFailed` when the engine cannot generate at all.
        """
        measurement, noise = Measurement(self._engine.max_batch), NoiseSource(self._engine, avatar)
        while (size := measurement.next_size) is not None:
            measurement.took(await self._time(noise.frames(size)))
        self._policy.times = measurement.times()
        self._set_speakers()
        structlog.get_logger().info("engine measured", **self._capacity())

    @property
    def turn_s(self) -> float:
        """How long a mouth may take from now on, as many as speak."""
        times = self._policy.times
        return times.turn_s(min(len(self.speakers), times.limit(self._max_batch)))

    def new_voice(self) -> Voice:
        """The engine's memory of a new utterance. Raises `ProcessingFailed`."""
        try:
            return self._engine.new_voice()
        except Exception as error:
            raise ProcessingFailed("The engine failed on this speech", {"reason": str(error)}) from error

    def new_speaker(self, *, asked_before: bool = False) -> SpeakerPlace:
        """A place for a session that begins to speak. `asked_before`: for the same speech. Raises `SpeakersFull`."""
        return self.speakers.enter(asked_before=asked_before)

    def describe(self) -> Mapping[str, Any]:
        """Name and figures of the engine."""
        return self._engine.describe()

    def figures(self) -> Mapping[str, Any]:
        """Name and figures of the engine, what the card carries, and who speaks now."""
        speakers = self.speakers
        now = {"speakers": len(speakers), "half_rate": speakers.at_half_rate, "refused_total": speakers.refused_total}
        return {**self._engine.describe(), "capacity": self._capacity() | now}

    def submit(self, frame: SpeechFrame, deadline_s: float) -> PendingMouth:
        """Ask for a mouth by `deadline_s`; cancel the future to drop it. Fails with `ProcessingFailed`."""
        request = GenerationRequest(frame, deadline_s, PendingMouth(loop=self._loop))
        self._policy.add(request)
        self._schedule()
        return request.mouth

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy:
            return
        starts_s = self._policy.starts_s(self._engine.max_batch)
        if starts_s is None:
            return
        if starts_s - EARLY_S <= self._loop.time():
            self._start_batch()
        else:
            self._timer = self._loop.call_at(starts_s, self._schedule)

    def _cancel_waiting(self) -> None:
        while batch := self._policy.take(self._engine.max_batch):
            for request in batch:
                request.mouth.cancel()
        self._schedule()

    def _start_batch(self) -> None:
        if self._engine.max_batch != self._max_batch:
            self._set_speakers()  # it ran out of memory: smaller batches, fewer frames a second
        batch = self._policy.take(self._engine.max_batch)
        self._policy.started(self._loop.time())
        self._busy = True
        self.batches += 1
        self.frames += len(batch)
        for request in batch:
            request.mouth.started = True

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

    async def _time(self, frames: Sequence[SpeechFrame]) -> float:
        """Seconds that a batch takes on the engine's thread."""
        finished: asyncio.Future[float] = self._loop.create_future()

        def tell(result: list[Mouth] | Exception, taken_s: float) -> None:
            self._busy = False
            if finished.done():
                return  # the service stops while it starts
            if isinstance(result, Exception):
                finished.set_exception(ProcessingFailed(f"The engine failed on a trial: {result}"))
            else:
                finished.set_result(taken_s)
            self._schedule()

        def done(result: list[Mouth] | Exception) -> None:
            self._loop.call_soon_threadsafe(tell, result, self._clock() - began_s)

        self._busy = True
        began_s = self._clock()
        self._worker.post(frames, done)
        return await finished

    def _set_speakers(self) -> None:
        self._max_batch = self._engine.max_batch
        self.speakers.full_rate = full_rate_speakers(self._policy.times, self._max_batch)

    def _capacity(self) -> dict[str, Any]:
        times = self._policy.times
        frames = times.frames_per_tick(self._max_batch)
        return {
            "batch_ms": {str(size): round(s * 1000, 2) for size, s in zip(times.sizes, times.seconds, strict=True)},
            "frames_per_tick": None if frames is None else round(frames, 1),
            "speakers_full_rate": self.speakers.full_rate,
            "speakers_limit": self.speakers.limit,
        }
