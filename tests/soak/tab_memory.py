"""What a tab and its browser keep in memory: by DevTools, and by /proc (Linux only)."""

from pathlib import Path
from typing import Any

MB = 1_048_576


async def heap_mb(devtools: Any) -> float:
    """JavaScript's objects and buffers, after a garbage collection. `devtools`: a session of the page."""
    await devtools.send("HeapProfiler.collectGarbage")
    usage = await devtools.send("Runtime.getHeapUsage")
    return float(sum(usage.get(name, 0) for name in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")) / MB)


async def process_mb(devtools: Any) -> tuple[float, float]:
    """Memory of its own of the largest renderer, and of all processes. `devtools`: a session of the browser."""
    processes = (await devtools.send("SystemInfo.getProcessInfo"))["processInfo"]
    sizes = [(process["type"], own_mb(process["id"])) for process in processes]
    return max(size for kind, size in sizes if kind == "renderer"), sum(size for _, size in sizes)


def own_mb(pid: int) -> float:
    """Anonymous resident memory; 0 for a process that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0.0)
