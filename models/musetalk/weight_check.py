"""Looks at every file of a folder of weights without loading any: is it there and whole, are its keys the network's.

Values are read from disk once, to see that they are finite; a file's size in memory is never needed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn

from models.errors import ModelError
from models.musetalk.face_parsing import build_face_parsing, parsing_tensors
from models.musetalk.unet import build_unet
from models.musetalk.vae import build_tiny_vae, build_vae, present_names
from models.musetalk.weight_files import (
    DWPOSE,
    FACE_PARSING,
    TINY_VAE,
    TINY_VAE_CONFIG,
    UNET,
    UNET_CONFIG,
    VAE,
    VAE_CONFIG,
    WEIGHT_FILES,
    WHISPER,
    WHISPER_CONFIG,
    WeightFile,
)
from models.musetalk.weights import key_problem, read_config, read_tensors, value_problem
from models.musetalk.whisper_encoder import build_whisper_encoder, encoder_tensors

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What is known of one file; `problem` is None where all is well, `n_keys` counts the tensors that are used."""

    file: WeightFile
    path: Path | None
    size_bytes: int | None
    n_keys: int | None
    problem: str | None

    @property
    def stops_musetalk(self) -> bool:
        """True where MuseTalk cannot run until this is put right."""
        return self.file.needed and self.problem is not None


def check_weights(root: Path) -> list[FileReport]:
    """One report for every file that MuseTalk reads. Tensors are mapped, not loaded, and each is read once."""
    return [_report(file, root) for file in WEIGHT_FILES]


def _report(file: WeightFile, root: Path) -> FileReport:
    path = file.find(root)
    if path is None:
        return FileReport(file, None, None, None, "missing")
    n_keys, problem = None, None
    try:
        if file in _WITH_CONFIG:
            config_file, build, named = _WITH_CONFIG[file]
            config = config_file.require(root)
            n_keys = _compare(build(read_config(config), config), named(read_tensors(path)), path)
        elif file in _CONFIGS:
            _CONFIGS[file](read_config(path), path)
        elif file == FACE_PARSING:
            n_keys = _compare(build_face_parsing(path), parsing_tensors(read_tensors(path)), path)
        elif file == DWPOSE:
            cv2.dnn.readNetFromONNX(str(path))
    except ModelError as error:
        problem = str(error)
    except cv2.error as error:
        problem = f"{path} is no ONNX network that OpenCV can read: {error.err}"
    return FileReport(file, path, path.stat().st_size, n_keys, problem)


def _compare(net: nn.Module, tensors: Tensors, path: Path) -> int:
    problem = key_problem(net, tensors) or value_problem(tensors)
    if problem:
        raise ModelError(f"{path} {problem}")
    return len(tensors)


_WITH_CONFIG: dict[
    WeightFile, tuple[WeightFile, Callable[[dict[str, Any], Path], nn.Module], Callable[[Tensors], Tensors]]
] = {
    UNET: (UNET_CONFIG, build_unet, dict),
    VAE: (VAE_CONFIG, build_vae, present_names),
    TINY_VAE: (TINY_VAE_CONFIG, build_tiny_vae, dict),
    WHISPER: (WHISPER_CONFIG, build_whisper_encoder, encoder_tensors),
}
_CONFIGS = {config: build for config, build, _ in _WITH_CONFIG.values()}
