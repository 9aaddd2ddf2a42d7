"""Reads the lists of latents that MuseTalk saved with torch, in the zip that torch writes now and in its older form.

Owns what such a file may contain: plain tensors of floating-point numbers in the shape of latents. They are read here
and not by torch, which makes whatever room a small file asks for. Must not import torch.

The zip holds a pickle of the list, and a file for the numbers of each storage. The older form is five pickles one
after the other (a magic number, a version, the system, the list, the storages' keys), and then the storages.
"""

import io
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.musetalk.foreign_pickle import NotAllowed, StandIn, unpickle

SHAPE = (8, 32, 32)
MAX_BYTES = 4 << 30
_MAX_LIST_BYTES = 8 << 20  # of the pickles alone; an entry takes about a hundred
_MAGIC = 0x1950A86A20F9469CFC6C
_BFLOAT16 = "<u2"  # numpy has none: the upper halves of float32
_SIZE = np.dtype("<i8")

Storages = Mapping[str, bytes | NDArray[np.uint8]]


class _Storage(NamedTuple):
    """`kind`: numpy's name of its numbers."""

    key: str
    kind: str


class _Tensor(NamedTuple):
    """`offset`, `stride`: in numbers of the storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def read_latents(path: Path, counts: tuple[int, ...]) -> NDArray[np.float32]:
    """(N, 8, 32, 32) of `latents.pt`. `counts`: how many there may be, the first of them the frames.

    Raises `ModelError` naming the file and what is wrong with it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path.name}: is larger than {MAX_BYTES >> 30} GB.")
        found, storages = _of_zip(path) if zipfile.is_zipfile(path) else _of_older_form(path)
        if not isinstance(found, list) or not found:
            raise ModelError(f"{path.name}: is no list of latents.")
        if len(found) not in counts:  # before they are copied: a small file may name one a million times
            raise ModelError(f"{path.name}: has {len(found)} entries for {counts[0]} frames.")
        latents = np.empty((len(found), *SHAPE), np.float32)
        for number, item in enumerate(found):
            if not isinstance(item, _Tensor) or item.size not in (SHAPE, (1, *SHAPE)):
                raise ModelError(f"{path.name}: entry {number} is no latents of {SHAPE}.")
            latents[number] = _numbers(item, storages)
    except OSError as error:
        raise ModelError(f"{path.name}: cannot be read ({error.strerror}).") from error
    except ModelError:
        raise
    except NotAllowed as error:
        raise ModelError(
            f"{path.name}: is refused: it asks for {error}, and a list of latents needs no such thing."
        ) from None
    except Exception as error:  # a damaged or a hostile file raises whatever it likes
        raise ModelError(f"{path.name}: is refused, or is no list of latents ({type(error).__name__}).") from None
    if not np.isfinite(latents).all():
        raise ModelError(f"{path.name}: has values that are no numbers.")
    return latents


def _of_zip(path: Path) -> tuple[object, Storages]:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
        if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
            raise ModelError(f"{path.name}: is compressed; torch.save does not compress.")
        if members["data.pkl"].file_size > _MAX_LIST_BYTES:
            raise NotAllowed("more than a list")
        kinds: dict[str, str] = {}
        found = _unpickled(archive.read(members["data.pkl"]), kinds)
        return found, {key: archive.read(members[f"data/{key}"]) for key in kinds}


def _of_older_form(path: Path) -> tuple[object, Storages]:
    content = np.memmap(path, np.uint8, "r")
    head = io.BytesIO(content[:_MAX_LIST_BYTES].tobytes())
    magic, _, _, listed, keys = (_next_pickle(head) for _ in range(5))
    kinds: dict[str, str] = {}
    order = unpickle(keys, {})
    if unpickle(magic, {}) != _MAGIC or not isinstance(order, list):
        raise NotAllowed("another form")
    found = _unpickled(listed, kinds)
    storages, start = {}, head.tell()
    for key in order:
        first = start + _SIZE.itemsize
        start = first + int(content[start:first].view(_SIZE)[0]) * np.dtype(kinds[key]).itemsize
        storages[key] = content[first:start]
    return found, storages


def _next_pickle(file: io.BytesIO) -> bytes:
    start = file.tell()
    for _ in pickletools.genops(file):  # up to its end; nothing is done
        pass
    return file.getbuffer()[start : file.tell()].tobytes()


def _unpickled(content: bytes, kinds: dict[str, str]) -> object:
    """The object of a pickle, its tensors as `_Tensor`. `kinds`: gets what its storages hold, by their keys."""

    def stored(number: object) -> _Storage:
        match number:
            case ("storage", str(kind), str(key), str(), int()) | ("storage", str(kind), str(key), str(), int(), None):
                kinds[key] = kind
                return _Storage(key, kind)
        raise NotAllowed("a storage of an unusual kind")

    return unpickle(content, _TORCH, stored)


def _tensor(storage: object, offset: object, size: object, stride: object, _grad: object, _hooks: object) -> _Tensor:
    match storage, offset, size, stride:
        case _Storage(), int(), tuple(), tuple():
            return _Tensor(storage, offset, size, stride)
    raise NotAllowed("a tensor of an unusual kind")


def _parameter(tensor: object, _grad: object, _hooks: object) -> object:
    return tensor


def _no_hooks() -> None:
    """An empty dictionary, which nobody looks at."""


def _numbers(tensor: _Tensor, storages: Storages) -> NDArray[np.float32]:
    """(8, 32, 32). Raises `ValueError` where the storage does not hold them."""
    kind = np.dtype(tensor.storage.kind)
    strides = [step * kind.itemsize for step in tensor.stride[-len(SHAPE) :]]
    found = np.ndarray(SHAPE, kind, storages[tensor.storage.key], tensor.offset * kind.itemsize, strides)
    if tensor.storage.kind == _BFLOAT16:
        return (found.astype(np.uint32) << 16).view(np.float32)
    return found.astype(np.float32)


_TORCH: Mapping[tuple[str, str], object] = {
    ("torch._utils", "_rebuild_tensor_v2"): StandIn(_tensor),
    ("torch._utils", "_rebuild_parameter"): StandIn(_parameter),
    ("collections", "OrderedDict"): StandIn(_no_hooks),
    ("torch", "HalfStorage"): "<f2",
    ("torch", "BFloat16Storage"): _BFLOAT16,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "DoubleStorage"): "<f8",
}
