"""Engine names and how to make each: the one place that imports engines, and only the one asked for.

What is cheap to find out is asked first: torch takes seconds to import, so it is only where weights and packages are.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from models.errors import ModelError
from models.interface import LipSyncEngine

ENGINE_NAMES = ("auto", "light", "musetalk")
DEFAULT_MODEL_PATH = Path("weights")
VaeDecoder = Literal["full", "tiny"]

_MUSETALK_PACKAGES = ("torch", "diffusers", "transformers", "safetensors", "PIL")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """`name`: `light` or `musetalk`. `reason`: why it is this one, for people."""

    name: str
    reason: str


def choose_engine(
    name: str, *, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH, vae_decoder: VaeDecoder = "full"
) -> EngineChoice:
    """The engine that `name` stands for here: `auto` is MuseTalk where it runs in real time, else the light engine.

    Raises `ModelError` naming what is missing where the engine asked for cannot run on the device asked for.
    """
    check_engine(name, device, model_path, vae_decoder)
    if name != "auto":
        return EngineChoice(name, f"ENGINE={name}")
    if device == "cpu":
        return EngineChoice("light", "MuseTalk is too slow on DEVICE=cpu")
    hindrance = _hindrance(model_path, vae_decoder) or (None if _has_gpu() else "no CUDA GPU")
    if hindrance is None:
        return EngineChoice("musetalk", "a CUDA GPU and MuseTalk's weights are here")
    return EngineChoice("light", hindrance)


def check_engine(
    name: str, device: str = "auto", model_path: Path = DEFAULT_MODEL_PATH, vae_decoder: VaeDecoder = "full"
) -> None:
    """Whether `create_engine` can make this engine on this device, without making it.

    Raises `ModelError` naming what is missing. Does not look for a GPU for `auto`, which runs without one, too.
    """
    if name not in ENGINE_NAMES:
        raise ModelError(f"unknown engine {name!r}; known are {', '.join(ENGINE_NAMES)}")
    if name == "light" and device not in ("auto", "cpu"):
        raise ModelError(f"the light engine runs on the CPU, not on {device!r}; use auto or cpu")
    if name == "light" or (name == "auto" and device != "cuda"):
        return
    hindrance = _hindrance(model_path, vae_decoder)
    if hindrance is None and device == "cuda" and not _has_gpu():
        hindrance = "no CUDA GPU; use auto or cpu"
    if hindrance is not None:
        raise ModelError(f"the engine 'musetalk' cannot start: {hindrance}")


def create_engine(
    name: str,
    *,
    device: str = "auto",
    model_path: Path = DEFAULT_MODEL_PATH,
    vae_decoder: VaeDecoder = "full",
) -> LipSyncEngine:
    """Make the engine that `choose_engine` says.

    `model_path`: the folder of downloaded weights. `vae_decoder`: MuseTalk's own, or one that draws less sharply in
    a fraction of the time. Raises `ModelError` as `choose_engine` does.
    """
    choice = choose_engine(name, device=device, model_path=model_path, vae_decoder=vae_decoder)
    if choice.name == "musetalk":
        return _create_musetalk(device, model_path, vae_decoder)
    from models.light.engine import LightEngine

    return LightEngine()


def _create_musetalk(device: str, model_path: Path, vae_decoder: VaeDecoder) -> LipSyncEngine:
    import torch

    from models.musetalk.engine import MuseTalkEngine

    if device == "cpu" or not _has_gpu():
        return MuseTalkEngine.load(model_path, "cpu", torch.float32, vae_decoder=vae_decoder)
    return MuseTalkEngine.load(model_path, "cuda", torch.float16, vae_decoder=vae_decoder)


def _hindrance(model_path: Path, vae_decoder: VaeDecoder) -> str | None:
    """Why MuseTalk cannot start, the GPU aside, as far as can be known without importing torch."""
    return _missing_weights(model_path, vae_decoder) or _missing_package()


def _missing_package() -> str | None:
    missing = [package for package in _MUSETALK_PACKAGES if find_spec(package) is None]
    return f"the package {missing[0]} is not installed (pip install 'musetalk-stream[musetalk]')" if missing else None


def _missing_weights(model_path: Path, vae_decoder: VaeDecoder) -> str | None:
    from models.musetalk.weight_files import TINY_VAE, TINY_VAE_CONFIG, missing_files

    missing = missing_files(model_path)
    if vae_decoder == "tiny":
        missing += [file for file in (TINY_VAE_CONFIG, TINY_VAE) if file.find(model_path) is None]
    more = f" ({len(missing)} files in all)" if len(missing) > 1 else ""
    return f"{model_path / missing[0].paths[0]} is missing{more}" if missing else None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
