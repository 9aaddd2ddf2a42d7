"""Reads lists that MuseTalk pickled, without running anything that the file asks for; those of boxes whole.

Owns what such a file may contain: lists and tuples of numbers, and numpy's scalars, which are read here and not by
numpy. Every other step and every other name is refused before anything is called. Must not import torch.
"""

import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from models.errors import ModelError
from models.musetalk.jaw_mask import Box

MAX_BYTES = 2 << 20  # the boxes of ten minutes
_MAX_BOXES = 50_000
_LARGEST = 1 << 16

_NEEDED = (
    "PROTO FRAME MARK STOP EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 "
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT NONE NEWTRUE NEWFALSE "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD"
)
_NEEDED_STEPS = frozenset(_NEEDED.split())
_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f", "f8": "d"}


class NotAllowed(Exception):
    """The name of what the pickle asks for."""


class StandIn:
    """What a name of the pickle stands for: it can be called, and not be changed."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *arguments: object) -> object:
        """What the pickle gets."""
        return self._call(*arguments)

    def __setstate__(self, _: object) -> None:
        raise NotAllowed("a change of what it calls")


def unpickle(
    content: bytes, names: Mapping[tuple[str, str], object], stored: Callable[[object], object] | None = None
) -> object:
    """The object that is pickled, with what is in `names` for its names; nothing of another module is called.

    `stored`: gives what lies outside the pickle by its number. Raises `NotAllowed`, or anything for a damaged pickle.
    """
    _check_steps(content, _NEEDED_STEPS if stored is None else _NEEDED_STEPS | {"BINPERSID"})
    return _Unpickler(content, names, stored).load()


def _check_steps(content: bytes, needed: frozenset[str] = _NEEDED_STEPS) -> None:
    """Only the steps that such lists need, and no object numbered so that room would be made for billions."""
    for step, argument, _ in pickletools.genops(content):
        if step.name not in needed:
            raise NotAllowed(f"the step {step.name}")
        if step.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= len(content):
            raise NotAllowed("room for more than it has")


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, content: bytes, names: Mapping[tuple[str, str], object], stored: Callable[[object], object] | None
    ) -> None:
        super().__init__(io.BytesIO(content))
        self._names, self._stored = names, stored

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._names:
            raise NotAllowed(f"{module}.{name}"[:100])
        return self._names[module, name]

    def persistent_load(self, number: object) -> object:
        assert self._stored is not None, "the step is not allowed then"
        return self._stored(number)


def read_boxes(path: Path) -> list[Box]:
    """The boxes of `coords.pkl` or `mask_coords.pkl`. Raises `ModelError` naming the file and what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path.name}: is no list of boxes: it is larger than {MAX_BYTES >> 20} MB.")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path.name}: cannot be read ({error.strerror}).") from error
    try:
        found = unpickle(content, _NUMPY)
    except NotAllowed as error:
        raise ModelError(
            f"{path.name}: is refused: it asks for {error}, and a list of boxes needs no such thing."
        ) from None
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise ModelError(f"{path.name}: is no pickle that can be read ({type(error).__name__}).") from None
    if not isinstance(found, list) or not 0 < len(found) <= _MAX_BOXES:
        raise ModelError(f"{path.name}: is no list of boxes.")
    return [_box(path, number, item) for number, item in enumerate(found)]


def _box(path: Path, number: int, item: object) -> Box:
    if isinstance(item, list | tuple) and len(item) == 4 and all(type(value) in (int, float) for value in item):
        left, top, right, bottom = item
        if all(abs(value) < _LARGEST for value in item):  # also false for what is no number
            return Box(int(left), int(top), int(right), int(bottom))
    raise ModelError(f"{path.name}: entry {number} is no box.")


class _NumberType:
    """Stands for a numpy dtype: remembers which number it is."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or code not in _CODES:
            raise NotAllowed("numbers of an unusual type")
        self.code = _CODES[code]
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.order = ">"


def _number(kind: object, content: object) -> int | float:
    """What numpy's `scalar` would give for a plain number."""
    if not isinstance(kind, _NumberType) or not isinstance(content, bytes):
        raise NotAllowed("a numpy object")
    value = struct.unpack(kind.order + kind.code, content)[0]
    return float(value) if kind.code in "fd" else int(value)


def _encoded(text: object, encoding: object) -> bytes:
    """How older protocols write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise NotAllowed("_codecs.encode")
    return text.encode("latin1")


_NUMPY: Mapping[tuple[str, str], object] = {
    ("numpy.core.multiarray", "scalar"): StandIn(_number),
    ("numpy._core.multiarray", "scalar"): StandIn(_number),
    ("numpy", "dtype"): StandIn(_NumberType),
    ("_codecs", "encode"): StandIn(_encoded),
}
