"""Two hundred avatars on disk and room for twenty: how long the service starts, a session waits, and what it takes.

    python -m tests.benchmark.many_avatars

All avatars are the built-in one under other names, with the same files on disk (hard links); in memory each has its
own. Nothing fails here: timings depend on the machine.
"""

import asyncio
import json
import os
import random
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.preparation.builtin_avatar import BUILTIN_NAME, builtin_avatar
from tests.benchmark.process_figures import resident_mb
from tests.end_to_end.conversation import Conversation
from tests.end_to_end.running_service import RunningService

AVATARS = 200
ROOM_FOR = 20
SESSIONS_AT_ONCE = 4
SESSIONS = 200
MIB = 1 << 20


def main() -> None:
    """See the module."""
    table = Table("what", "promised", "measured", title=f"{AVATARS} avatars, room for {ROOM_FOR}")
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder) / "one", Path(folder) / "many"
        avatar_bytes = builtin_avatar(one / BUILTIN_NAME).size_bytes
        for number in range(AVATARS):
            name = BUILTIN_NAME if number == 0 else f"avatar_{number}"
            shutil.copytree(one / BUILTIN_NAME, many / name, copy_function=os.link)
        starts_s = {place: min(start_s(place) for _ in range(3)) for place in (one, many)}
        table.add_row("start beyond that with one", "<= 2 s", f"{starts_s[many] - starts_s[one]:.2f} s")
        room_mb = ROOM_FOR * (avatar_bytes + 6_000_000) // MIB
        with RunningService(many, CACHE_BUDGET_MB=str(room_mb)) as service:
            before_mb = resident_mb(service.process.pid)
            for round_name in ("loops not yet encoded", "loops on disk"):
                counts = cache_of(service)
                waits_s = asyncio.run(sessions(service))
                after = cache_of(service)
                asked = after["hits"] + after["misses"] - counts["hits"] - counts["misses"] - len(waits_s)
                hits = after["hits"] - counts["hits"] - len(waits_s)  # each connection is shown the default one first
                waits_s.sort()
                table.add_row(
                    f"first frame of an avatar, {round_name}",
                    "<= 700 ms",
                    f"{1000 * waits_s[len(waits_s) // 2]:.0f} ms in the median, {1000 * waits_s[-1]:.0f} ms at most",
                )
                expected = (ROOM_FOR - 1) / (AVATARS - 1)
                table.add_row("found in memory", f"{expected:.0%}, chosen at random", f"{hits / asked:.0%} of {asked}")
            table.add_row(
                "cache", f"<= {room_mb} MiB", f"{after['size_bytes'] / MIB:.0f} MiB, {len(after['avatars'])} avatars"
            )
            grown = f"{before_mb:.0f} -> {resident_mb(service.process.pid):.0f} MiB"
            table.add_row("resident memory of the process", f"<= {before_mb + room_mb:.0f} MiB", grown)
    Console().print(table)


def start_s(folder: Path) -> float:
    """From the start of the process until it is ready."""
    begun_s = time.monotonic()
    with RunningService(folder):
        return time.monotonic() - begun_s


def cache_of(service: RunningService) -> dict[str, Any]:
    """GET /cache."""
    with urllib.request.urlopen(service.http + "/cache") as answer:
        return dict(json.load(answer))


async def sessions(service: RunningService) -> list[float]:
    """Seconds from INIT to the first frame of the avatar that it names, over all avatars."""
    rng = random.Random(1)
    names = iter([f"avatar_{rng.randrange(1, AVATARS)}" for _ in range(SESSIONS)])
    waits_s: list[float] = []

    async def visitor() -> None:
        for name in names:
            async with Conversation(f"{service.websocket}/musetalk/v1/ws/visitor") as c:
                await c.next("VIDEO_FRAME")
                await c.say("INIT", {"user_id": "visitor", "avatar_id": name})
                await c.next("INIT_SUCCESS", timeout_s=60)
                first = await c.next("VIDEO_FRAME", len(c.of("VIDEO_FRAME")) + 1)
                waits_s.append(first.at_s - c.sent_s["INIT"])

    await asyncio.gather(*(visitor() for _ in range(SESSIONS_AT_ONCE)))
    return waits_s


if __name__ == "__main__":
    main()
