"""Preparation over HTTP in the real service: an avatar that can be spoken with at once; services that are killed."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import RunningService
from tests.soak.killed_preparation import kill_at_random_moments

PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"


async def test_a_photo_that_was_posted_can_be_spoken_with_when_its_job_is_done(
    service: RunningService, talk: Callable[..., Conversation]
) -> None:
    async with httpx.AsyncClient(base_url=service.http, trust_env=False, timeout=60) as http:
        job = (await http.post("/prepare_avatar/posted", files={"image_file": PORTRAIT.read_bytes()})).json()
        events = (await http.get(f"/jobs/{job['job_id']}/events")).text
        assert "event: thumbnail" in events
        assert (await http.get(f"/jobs/{job['job_id']}")).json()["state"] == "done"
        async with talk("posted") as c:
            await c.say("INIT", {"user_id": "posted"})
            await c.next("INIT_SUCCESS")
            await c.frames_more(3)
            sessions = (await http.get("/sessions")).json()["sessions"]
    assert [row["avatar"] for row in sessions if row["user_id"] == "posted"] == ["posted"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for children in /proc")
def test_services_and_children_killed_at_random_moments_leave_no_half_avatar(
    service: RunningService, avatars_dir: Path, tmp_path: Path
) -> None:
    """Five moments, and services that start again: this takes its seconds."""
    shutil.copytree(avatars_dir / "default", tmp_path / "default", copy_function=os.link)
    kill_at_random_moments(tmp_path, moments=5, longest_s=4.0, seed=3, tell=print, each_succeeds=False)
