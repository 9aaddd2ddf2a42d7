"""Each measurement: a running service in, rows of a table out. Real time, real sockets; nothing is asserted."""

import asyncio
import random
import time
from dataclasses import dataclass

import numpy as np

from test_client.audio_file import Speech
from test_client.client import AvatarClient
from test_client.events import VideoEvent
from test_client.load import LoadPlan, run_load
from tests.benchmark.process_figures import cpu_s, pin, resident_mb
from tests.end_to_end.running_service import RunningService


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    promised: str
    measured: str


def first_frame(service: RunningService, times: int = 20) -> list[Row]:
    """Connect to first picture, nothing sent."""

    async def once() -> tuple[float, bool]:
        began_s = time.monotonic()
        async with AvatarClient(service.websocket, "bench") as client:
            async for event in client:
                if isinstance(event, VideoEvent):
                    return time.monotonic() - began_s, event.keyframe
        raise AssertionError("the stream ended before a picture")

    async def many() -> list[tuple[float, bool]]:
        return [await once() for _ in range(times)]

    results = asyncio.run(many())
    worst_ms = max(seconds for seconds, _ in results) * 1000
    every = all(keyframe for _, keyframe in results)
    return [Row("first frame after connect", "<= 150 ms, an IDR", f"max {worst_ms:.1f} ms of {times}, IDR: {every}")]


def steady_rate(service: RunningService, seconds: float) -> list[Row]:
    """One idle session for a long time."""
    figures = run_load(LoadPlan(service.websocket, 1, 0, seconds, _SILENCE)).figures.idle
    return [
        Row(f"rate over {seconds:.0f} s", "25.00 +- 0.05 fps", f"{figures.mean_fps:.3f} fps"),
        Row(
            "gaps, one session",
            "99 % <= 50 ms",
            f"{100 * (figures.up_to_50_ms or 0):.2f} % <= 50 ms, max {figures.gaps.max_ms:.1f} ms",
        ),
    ]


def speaking_and_interrupt(service: RunningService, speech: Speech, times: int) -> list[Row]:
    """Start of speech with real-time chunks, start of a burst, and the end at INTERRUPT; random phases."""
    rng = random.Random(1)

    async def generated(client: AvatarClient, stop: asyncio.Event, seen: list[float]) -> None:
        async for event in client:
            if isinstance(event, VideoEvent) and event.generated:
                seen.append(event.received_s)
            if stop.is_set():
                return

    async def once(realtime: bool) -> tuple[float, float]:
        async with AvatarClient(service.websocket, "bench") as client:
            seen: list[float] = []
            stop = asyncio.Event()
            watching = asyncio.create_task(generated(client, stop, seen))
            await asyncio.sleep(0.3 + rng.random() * 0.04)
            began_s = time.monotonic()
            talking = asyncio.create_task(
                client.speak(speech.pcm, speech.sample_rate, speech.channels, realtime=realtime)
            )
            await asyncio.sleep(0.7 + rng.random() * 0.04)
            interrupted_s = time.monotonic()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            await client.interrupt()
            await asyncio.sleep(0.15)
            stop.set()
            await asyncio.wait([watching], timeout=1)
            return seen[0] - began_s, max(0.0, seen[-1] - interrupted_s)

    async def many(realtime: bool) -> np.ndarray:
        return np.array([await once(realtime) for _ in range(times)]) * 1000

    paced, burst = asyncio.run(many(True)), asyncio.run(many(False))
    return [
        Row("speaking start, 40 ms chunks at real time", "p95 <= 150 ms", _spread(paced[:, 0])),
        Row("speaking start, burst", "p95 <= 150 ms", _spread(burst[:, 0])),
        Row("INTERRUPT -> last generated frame", "<= 120 ms", _spread(np.concatenate([paced[:, 1], burst[:, 1]]))),
    ]


def many_idle(service: RunningService, users: int, seconds: float) -> list[Row]:
    """Idle sessions, the server on one core and the clients on the others."""
    pin(service.process.pid, {0})
    before_mb, cpu_before_s = resident_mb(service.process.pid), cpu_s(service.process.pid)
    figures = run_load(LoadPlan(service.websocket, users, 0, seconds, _SILENCE)).figures.idle
    cpu_ms = (cpu_s(service.process.pid) - cpu_before_s) * 1000 / max(1, figures.frames)
    grown_mb = (resident_mb(service.process.pid) - before_mb) / users
    return [
        Row(
            f"{users} idle sessions on one core",
            "25 fps, 99 % of gaps <= 60 ms",
            f"least {figures.least_fps:.2f} fps, {100 * (figures.up_to_60_ms or 0):.2f} % <= 60 ms",
        ),
        Row("CPU of an idle frame", "<= 0.06 ms", f"{cpu_ms:.4f} ms"),
        Row("memory of an idle session", "<= 3 MB", f"{grown_mb:.2f} MB"),
    ]


def many_speaking(service: RunningService, speech: Speech, users: int) -> list[Row]:
    """Sessions that speak without a pause, the server on one core; connecting and loading count in."""
    pin(service.process.pid, {0})
    before_mb, cpu_before_s = resident_mb(service.process.pid), cpu_s(service.process.pid)
    figures = run_load(LoadPlan(service.websocket, 0, users, speech.duration_s, speech)).figures.speaking
    cpu_ms = (cpu_s(service.process.pid) - cpu_before_s) * 1000 / max(1, figures.generated_frames)
    grown_mb = (resident_mb(service.process.pid) - before_mb) / users
    return [
        Row(
            f"{users} speaking sessions on one core",
            "25 fps, 99 % of gaps <= 60 ms",
            f"least {figures.least_fps:.2f} fps, {100 * (figures.up_to_60_ms or 0):.2f} % <= 60 ms",
        ),
        Row("CPU of a speaking frame, all in", "<= 3 ms", f"{cpu_ms:.2f} ms per generated frame"),
        Row("bitrate while speaking", "0.7 to 1.5 Mbit/s", f"{figures.speaking_mbit_s or 0:.2f} Mbit/s"),
        Row("memory of a speaking session", "<= 25 MB", f"{grown_mb:.1f} MB"),
    ]


def connects(service: RunningService, times: int = 200) -> list[Row]:
    """Memory after many connects, each with a little speech."""

    async def once() -> None:
        async with AvatarClient(service.websocket, "bench") as client:
            await client.init()
            await client.speak(bytes(6400), realtime=False)
            await client.speak_end()
            count = 0
            async for event in client:
                count += isinstance(event, VideoEvent)
                if count == 12:
                    return

    async def many(count: int) -> None:
        for _ in range(count // 10):
            await asyncio.gather(*(once() for _ in range(10)))

    asyncio.run(many(40))
    before_mb = resident_mb(service.process.pid)
    asyncio.run(many(times))
    after_mb = resident_mb(service.process.pid)
    return [
        Row("memory of the service", "<= 500 MB", f"{after_mb:.0f} MB resident, mapped pictures included"),
        Row(f"memory over {times} connects", "flat", f"{after_mb - before_mb:+.1f} MB"),
    ]


def _spread(values_ms: np.ndarray) -> str:
    p50, p95 = np.percentile(values_ms, (50, 95))
    return f"p50 {p50:.0f}, p95 {p95:.0f}, max {values_ms.max():.0f} ms of {len(values_ms)}"


_SILENCE = Speech(bytes(32000), 16000, 1)
