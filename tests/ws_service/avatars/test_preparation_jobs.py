"""Jobs over real children: one after the other, cancelled, given up, shut down; nothing is left of any."""

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.ws_service.avatars.test_store import put_avatar, put_documents
from ws_service.avatars import child_process
from ws_service.avatars.child_messages import DONE
from ws_service.avatars.job_queue import Job, JobQueue, JobState
from ws_service.avatars.preparation_jobs import PreparationJobs, Recording
from ws_service.avatars.recordings import Recordings
from ws_service.avatars.store import AvatarStore
from ws_service.errors import (
    AvatarBusy,
    AvatarExists,
    DiskFull,
    JobNotFound,
    JobsFull,
    NotReady,
    ProcessingFailed,
    ServiceError,
)

PORTRAIT = Path(__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"
NO_PICTURE = b"no picture"


def leftovers(folder: Path, pattern: str = ".*") -> list[Path]:
    return list(folder.glob(pattern))


def open_jobs(folder: Path, **bounds: float) -> PreparationJobs:
    queue = JobQueue(max_waiting=int(bounds.get("max_waiting", 3)), max_running=1, kept_s=60)
    return PreparationJobs(AvatarStore(folder), queue, timeout_s=bounds.get("timeout_s", 60), memory_bytes=1 << 30)


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[PreparationJobs]:
    opened = open_jobs(tmp_path)
    yield opened
    await opened.closed()
    assert not leftovers(tmp_path)


def sent(name: str, content: bytes = NO_PICTURE, *, replace: bool = False) -> Callable[[Path], Awaitable[Recording]]:
    async def receive(folder: Path) -> Recording:
        (folder / "image_file").write_bytes(content)
        return Recording(name, {"image_file": folder / "image_file"}, replace, ("remark",))

    return receive


async def over(jobs: PreparationJobs, job: Job) -> Job:
    while not job.state.has_ended:
        await jobs.change(job, job.changes, 30)
    return job


async def until(jobs: PreparationJobs, job: Job, fraction: float) -> None:
    while job.progress.fraction < fraction and not job.state.has_ended:
        await jobs.change(job, job.changes, 30)
    assert job.state is JobState.RUNNING


def recordings(folder: Path) -> list[Path]:
    return list(folder.glob(".uploads.*/*"))


async def test_a_photo_becomes_an_avatar_while_others_wait_and_are_cancelled(
    jobs: PreparationJobs, tmp_path: Path
) -> None:
    first = await jobs.submit(sent("anna", PORTRAIT.read_bytes()))
    second = await jobs.submit(sent("ben"))
    third = await jobs.submit(sent("carl"))
    assert (first.state, jobs.ahead_of(second), jobs.ahead_of(third)) == (JobState.RUNNING, 0, 1)
    with pytest.raises(AvatarBusy, match=first.job_id):
        await jobs.submit(sent("anna"))
    await jobs.submit(sent("dora"))
    with pytest.raises(JobsFull):
        await jobs.submit(sent("emil"))
    assert len(recordings(tmp_path)) == 4, "nothing remains of what was refused"
    assert (await jobs.cancel(second.job_id)).state is JobState.CANCELLED
    assert jobs.ahead_of(third) == 0
    assert len(recordings(tmp_path)) == 3
    await over(jobs, first)
    assert (first.state, first.error, first.remarks) == (JobState.DONE, None, ("remark",))
    assert first.thumbnail
    assert AvatarStore(tmp_path).names() == ["anna"]
    assert "not a picture" in ((await over(jobs, third)).error or "")
    assert third.state is JobState.FAILED
    with pytest.raises(AvatarExists, match="force_recreate"):
        await jobs.submit(sent("anna"))
    again = await jobs.submit(sent("anna", replace=True))
    assert (await over(jobs, again)).state is JobState.FAILED
    assert AvatarStore(tmp_path).read("anna").name == "anna", "what could not be replaced stays"
    assert not recordings(tmp_path)


async def test_a_job_that_runs_is_cancelled_and_the_next_one_runs(jobs: PreparationJobs, tmp_path: Path) -> None:
    first = await jobs.submit(sent("anna", PORTRAIT.read_bytes()))
    second = await jobs.submit(sent("ben"))
    await until(jobs, first, 0.1)
    await jobs.cancel(first.job_id)
    assert (first.state, first.error) == (JobState.CANCELLED, "It was cancelled")
    assert len(recordings(tmp_path)) == 1
    assert (await over(jobs, second)).state is JobState.FAILED
    assert (await jobs.cancel(second.job_id)).state is JobState.FAILED, "one that has ended stays as it is"
    assert not leftovers(tmp_path, ".anna.*")


async def test_a_job_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    jobs = open_jobs(tmp_path, timeout_s=0.3)
    job = await over(jobs, await jobs.submit(sent("anna", PORTRAIT.read_bytes())))
    assert (job.state, job.error) == (JobState.FAILED, "It took more than 0 s")
    await jobs.closed()
    assert not leftovers(tmp_path, "*")


async def test_at_the_end_all_jobs_end_and_nothing_more_is_taken(tmp_path: Path) -> None:
    jobs = open_jobs(tmp_path)
    running, waiting = await jobs.submit(sent("anna", PORTRAIT.read_bytes())), await jobs.submit(sent("ben"))
    watching = asyncio.create_task(jobs.change(waiting, waiting.changes, 60))
    await until(jobs, running, 0.05)
    await jobs.closed()
    await watching
    for job in (running, waiting):
        assert (job.state, job.error) == (JobState.CANCELLED, "The service is shutting down")
    with pytest.raises(NotReady):
        await jobs.submit(sent("carl"))
    assert not leftovers(tmp_path, "*")


async def test_an_upload_that_comes_in_at_the_end_is_refused_at_once(tmp_path: Path) -> None:
    jobs, comes_in = open_jobs(tmp_path), asyncio.Event()

    async def receive(folder: Path) -> Recording:
        (folder / "image_file").write_bytes(NO_PICTURE)
        comes_in.set()
        await asyncio.Event().wait()
        raise AssertionError

    upload = asyncio.create_task(jobs.submit(receive))
    await comes_in.wait()
    jobs.close()
    jobs.close()
    with pytest.raises(NotReady, match="shutting down"):
        await upload
    assert not recordings(tmp_path)
    await jobs.closed()
    assert not leftovers(tmp_path)


async def test_an_upload_that_fails_leaves_its_place_and_nothing_else(jobs: PreparationJobs, tmp_path: Path) -> None:
    async def gone(folder: Path) -> Recording:
        (folder / "image_file").write_bytes(b"half")
        raise ConnectionResetError

    for _ in range(5):
        with pytest.raises(ConnectionResetError):
            await jobs.submit(gone)
    assert not recordings(tmp_path)
    assert jobs.jobs() == []


@pytest.mark.parametrize(
    ("number", "refusal", "sentence"),
    [
        (errno.EROFS, ProcessingFailed, "cannot be kept: Read-only file system"),
        (errno.ENOSPC, DiskFull, "no room for the recording"),
    ],
)
async def test_a_disk_that_refuses_is_told_as_it_is(
    jobs: PreparationJobs, monkeypatch: pytest.MonkeyPatch, number: int, refusal: type[ServiceError], sentence: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Recordings, "new", refuse)
    with pytest.raises(refusal, match=sentence):
        await jobs.submit(sent("anna"))


async def test_a_name_that_something_else_has_is_refused_though_avatars_are_replaced(
    jobs: PreparationJobs, tmp_path: Path
) -> None:
    put_documents(tmp_path, "Documents")
    with pytest.raises(AvatarExists, match="'Documents' is no avatar, and stays; choose another name"):
        await jobs.submit(sent("Documents", replace=True))


async def test_a_job_nobody_knows_is_not_found(jobs: PreparationJobs) -> None:
    with pytest.raises(JobNotFound):
        jobs.job("x")
    with pytest.raises(JobNotFound):
        await jobs.cancel("x")


async def test_a_job_is_watched_without_spinning_while_the_service_shuts_down(tmp_path: Path) -> None:
    jobs = open_jobs(tmp_path)
    job = await jobs.submit(sent("anna", PORTRAIT.read_bytes()))
    await until(jobs, job, 0.05)
    jobs.close()
    seen, loops = job.changes, 0
    while not job.state.has_ended:
        await jobs.change(job, seen, 1.0)
        seen, loops = job.changes, loops + 1
        assert loops < 20
    await jobs.closed()


async def test_a_job_ends_and_the_next_one_runs_though_its_files_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Recordings) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Recordings, "sweep", fail)
    jobs = open_jobs(tmp_path)
    first, second = await jobs.submit(sent("anna")), await jobs.submit(sent("ben"))
    async with asyncio.timeout(30):
        assert [(await over(jobs, job)).state for job in (first, second)] == [JobState.FAILED, JobState.FAILED]
    await jobs.closed()


