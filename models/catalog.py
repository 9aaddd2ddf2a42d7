"""Engine names and how to make each: the one place that imports engines, and only the one asked for."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from models.errors import ModelError
from models.interface import LipSyncEngine

ENGINE_NAMES = ("auto", "light", "musetalk")
DEFAULT_MODEL_PATH = Path("weights")

_MUSETALK_PACKAGES = ("torch", "diffusers", "transformers", "safetensors", "PIL")


class EngineChoice(NamedTuple):
    """Which engine runs, and why: one sentence."""

    name: str
    reason: str


def choose_engine(name: str, *, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH) -> EngineChoice:
    """What a configured name means here: `auto` is MuseTalk where there are a GPU and its weights, else light.

    Raises `ModelError` where the name is unknown.
    """
    if name not in ENGINE_NAMES:
        raise ModelError(f"unknown engine {name!r}; known are {', '.join(ENGINE_NAMES)}")
    if name != "auto":
        return EngineChoice(name, "as configured")
    if device == "cpu":
        return EngineChoice("light", "the device is set to cpu, where MuseTalk is too slow")
    obstacle = _missing_package() or _missing_weights(model_path) or _missing_gpu()
    if obstacle is not None:
        return EngineChoice("light", f"MuseTalk cannot run: {obstacle}")
    return EngineChoice("musetalk", f"a GPU is there, and MuseTalk's weights in {model_path}")


def create_engine(name: str, *, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH) -> LipSyncEngine:
    """Make the engine that `choose_engine` names. `model_path`: the folder of downloaded weights.

    Raises `ModelError` where the name is unknown or the engine cannot start.
    """
    choice = choose_engine(name, device=device, model_path=model_path)
    if choice.name == "musetalk":
        return _create_musetalk(device, model_path)
    if device not in ("auto", "cpu"):
        why = "" if name == "light" else f" ({choice.reason})"
        raise ModelError(f"the light engine runs on the CPU, not on {device!r}{why}; set DEVICE to auto or cpu")
    from models.light.engine import LightEngine

    return LightEngine()


def _create_musetalk(device: str, model_path: Path) -> LipSyncEngine:
    missing = _missing_package() or _missing_weights(model_path)
    if missing is not None:
        raise ModelError(f"the engine 'musetalk' cannot start: {missing}")
    no_gpu = _missing_gpu()
    if device == "cuda" and no_gpu is not None:
        raise ModelError(f"the engine 'musetalk' cannot start on cuda: {no_gpu}; set DEVICE to auto or cpu")
    import torch

    from models.musetalk.engine import MuseTalkEngine

    if device == "cpu" or no_gpu is not None:
        return MuseTalkEngine.load(model_path, "cpu", torch.float32)
    return MuseTalkEngine.load(model_path, "cuda", torch.float16)


def _missing_package() -> str | None:
    missing = [package for package in _MUSETALK_PACKAGES if find_spec(package) is None]
    return f"the package {missing[0]} is not installed (pip install 'musetalk-stream[musetalk]')" if missing else None


def _missing_weights(model_path: Path) -> str | None:
    from models.musetalk.weight_files import missing_files

    missing = missing_files(model_path)
    return f"{model_path / missing[0].paths[0]} is missing ({len(missing)} files in all)" if missing else None


def _missing_gpu() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "there is no CUDA GPU"
