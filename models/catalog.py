"""Engine names and how to make each: the one place that imports engines, and only the one asked for."""

from importlib.util import find_spec
from pathlib import Path

from models.errors import ModelError
from models.interface import LipSyncEngine

ENGINE_NAMES = ("auto", "light", "musetalk")
DEFAULT_MODEL_PATH = Path("weights")

_MUSETALK_PACKAGES = ("torch", "diffusers", "transformers", "safetensors", "PIL")


def check_engine(name: str, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH) -> None:
    """Whether `create_engine` can make this engine on this device, without making it.

    Raises `ModelError` naming what is missing.
    """
    if name not in ENGINE_NAMES:
        raise ModelError(f"unknown engine {name!r}; known are {', '.join(ENGINE_NAMES)}")
    if name != "musetalk":
        if device not in ("auto", "cpu"):
            raise ModelError(f"the light engine runs on the CPU, not on {device!r}; use auto or cpu")
        return
    missing = _missing_package() or _missing_weights(model_path)
    if missing is not None:
        raise ModelError(f"the engine 'musetalk' cannot start: {missing}")
    if device == "cuda" and not _has_gpu():
        raise ModelError("the engine 'musetalk' cannot start: there is no CUDA GPU; use auto or cpu")


def create_engine(name: str, *, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH) -> LipSyncEngine:
    """Make an engine. `auto` is the light engine: MuseTalk has not been measured on a GPU yet, so it is chosen by name.

    `model_path`: the folder of downloaded weights. Raises `ModelError` as `check_engine` does.
    """
    check_engine(name, device, model_path)
    if name == "musetalk":
        return _create_musetalk(device, model_path)
    from models.light.engine import LightEngine

    return LightEngine()


def _create_musetalk(device: str, model_path: Path) -> LipSyncEngine:
    import torch

    from models.musetalk.engine import MuseTalkEngine

    if device == "cpu" or not _has_gpu():
        return MuseTalkEngine.load(model_path, "cpu", torch.float32)
    return MuseTalkEngine.load(model_path, "cuda", torch.float16)


def _missing_package() -> str | None:
    missing = [package for package in _MUSETALK_PACKAGES if find_spec(package) is None]
    return f"the package {missing[0]} is not installed (pip install 'musetalk-stream[musetalk]')" if missing else None


def _missing_weights(model_path: Path) -> str | None:
    from models.musetalk.weight_files import missing_files

    missing = missing_files(model_path)
    return f"{model_path / missing[0].paths[0]} is missing ({len(missing)} files in all)" if missing else None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