# the real child, which prepares in no time and is killed when it is about to tell a stage
DIES = """
import os, signal, sys
from pathlib import Path
from models.prepared_avatar import load_avatar, save_avatar
from ws_service.avatars import make_avatar, preparation_child as child
make_avatar.prepare = lambda order, name, folder, **_: save_avatar(load_avatar(Path(sys.argv[2])), folder)
tell = child.Reporter.progress
def die(reporter, stage, share):
    os.kill(os.getpid(), signal.SIGKILL) if stage == sys.argv[1] else tell(reporter, stage, share)
child.Reporter.progress = die
child.main()
"""


@pytest.mark.parametrize(("stage", "appears"), [("saving", False), ("done", True)])
async def test_a_job_is_done_when_its_avatar_has_appeared_though_its_child_was_killed_before_it_could_tell(
    jobs: PreparationJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, appears: bool
) -> None:
    put_avatar(tmp_path, "anna")
    before = AvatarStore(tmp_path).stamp("anna")
    monkeypatch.setattr(child_process, "_COMMAND", (sys.executable, "-P", "-c", DIES, stage, str(tmp_path / "anna")))
    job = await over(jobs, await jobs.submit(sent("anna", replace=True)))
    assert (AvatarStore(tmp_path).stamp("anna") != before) == appears
    if appears:
        assert (job.state, job.error, job.progress) == (JobState.DONE, None, DONE)
    else:
        assert (job.state, job.error) == (JobState.FAILED, "The preparation was ended by signal 9.")
    assert not leftovers(tmp_path, ".anna.*")
