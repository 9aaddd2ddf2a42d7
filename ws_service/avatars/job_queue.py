"""Which preparation runs, which waits, what became of each. Synchronous; knows no process, file or clock.

Owns the jobs' states and bounds: so many wait, so many run, and what has ended is kept for a while, so that whoever
asked learns of it. The oldest waiting job is the next. One job for one avatar at a time.

    queued -> running -> done | failed | cancelled
       `----------------------------------^
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from ws_service.avatars.child_messages import PreparationRequest, Progress
from ws_service.errors import AvatarBusy, JobNotFound, JobsFull

MAX_ENDED = 200  # kept at most, however young


class JobState(StrEnum):
    """Of one job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Nothing will change any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(slots=True)
class Job:
    """One avatar being prepared. Times in seconds of the caller's clock. `changes` counts what there was to see."""

    job_id: str
    request: PreparationRequest
    queued_s: float
    remarks: tuple[str, ...] = ()
    state: JobState = JobState.QUEUED
    progress: Progress = field(default_factory=lambda: Progress("waiting", 0.0))
    thumbnail: str = ""  # the last one seen: a JPEG in base64
    started_s: float | None = None
    ended_s: float | None = None
    error: str | None = None
    peak_memory_bytes: int = 0
    changes: int = 0


class JobQueue:
    """All jobs, in the order in which they came."""

    def __init__(self, *, max_waiting: int, max_running: int, kept_s: float) -> None:
        """`kept_s`: how long a job that has ended can be asked for."""
        self.max_waiting = max_waiting
        self.max_running = max_running
        self._kept_s = kept_s
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._uploads: set[str] = set()

    def begin_upload(self, job_id: str) -> None:
        """Keep a place for a recording that comes in now. Raises `JobsFull` when there is none."""
        if len(self._waiting()) + len(self._uploads) >= self.max_waiting:
            raise JobsFull(f"{self.max_waiting} recordings wait to be prepared already; try again later")
        self._uploads.add(job_id)

    def end_upload(self, job_id: str) -> None:
        """It has come, or will not come. Idempotent."""
        self._uploads.discard(job_id)

    def check(self, avatar_id: str) -> None:
        """Raises `AvatarBusy` when a job for this avatar waits or runs."""
        for job in self._jobs.values():
            if job.request.avatar_id == avatar_id and not job.state.has_ended:
                raise AvatarBusy(f"Job {job.job_id} prepares {avatar_id!r} already; wait for it or cancel it")

    def add(self, job: Job) -> None:
        """The job waits, in the place of its upload. Raises `AvatarBusy`."""
        self.check(job.request.avatar_id)
        self.end_upload(job.job_id)
        self._jobs[job.job_id] = job

    def start_next(self, now_s: float) -> Job | None:
        """The job to be run now, or None when none waits or enough are running."""
        running = sum(job.state is JobState.RUNNING for job in self._jobs.values())
        waiting = self._waiting()
        if not waiting or running >= self.max_running:
            return None
        job = waiting[0]
        job.state, job.started_s = JobState.RUNNING, now_s
        job.progress = Progress("starting", 0.0)
        for each in waiting:
            each.changes += 1  # its place
        return job

    def report(self, job: Job, progress: Progress) -> None:
        """News of a running job; late news of one that has ended are dropped."""
        if job.state is JobState.RUNNING:
            job.progress = progress
            job.thumbnail = progress.thumbnail or job.thumbnail
            job.changes += 1

    def end(self, job: Job, state: JobState, now_s: float, error: str | None = None) -> None:
        """The job is over; the first ending stands."""
        if not job.state.has_ended:
            job.state, job.ended_s, job.error = state, now_s, error
            job.changes += 1

    def job(self, job_id: str, now_s: float) -> Job:
        """Raises `JobNotFound`."""
        self._forget(now_s)
        if job_id not in self._jobs:
            raise JobNotFound(f"There is no such job; jobs that ended are kept for {self._kept_s:.0f} s")
        return self._jobs[job_id]

    def jobs(self, now_s: float) -> list[Job]:
        """All of them, the oldest first."""
        self._forget(now_s)
        return list(self._jobs.values())

    def ahead_of(self, job: Job) -> int | None:
        """How many wait before it; None when it does not wait."""
        return self._waiting().index(job) if job.state is JobState.QUEUED else None

    def _waiting(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state is JobState.QUEUED]

    def _forget(self, now_s: float) -> None:
        ended = [job for job in self._jobs.values() if job.ended_s is not None]
        too_many = len(ended) - MAX_ENDED
        for index, job in enumerate(ended):
            if index < too_many or (job.ended_s is not None and now_s - job.ended_s > self._kept_s):
                del self._jobs[job.job_id]
