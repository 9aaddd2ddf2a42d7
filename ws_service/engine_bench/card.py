"""Which device this is, and the most arithmetic it does: measured with a large product of matrices, not looked up."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version

import torch

from ws_service.engine_bench.device_clock import DeviceClock
from ws_service.engine_bench.figures import Card

_PRODUCT_SIZES = {"cuda": 8192, "cpu": 1024}
_SMI_FIELDS = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.draw", "power.limit")
_SMI_TIMEOUT_S = 20.0


def look_at_card(clock: DeviceClock, dtype: torch.dtype) -> Card:
    """Measure the peak, then ask for clocks while the card is still warm."""
    peak, device = peak_tflops(clock, dtype), clock.device
    facts = _smi_facts(device)
    properties = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return Card(
        name=_cpu_name() if properties is None else properties.name,
        memory_gib=0.0 if properties is None else properties.total_memory / 2**30,
        precision=str(dtype).removeprefix("torch."),
        driver=facts.get("driver_version", ""),
        clocks=", ".join(f"{field} {value}" for field, value in facts.items() if field != "driver_version"),
        peak_tflops=peak,
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions=", ".join(
            [f"Python {platform.python_version()}", f"torch {torch.__version__}"]
            + ([f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"] if properties else [])
            + [f"{name} {version(name)}" for name in ("diffusers", "transformers", "musetalk-stream")]
        ),
    )


def peak_tflops(clock: DeviceClock, dtype: torch.dtype) -> float:
    """2 n^3 operations over the time of one n x n product, on this device in this precision."""
    size = _PRODUCT_SIZES[clock.device.type]
    left, right = (torch.randn(size, size, device=clock.device).to(dtype) for _ in range(2))
    (product_ms,) = clock.medians_ms(lambda: left @ right)
    return 2 * size**3 / product_ms / 1e9


def _smi_facts(device: torch.device) -> dict[str, str]:
    """What nvidia-smi says of this card; empty where it is not there or does not know the card."""
    if device.type != "cuda" or shutil.which("nvidia-smi") is None:
        return {}
    identity = f"--id=GPU-{torch.cuda.get_device_properties(device).uuid}"
    command = ["nvidia-smi", identity, f"--query-gpu={','.join(_SMI_FIELDS)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_SMI_TIMEOUT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(_SMI_FIELDS, (value.strip() for value in said.stdout.split(",")), strict=False))


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
