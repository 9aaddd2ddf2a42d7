"""Preparation jobs on the event loop: takes recordings, runs one child after the other, tells whoever watches.

Owns the tasks and the threads that hear the children; what runs and what waits is the queue's decision. All files are
touched on threads. Jobs live in this process alone: a service that is started anew has none.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from uuid import uuid4

import structlog

from ws_service.avatars.child_messages import DONE, Ending, PreparationRequest, Progress
from ws_service.avatars.child_process import PreparationChild
from ws_service.avatars.job_queue import Job, JobQueue, JobState
from ws_service.avatars.recordings import Recordings, cannot_be_kept
from ws_service.avatars.store import AvatarStore, is_taken_otherwise
from ws_service.errors import AvatarExists, NotReady

_CANCELLED = "It was cancelled"
_SHUTTING_DOWN = "The service is shutting down"


@dataclass(frozen=True, slots=True)
class Recording:
    """What was sent, by field of the form, and what is to become of it. `remarks`: what was asked without effect.

    `actions`, `steadying`: as of `PreparationRequest`.
    """

    avatar_id: str
    sources: Mapping[str, Path]
    replace: bool
    remarks: tuple[str, ...] = ()
    actions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    steadying: Mapping[str, bool] = field(default_factory=dict)


class PreparationJobs:
    """Jobs of one service over one folder of avatars. Its methods run on the event loop."""

    def __init__(self, store: AvatarStore, queue: JobQueue, *, timeout_s: float, memory_bytes: int) -> None:
        """`timeout_s`, `memory_bytes`: what one child may take."""
        self._store = store
        self._queue = queue
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._recordings = Recordings(store.folder)
        self._threads = ThreadPoolExecutor(queue.max_running, thread_name_prefix="preparation")
        self._running: dict[str, _Running] = {}
        self._uploads: set[asyncio.Timeout] = set()  # of what comes in now: nothing but `close` ends them
        self._changed = asyncio.Event()
        self._closed = False

    async def sweep(self) -> None:
        """Remove what killed services left, at the start."""
        await asyncio.to_thread(self._recordings.sweep)

    async def submit(self, receive: Callable[[Path], Awaitable[Recording]]) -> Job:
        """Queue the recording that `receive` writes into a folder made for it.

        Raises `ServiceError`: when nothing more is taken, when `receive` refuses what was sent, when the avatar is
        there or being prepared. Nothing of the recording remains then.
        """
        if self._closed:
            raise NotReady(_SHUTTING_DOWN)
        job_id = str(uuid4())
        self._queue.begin_upload(job_id)
        try:
            recording = await self._received(job_id, receive)
            self.check(recording.avatar_id, replace=recording.replace)
        except BaseException:
            self._queue.end_upload(job_id)
            await asyncio.shield(asyncio.to_thread(self._recordings.remove, job_id))
            raise
        request = PreparationRequest(
            recording.avatar_id,
            self._store.folder,
            recording.sources,
            recording.replace,
            self._memory_bytes,
            recording.actions,
            recording.steadying,
        )
        job = Job(job_id, request, monotonic(), recording.remarks)
        self._queue.add(job)
        self._start_next()
        return job

    def check(self, avatar_id: str, *, replace: bool) -> None:
        """Raises `AvatarExists` or `AvatarBusy` when a recording for this avatar would be refused now."""
        self._queue.check(avatar_id)
        if not replace and self._store.exists(avatar_id):
            raise AvatarExists(f"There is an avatar named {avatar_id!r} already; force_recreate=true replaces it")
        if is_taken_otherwise(self._store.folder / avatar_id):
            raise AvatarExists(f"What lies under {avatar_id!r} is no avatar, and stays; choose another name")

    @property
    def max_waiting(self) -> int:
        """How many jobs may wait, recordings that come in now included."""
        return self._queue.max_waiting

    def job(self, job_id: str) -> Job:
        """Raises `JobNotFound`."""
        return self._queue.job(job_id, monotonic())

    def jobs(self) -> list[Job]:
        """All that are known, the oldest first."""
        return self._queue.jobs(monotonic())

    def ahead_of(self, job: Job) -> int | None:
        """How many jobs wait before it; None when it does not wait."""
        return self._queue.ahead_of(job)

    async def cancel(self, job_id: str) -> Job:
        """End a job, whatever it does; its files are gone then. One that has ended stays as it is."""
        job = self.job(job_id)
        if running := self._running.get(job_id):
            running.stop(JobState.CANCELLED, _CANCELLED)
            await running.over()
        elif not job.state.has_ended:
            self._end(job, JobState.CANCELLED, _CANCELLED)
            await asyncio.to_thread(self._recordings.remove, job_id)
        return job

    async def change(self, job: Job, seen: int, timeout_s: float) -> None:
        """Wait until there is more to see of the job than `seen` changes, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while job.changes <= seen:
                    await self._changed.wait()

    def close(self) -> None:
        """Take nothing more, end what comes in, runs and waits. Returns at once."""
        self._closed = True
        for upload in self._uploads:
            upload.reschedule(asyncio.get_running_loop().time())
        self._uploads.clear()
        for job in self.jobs():
            if job.state is JobState.QUEUED:
                self._end(job, JobState.CANCELLED, _SHUTTING_DOWN)
        for running in self._running.values():
            running.stop(JobState.CANCELLED, _SHUTTING_DOWN)
        self._tell()

    async def closed(self) -> None:
        """`close`, and wait until all children have ended and all recordings are removed."""
        self.close()
        for running in list(self._running.values()):
            await running.over()
        self._threads.shutdown()
        await asyncio.to_thread(self._recordings.close)

    async def _received(self, job_id: str, receive: Callable[[Path], Awaitable[Recording]]) -> Recording:
        """Raises `NotReady` when the service shuts down before it has come whole."""
        try:
            async with asyncio.timeout(None) as upload:
                self._uploads.add(upload)
                try:
                    recording = await receive(await self._folder(job_id))
                finally:
                    self._uploads.discard(upload)
        except TimeoutError:
            if not self._closed:
                raise
        if self._closed:
            raise NotReady(_SHUTTING_DOWN)
        return recording

    async def _folder(self, job_id: str) -> Path:
        try:
            return await asyncio.to_thread(self._recordings.new, job_id)
        except OSError as error:
            raise cannot_be_kept(error) from error

    def _start_next(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed and (job := self._queue.start_next(monotonic())) is not None:
            child = PreparationChild(job.request, partial(self._hear, loop, job))
            running = self._running[job.job_id] = _Running(child)
            running.task = loop.create_task(self._run(job, running))
        self._tell()

    async def _run(self, job: Job, running: "_Running") -> None:
        """Run the child of a job to its end, and the next job after it."""
        ending = Ending("The preparation broke off.")
        try:
            ending = await self._ending(running)
            await asyncio.to_thread(self._clear_up, job.job_id)
        except OSError as error:  # what could not be removed is swept with the next job
            structlog.get_logger().warning("a preparation left files", job=job.job_id, error=str(error))
        finally:
            self._conclude(job, running, ending)

    async def _ending(self, running: "_Running") -> Ending:
        working = asyncio.get_running_loop().run_in_executor(self._threads, running.child.run)
        await asyncio.wait([working], timeout=self._timeout_s)
        if not working.done():
            running.stop(JobState.FAILED, f"It took more than {self._timeout_s:.0f} s")
        return await working

    def _conclude(self, job: Job, running: "_Running", ending: Ending) -> None:
        job.peak_memory_bytes = ending.peak_memory_bytes
        if ending.error is None:
            self._queue.report(job, DONE)  # a child that was killed may not have told
            self._end(job, JobState.DONE)
        else:
            self._end(job, *(running.stopped or (JobState.FAILED, ending.error)))
        log = structlog.get_logger().bind(job=job.job_id, avatar=job.request.avatar_id)
        log.info("preparation ended", state=job.state.value, error=job.error)
        if ending.trace:
            log.error("preparation failed in an unexpected way", trace=ending.trace)
        del self._running[job.job_id]
        self._start_next()

    def _clear_up(self, job_id: str) -> None:
        self._recordings.remove(job_id)
        self._recordings.sweep()  # what a child that was killed left

    def _hear(self, loop: asyncio.AbstractEventLoop, job: Job, progress: Progress) -> None:
        """On the child's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(self._report, job, progress)

    def _report(self, job: Job, progress: Progress) -> None:
        self._queue.report(job, progress)
        self._tell()

    def _end(self, job: Job, state: JobState, error: str | None = None) -> None:
        self._queue.end(job, state, monotonic(), error)
        self._tell()

    def _tell(self) -> None:
        """Wake everybody who watches."""
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(slots=True)
class _Running:
    """A job at work. `stopped`: what becomes of it, unless it is done before it hears."""

    child: PreparationChild
    task: asyncio.Task[None] | None = None
    stopped: tuple[JobState, str] | None = None

    def stop(self, state: JobState, why: str) -> None:
        """End the child; the first reason stands."""
        self.stopped = self.stopped or (state, why)
        self.child.stop()

    async def over(self) -> None:
        """Wait until nothing of it is left."""
        if self.task is not None:
            await asyncio.wait([self.task])
