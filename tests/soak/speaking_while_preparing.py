"""Live sessions speak while avatars are prepared: `python -m tests.soak.speaking_while_preparing`.

Prints the share of gaps between frames up to 60 ms while preparations ran and while none did, from one run, so that
other load on the machine counts in both.
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import av
import cv2
import httpx
import numpy as np

from test_client.load import LoadPlan, run_load
from test_client.synthetic_speech import make_speech
from tests.end_to_end.running_service import RunningService

PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"
WIDTH, HEIGHT, RATE = 1280, 720, 25
_LIMIT_S = 0.060


def write_clip(path: Path, seconds: int) -> None:
    """The built-in portrait, swaying in the middle of a 720p picture."""
    portrait = cv2.resize(cv2.imread(str(PORTRAIT)), (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    side = (WIDTH - HEIGHT) // 2
    canvas = cv2.copyMakeBorder(portrait, 0, 0, side, side, cv2.BORDER_REPLICATE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(seconds * RATE):
            turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 1.5 * np.sin(index / 23), 1)
            turned[:, 2] += 6 * np.cos(index / 10), 4 * np.sin(index / 8)
            picture = cv2.warpAffine(canvas, turned, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())


class Preparations:
    """Prepares avatars at one time, in rounds with a pause as long after each. `busy`: from when to when any ran."""

    def __init__(self, http: str, clip: Path, at_one_time: int) -> None:
        self.busy: list[tuple[float, float]] = []
        self.jobs: list[dict[str, object]] = []
        self._http, self._clip, self._at_one_time = http, clip, at_one_time
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self, after_s: float) -> None:
        """Begin so much later."""
        self._after_s = after_s
        self._thread.start()

    def stop(self) -> None:
        """No further round."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        self._stopped.wait(self._after_s)
        while not self._stopped.is_set():
            from_s = time.monotonic()
            posted = [self._post(f"avatar_{index}") for index in range(self._at_one_time)]
            self.jobs += [self._ended(job_id) for job_id in posted]
            self.busy.append((from_s, time.monotonic()))
            self._stopped.wait(time.monotonic() - from_s)

    def _post(self, name: str) -> str:
        with self._clip.open("rb") as clip:
            form, files = {"force_recreate": "1"}, {"video_file": clip}
            url = f"{self._http}/prepare_avatar/{name}"
            return str(httpx.post(url, data=form, files=files, timeout=60, trust_env=False).json()["job_id"])

    def _ended(self, job_id: str) -> dict[str, object]:
        while True:
            job = httpx.get(f"{self._http}/jobs/{job_id}", timeout=60, trust_env=False).json()
            if job["state"] not in ("queued", "running"):
                return dict(job)
            time.sleep(0.2)


def measure(folder: Path, clip: Path, speaking: int, seconds: float, at_one_time: int) -> dict[str, object]:
    """The figures, for JSON."""
    with RunningService(folder, PARALLEL_JOBS=str(at_one_time)) as service:
        preparations = Preparations(service.http, clip, at_one_time)
        preparations.start(after_s=5.0)
        plan = LoadPlan(service.websocket, 0, speaking, seconds, make_speech(6.0))
        result = run_load(plan)
        preparations.stop()
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for record in result.records:
        at_s = record.statistics.received_s
        for ended_s, gap_s in zip(at_s[1:], record.statistics.gaps_s(), strict=True):
            if result.from_s <= ended_s <= result.until_s:
                busy = any(begun_s <= ended_s <= over_s for begun_s, over_s in preparations.busy)
                gaps[busy].append(float(gap_s))
    jobs = preparations.jobs
    return {
        **{("while preparing" if busy else "else"): _figures(found) for busy, found in gaps.items()},
        "prepared": [(job["state"], job["running_s"], job["peak_memory_mb"]) for job in jobs],
    }


def _figures(gaps_s: list[float]) -> dict[str, float]:
    return {
        "gaps": len(gaps_s),
        "fps": round(len(gaps_s) / sum(gaps_s), 2) if gaps_s else 0.0,
        "up_to_60_ms": round(float(np.mean(np.array(gaps_s) <= _LIMIT_S)), 4) if gaps_s else 0.0,
        "p99_ms": round(1000 * float(np.percentile(gaps_s, 99)), 1) if gaps_s else 0.0,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speaking", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--at-one-time", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.mp4")
        write_clip(clip, 10)
        figures = measure(Path(folder), clip, asked.speaking, asked.seconds, asked.at_one_time)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
