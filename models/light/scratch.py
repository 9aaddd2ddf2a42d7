"""Working memory that painting reuses, one set for each thread.

Owns buffers only. Without it every picture would map, clear and unmap megabytes, and two threads could not paint at
the same time.
"""

import math
import threading

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch(threading.local):
    """Named arrays that keep their memory between calls; every thread sees its own."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray:
        """An uninitialised array. It shares its memory with earlier arrays of this name in this thread.

        A name belongs to one type.
        """
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, dtype)
        return buffer[:size].reshape(shape)

    def held_bytes(self) -> int:
        """Memory held for the calling thread."""
        return sum(buffer.nbytes for buffer in self._buffers.values())
