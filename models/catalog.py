"""Engine names and how to make each: the one place that imports engines, and only the one asked for."""

from models.errors import ModelError
from models.interface import LipSyncEngine

ENGINE_NAMES = ("auto", "light", "musetalk")


def create_engine(name: str, *, device: str = "auto") -> LipSyncEngine:
    """Make an engine; `auto` is the best one that this machine can run: today the light engine, on the CPU.

    Raises `ModelError` where the name is unknown or the engine cannot start.
    """
    if name in ("light", "auto"):
        if device not in ("auto", "cpu"):
            raise ModelError(f"the light engine runs on the CPU, not on {device!r}; set DEVICE to auto or cpu")
        from models.light.engine import LightEngine

        return LightEngine()
    if name == "musetalk":
        raise ModelError("the engine 'musetalk' is not built yet; use 'light'")
    raise ModelError(f"unknown engine {name!r}; known are {', '.join(ENGINE_NAMES)}")
