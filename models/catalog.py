"""Engine names and how to make each: the one place that imports engines, and only the one asked for."""

from models.errors import ModelError
from models.interface import LipSyncEngine

ENGINE_NAMES = ("auto", "light", "musetalk")


def create_engine(name: str, *, device: str = "auto") -> LipSyncEngine:
    """Make an engine; `auto` is the best one that this machine can run: today the light engine, on the CPU.

    Raises `ModelError` where the name is unknown or the engine cannot start.
    """
    check_engine(name, device)
    if name in ("light", "auto"):
        from models.light.engine import LightEngine

        return LightEngine()
    raise AssertionError(f"{name!r} was checked but cannot be made")


def check_engine(name: str, device: str) -> None:
    """Whether `create_engine` knows this engine on this device, without making it. Raises `ModelError`."""
    if name not in ENGINE_NAMES:
        raise ModelError(f"unknown engine {name!r}; known are {', '.join(ENGINE_NAMES)}")
    if name == "musetalk":
        raise ModelError("the engine 'musetalk' is not built yet; use 'light'")
    if device not in ("auto", "cpu"):
        raise ModelError(f"the light engine runs on the CPU, not on {device!r}; use auto or cpu")
