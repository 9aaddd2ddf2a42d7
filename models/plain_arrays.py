"""Reads arrays from files that may be damaged, or made to do harm: without pickle, in no more memory than they fill.

The readers of numpy and zip raise whatever they like on a damaged file (`TokenError`, `MemoryError`, `RuntimeError`);
from here come `OSError` and `ValueError` alone. Must not import other modules of the project.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def map_array(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of a .npy file, memory-mapped and read-only.

    Raises `OSError`, and `ValueError` with a few words where it is no such array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:
        raise ValueError("no array that can be read") from error
    if not isinstance(array, np.memmap) or array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError("other shape or type")
    return np.asarray(array)  # mapped all the same; each view of a `memmap` would run Python code


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a .npz file, by name.

    Raises `OSError`, and `ValueError` with a few words where it is damaged, or compressed: a few bytes may stand for
    gigabytes then, and `numpy.savez` does not compress.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content_bytes = sum(member.file_size for member in archive.infolist())
        fits = content_bytes <= path.stat().st_size
        if fits:
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
    except OSError:
        raise
    except Exception as error:
        raise ValueError("no arrays that can be read") from error
    raise ValueError("compressed")
