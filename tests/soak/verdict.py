"""What a long play must keep to. Pure: samples in, complaints out."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LIPS_MS = 45.0
WARM_UP_SHARE = 0.2  # of the samples: compiled code, the decoder's pools and the fonts come in the first minutes
GROWTH_MB = {"heap_mb": 1.0, "renderer_mb": 3.0}  # from the first third after the warm-up to the last: 16 of 30 minutes
LEAST_FPS = 20.0  # mean of a minute; recording takes some of the 25
SLOW_MINUTES = 3  # so many are the page's own, fewer another program's


@dataclass(frozen=True)
class Sample:
    """One minute. Memory after a garbage collection; lips after sound; counts are of this minute alone."""

    minute: float
    heap_mb: float
    renderer_mb: float
    browser_mb: float
    lips_ms: float | None  # measured on the canvas and on captured sound; None where it was not
    shown_lips_ms: float  # as the page says
    fps: float  # painted pictures, over the whole minute
    gaps: int
    rebuffers: int
    errors: int


def complaints(samples: Sequence[Sample]) -> list[str]:
    """Sentences; empty when all is well. Memory is judged from three samples on."""
    found = []
    settled = samples[int(len(samples) * WARM_UP_SHARE) :]
    third = max(1, len(settled) // 3)
    if len(samples) >= 3:
        for name, most_mb in GROWTH_MB.items():
            first, last = (median(getattr(s, name) for s in part) for part in (settled[:third], settled[-third:]))
            if last > first + most_mb:
                found.append(f"{name} grew from {first:.1f} to {last:.1f}")
    for name in ("lips_ms", "shown_lips_ms"):
        measured = [(s.minute, getattr(s, name)) for s in samples if getattr(s, name) is not None]
        off = [f"{lips_ms:.0f} ms in minute {minute:.0f}" for minute, lips_ms in measured if abs(lips_ms) > LIPS_MS]
        if off:
            found.append(f"{name}: {', '.join(off)}")
    slow = [f"{s.fps:.1f} in minute {s.minute:.0f}" for s in samples if s.fps < LEAST_FPS]
    if slow and len(slow) >= min(SLOW_MINUTES, len(samples)):
        found.append(f"fps: {', '.join(slow)}")
    errors = sum(s.errors for s in samples)
    if errors:
        found.append(f"{errors} errors")
    return found
