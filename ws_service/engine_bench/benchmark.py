"""The whole benchmark, part by part. A part that fails is noted with its reason, and the rest goes on.

What is found out so far is handed on after every part, so that a run that is cut short has not been for nothing.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from models.musetalk.nets import VaeDecoder
from models.musetalk.weight_files import TINY_VAE
from models.preparation.builtin_avatar import BUILTIN_NAME
from models.prepared_avatar import load_avatar
from ws_service.engine_bench.arithmetic import count_arithmetic
from ws_service.engine_bench.bench_avatar import make_bench_avatar
from ws_service.engine_bench.card import look_at_card
from ws_service.engine_bench.child_service import ChildService
from ws_service.engine_bench.device_clock import DeviceClock
from ws_service.engine_bench.figures import BenchResult, FailedPart, ServiceBench
from ws_service.engine_bench.reference_way import ReferenceWay
from ws_service.engine_bench.speakers import LoadTimes, many_speakers, one_speaker, try_speakers
from ws_service.engine_bench.stage_times import StageTimes, measure_start

Progress = Callable[[str], None]
Save = Callable[[BenchResult], None]


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to measure. `budget_s`: for one median. `short_avatar`: only its first second."""

    model_path: Path
    device: torch.device
    dtype: torch.dtype
    batches: tuple[int, ...]
    budget_s: float
    short_avatar: bool
    load: LoadTimes
    ready_timeout_s: float


class Benchmark:
    """One run. `log_folder`: where the services' logs stay."""

    def __init__(self, plan: BenchPlan, result: BenchResult, log_folder: Path, progress: Progress, save: Save) -> None:
        self._plan = plan
        self._result = result
        self._log_folder = log_folder
        self._progress = progress
        self._save = save

    def run(self) -> None:
        """All parts, for each decoder whose weights are there."""
        began_s = time.monotonic()
        plan, result = self._plan, self._result
        clock = DeviceClock(plan.device, plan.budget_s)
        decoders: tuple[VaeDecoder, ...] = ("full", "tiny") if TINY_VAE.find(plan.model_path) else ("full",)
        with tempfile.TemporaryDirectory(prefix="musetalk-bench-") as folder:
            avatars_dir = Path(folder)
            with self._part("card"):
                result.card = look_at_card(clock, plan.dtype)
            with self._part("arithmetic"):
                result.arithmetic = count_arithmetic(plan.model_path)
            with self._part("avatar"):
                make_bench_avatar(avatars_dir / BUILTIN_NAME, short=plan.short_avatar)
            for decoder in decoders:
                with self._part(f"engine, {decoder} decoder"):
                    self._measure_engine(decoder, avatars_dir, clock)
                gc.collect()
                if plan.device.type == "cuda":
                    torch.cuda.empty_cache()  # the service needs the memory next
            for decoder in decoders:
                with self._part(f"service, {decoder} decoder"):
                    self._measure_service(decoder, avatars_dir)
        result.seconds = time.monotonic() - began_s
        self._save(result)

    def _measure_engine(self, decoder: VaeDecoder, avatars_dir: Path, clock: DeviceClock) -> None:
        plan, result = self._plan, self._result
        engine, start = measure_start(plan.model_path, plan.device, plan.dtype, decoder, avatars_dir / BUILTIN_NAME)
        result.starts.append(start)
        reference = ReferenceWay(plan.model_path, plan.device, plan.dtype)
        times = StageTimes(engine, reference, load_avatar(avatars_dir / BUILTIN_NAME), plan.model_path)
        for batch in plan.batches:
            with self._part(f"batch {batch}, {decoder} decoder"):
                bucket = times.bucket(batch, clock, result.arithmetic, result.card)
                result.buckets.append(bucket)
                self._progress(f"{bucket.fps:.1f} frames/s, {bucket.ratio:.2f} times the reference's way")

    def _measure_service(self, decoder: VaeDecoder, avatars_dir: Path) -> None:
        plan, load = self._plan, self._plan.load
        log = self._log_folder / f"service-{decoder}.log"
        settings = {
            "ENGINE": "musetalk",
            "DEVICE": plan.device.type,
            "MODEL_PATH": str(plan.model_path.resolve()),
            "VAE_DECODER": decoder,
            "AVATARS_DIR": str(avatars_dir),
        }
        with ChildService(log, avatars_dir, settings) as service:
            bench = ServiceBench(decoder, service.wait_ready(plan.ready_timeout_s))
            self._result.services.append(bench)
            bench.engine = dict(service.figures().get("engine", {}))
            self._progress(f"service with the {decoder} decoder: ready after {bench.ready_s:.1f} s")
            bench.one = one_speaker(service, load)
            for tested in try_speakers(service, load, bench.full_rate):
                bench.tested.append(tested)
                self._progress(f"{tested.speakers} speakers: {tested.problem or 'strict 25 fps'}")
            if bench.strict_speakers:
                bench.full = many_speakers(service, bench.strict_speakers, load.full_s)
                if load.long_s and decoder == "full":
                    self._progress(f"{bench.strict_speakers} speakers for {load.long_s:.0f} s")
                    bench.long = many_speakers(service, bench.strict_speakers, load.long_s)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Notes a failure, whatever it is: one number less is better than none at all."""
        self._progress(name)
        try:
            yield
        except Exception as error:  # a card can fail in any way; the reason stands in the report
            reason = (str(error).splitlines() or [""])[0] or type(error).__name__
            self._result.failed.append(FailedPart(name, reason))
            self._progress(f"{name} failed: {reason}")
        self._save(self._result)
