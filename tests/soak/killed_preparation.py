"""Kills services and their preparation children at random moments: `python -m tests.soak.killed_preparation`.

After each kill every avatar that is listed is whole, a job is done when its avatar is there and else failed, the next
try succeeds, and nothing is left over. Linux only.
"""

import argparse
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from models.prepared_avatar import load_avatar
from tests.end_to_end.running_service import RunningService
from ws_service.avatars.store import AvatarStore

PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"
NAME = "killed"


class KilledService:
    """A service over `folder` that is killed, or its child is, and that is started again where it must be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start()

    def __enter__(self) -> "KilledService":
        return self

    def __exit__(self, *_: object) -> None:
        self._service.stop()

    def kill(self, whom: str, after_s: float) -> str:
        """Begin to prepare, kill `whom` ("service" or "child") so much later, and check what there is.

        Returns what became of the job, for whoever reads along.
        """
        before = _inode(self._folder / NAME)
        job = self._begin()
        time.sleep(after_s)
        children = _children(self._service.process.pid)
        if whom == "child":
            for child in children:
                _kill(child)
            outcome = self._ended(job)["state"]
            assert (outcome == "done") == (_inode(self._folder / NAME) != before), outcome
        else:
            self._service.process.kill()
            self._service.stop()
            for child in children:
                _wait_until_gone(child)
            outcome = "gone"
            self._check_avatars()
            self._start()
        self._check_avatars()
        self._check_leftovers()
        return str(outcome)

    def succeed(self) -> None:
        """Prepare undisturbed: the avatar is there, new."""
        before = _inode(self._folder / NAME)
        job = self._ended(self._begin())
        assert job["state"] == "done", job
        assert _inode(self._folder / NAME) not in (None, before)
        self._check_avatars()
        self._check_leftovers()

    def _start(self) -> None:
        self._service = RunningService(self._folder)
        self._service.address()
        self._service.wait_ready()

    def _begin(self) -> str:
        with PORTRAIT.open("rb") as photo:
            form = {"avatar_id": NAME, "force_recreate": "true"}
            url = self._service.http + "/avatars/prepare"
            answer = httpx.post(url, data=form, files={"image_file": photo}, timeout=30, trust_env=False)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def _ended(self, job_id: str) -> dict[str, Any]:
        with httpx.stream("GET", f"{self._service.http}/jobs/{job_id}/events", timeout=60, trust_env=False) as events:
            last = [line for line in events.iter_lines() if line.startswith('data: {"job_id"')][-1]
        return dict(json.loads(last.removeprefix("data: ")))

    def _check_avatars(self) -> None:
        """Each avatar that is listed is whole."""
        for name in AvatarStore(self._folder).names():
            load_avatar(self._folder / name)

    def _check_leftovers(self) -> None:
        """Beside the avatars there is at most the folder for recordings, and it is empty."""
        left = [entry for entry in self._folder.iterdir() if entry.name.startswith(".")]
        assert all(entry.name.startswith(".uploads.") and not list(entry.iterdir()) for entry in left), left
        assert len(left) <= 1, left


def _inode(folder: Path) -> int | None:
    return folder.stat().st_ino if folder.exists() else None


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_gone(pid: int) -> None:
    until_s = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").exists() and _state(pid) != "Z":
        assert time.monotonic() < until_s, "a child outlives its service"
        time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def kill_at_random_moments(
    folder: Path, moments: int, longest_s: float, seed: int, tell: Callable[[str], object], *, each_succeeds: bool
) -> None:
    """`each_succeeds`: prepare undisturbed after each kill, else once at the end."""
    rng = random.Random(seed)
    whom = itertools.cycle(("child", "service"))
    with KilledService(folder) as service:
        for index in range(moments):
            killed, after_s = next(whom), rng.uniform(0, longest_s)
            outcome = service.kill(killed, after_s)
            tell(f"{index + 1}: the {killed} killed after {after_s:.2f} s; the job: {outcome}")
            if each_succeeds:
                service.succeed()
        if not each_succeeds:
            service.succeed()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--longest-s", type=float, default=5.0, help="a preparation's whole time, about")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kill_at_random_moments(
            Path(folder),
            asked.moments,
            asked.longest_s,
            asked.seed,
            lambda line: print(line, file=sys.stderr, flush=True),
            each_succeeds=True,
        )


if __name__ == "__main__":
    main()
