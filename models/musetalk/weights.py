"""Reads weights from disk into a network: tensors only, and every key accounted for.

Files may be safetensors or torch's own (.pth, .bin), new or old format. Nothing in a file is ever run: pickles are read
by torch's restricted unpickler. The libraries only warn of keys that are missing or left over; here they are errors,
since a network with a few random weights still draws a face, a wrong one. Errors are one sentence naming file and key.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from models.errors import ModelError

Net = TypeVar("Net", bound=nn.Module)


def read_config(path: Path) -> dict[str, Any]:
    """The fields of a network's JSON configuration. Raises `ModelError` where the file holds none."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path} holds no JSON object")
    return config


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, mapped from disk where the format allows: reading keys and shapes costs no memory.

    Raises `ModelError` where the file is damaged or holds anything but tensors by name.
    """
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            # torch's format before 1.6 is no zip archive and cannot be mapped; face parsing's file is one
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a damaged file can make torch's reader fail in any way, assertions included
        if isinstance(error, pickle.UnpicklingError) and re.search("unsupported (global|class)", str(error), re.I):
            raise ModelError(f"{path} holds Python objects besides tensors; loading them could run code") from None
        if isinstance(error, pickle.UnpicklingError):
            reason = "not a file of weights"
        else:
            cut = isinstance(error, EOFError) or _is_cut_archive(path)
            reason = "its end is missing" if cut else _one_sentence(error)
        raise ModelError(f"{path} is damaged or cut short: {reason}") from None
    if not isinstance(tensors, dict) or not tensors or not all(isinstance(t, torch.Tensor) for t in tensors.values()):
        raise ModelError(f"{path} holds something other than tensors by name")
    return tensors


def without_values(build: Callable[[], Net], source: Path) -> Net:
    """The network that `build` makes, with shapes but no memory behind them. `source` is the configuration's file."""
    try:
        with torch.device("meta"):
            return build()
    except Exception as error:  # diffusers and transformers fail in any way where they do not look at a field
        raise ModelError(f"{source} describes no network that can be built: {_one_sentence(error)}") from None


def check_sizes(config: Mapping[str, Any], source: Path, fields: Sequence[str]) -> None:
    """Raise `ModelError` where a field of a configuration is there and holds no size, or list of sizes, above 0."""
    for field in fields:
        value = config.get(field, 1)
        sizes = value if isinstance(value, list) else [value]
        if not sizes or not all(type(size) is int and size > 0 for size in sizes):
            raise ModelError(f"{source}: {field} is {value!r}, where a network has whole numbers above 0")


def value_problem(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """What is wrong with the values of tensors, or None: all are finite. Reads each once and takes no memory."""
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():
            return f"has values in {key!r} that are not finite in {str(tensor.dtype).removeprefix('torch.')}"
    return None


def key_problem(net: nn.Module, tensors: Mapping[str, torch.Tensor]) -> str | None:
    """What is wrong with the names and shapes of a file's tensors, or None: they are exactly the network's."""
    wanted = net.state_dict()
    missing = [key for key in wanted if key not in tensors]
    if missing:
        return f"lacks the key {missing[0]!r}{_and_more(missing)}"
    unexpected = [key for key in tensors if key not in wanted]
    if unexpected:
        return f"has the unexpected key {unexpected[0]!r}{_and_more(unexpected)}"
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape:
            return f"has {key!r} of shape {tuple(tensor.shape)}, where the network has {tuple(wanted[key].shape)}"
        if tensor.is_floating_point() != wanted[key].is_floating_point():
            return f"has {key!r} of type {tensor.dtype}, where the network has {wanted[key].dtype}"
    return None


def load_weights(
    net: Net, tensors: Mapping[str, torch.Tensor], source: Path, device: torch.device, dtype: torch.dtype
) -> Net:
    """Give a network made by `without_values` its values, on `device` and in `dtype`, ready to run and not to train.

    `source` is the file the tensors come from. Raises `ModelError` where a key is missing, left over or misshapen, or
    a value is not finite in `dtype`.
    """
    problem = key_problem(net, tensors)
    if problem:
        raise ModelError(f"{source} {problem}")
    values = {
        # a copy: a tensor left mapped would die with the file
        key: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype, copy=True).contiguous()
        for key, tensor in tensors.items()
    }
    problem = value_problem(values)
    if problem:
        raise ModelError(f"{source} {problem}")
    net.load_state_dict(values, strict=True, assign=True)
    return net.requires_grad_(False).eval()


def _and_more(keys: list[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""


def _is_cut_archive(path: Path) -> bool:
    try:
        if not path.is_file() or zipfile.is_zipfile(path):
            return False
    except zipfile.BadZipFile:  # an end that is there, and wrong
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _one_sentence(error: Exception) -> str:
    """What the error says first."""
    text = " ".join(str(error).split()).partition(". ")[0].removesuffix(".")
    return f"{text} is not known" if isinstance(error, KeyError) else text or type(error).__name__
