"""Which job runs and waits, what is refused, what is kept: all by calls, none by time."""

from pathlib import Path

import pytest

from ws_service.avatars.child_messages import PreparationRequest, Progress
from ws_service.avatars.job_queue import MAX_ENDED, Job, JobQueue, JobState
from ws_service.errors import AvatarBusy, JobNotFound, JobsFull


def queue(*, max_waiting: int = 3, max_running: int = 1, kept_s: float = 60.0) -> JobQueue:
    return JobQueue(max_waiting=max_waiting, max_running=max_running, kept_s=kept_s)


def job(name: str, queued_s: float = 0.0) -> Job:
    return Job(f"job-{name}", PreparationRequest(name, Path("a"), {}, False, 1), queued_s)


def added(jobs: JobQueue, name: str) -> Job:
    jobs.begin_upload(f"job-{name}")
    one = job(name)
    jobs.add(one)
    return one


def test_the_oldest_waiting_job_runs_and_the_next_after_it() -> None:
    jobs = queue()
    first, second = added(jobs, "a"), added(jobs, "b")
    assert jobs.ahead_of(second) == 1
    assert jobs.start_next(1.0) is first
    assert (first.state, first.started_s) == (JobState.RUNNING, 1.0)
    assert jobs.start_next(1.0) is None, "one at a time"
    assert (jobs.ahead_of(first), jobs.ahead_of(second)) == (None, 0)
    jobs.end(first, JobState.DONE, 2.0)
    assert jobs.start_next(3.0) is second
    assert jobs.start_next(3.0) is None


def test_as_many_run_as_may() -> None:
    jobs = queue(max_running=2)
    for name in "abc":
        added(jobs, name)
    assert [jobs.start_next(0.0) is not None for _ in range(3)] == [True, True, False]


def test_jobs_that_wait_and_recordings_that_come_in_share_the_places() -> None:
    jobs = queue(max_waiting=2)
    jobs.begin_upload("u")
    added(jobs, "a")
    with pytest.raises(JobsFull, match="2 recordings wait"):
        jobs.begin_upload("v")
    jobs.end_upload("u")
    jobs.end_upload("u")
    jobs.begin_upload("v")
    jobs.start_next(0.0)  # a running job takes no place
    jobs.begin_upload("w")
    with pytest.raises(JobsFull):
        jobs.begin_upload("x")


def test_an_avatar_has_one_job_at_a_time_whether_it_waits_or_runs() -> None:
    jobs = queue()
    first = added(jobs, "a")
    for state in (JobState.QUEUED, JobState.RUNNING):
        assert first.state is state
        with pytest.raises(AvatarBusy, match="job-a"):
            jobs.add(job("a"))
        jobs.start_next(0.0)
    jobs.end(first, JobState.FAILED, 1.0, "no face")
    jobs.add(job("a"))


def test_the_first_ending_stands_and_late_news_are_dropped() -> None:
    jobs = queue()
    one = added(jobs, "a")
    jobs.start_next(0.0)
    jobs.report(one, Progress("looking", 0.3, 20.0, "jpeg"))
    jobs.report(one, Progress("cutting", 0.4))
    assert one.thumbnail == "jpeg", "the last one seen"
    jobs.end(one, JobState.CANCELLED, 2.0, "It was cancelled")
    changes = one.changes
    jobs.end(one, JobState.DONE, 3.0)
    jobs.report(one, Progress("saving", 0.9))
    assert (one.state, one.error, one.ended_s) == (JobState.CANCELLED, "It was cancelled", 2.0)
    assert (one.progress.stage, one.changes) == ("cutting", changes)


def test_whatever_can_be_seen_of_a_job_counts_as_a_change() -> None:
    jobs = queue()
    one, two = added(jobs, "a"), added(jobs, "b")
    jobs.start_next(0.0)
    assert one.changes == two.changes == 1, "it runs; it has moved up"
    jobs.report(one, Progress("looking", 0.3))
    jobs.end(one, JobState.DONE, 1.0)
    assert one.changes == 3


def test_what_ended_is_kept_for_a_while_and_what_has_not_for_ever() -> None:
    jobs = queue(kept_s=60.0)
    one, two = added(jobs, "a"), added(jobs, "b")
    jobs.end(one, JobState.CANCELLED, 100.0)
    assert jobs.job("job-a", 160.0) is one
    assert jobs.jobs(160.0) == [one, two]
    assert jobs.jobs(160.1) == [two]
    with pytest.raises(JobNotFound, match="kept for 60 s"):
        jobs.job("job-a", 160.1)
    assert jobs.job("job-b", 1e9) is two


def test_of_what_ended_only_so_many_are_kept() -> None:
    jobs = queue(kept_s=1e9)
    for index in range(MAX_ENDED + 5):
        jobs.end(added(jobs, str(index)), JobState.FAILED, float(index))
    kept = jobs.jobs(1000.0)
    assert len(kept) == MAX_ENDED
    assert kept[0].job_id == "job-5"
