"""Whatever bytes a file holds: it is the array that was asked for, or an error with a few words."""

import random
import resource
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from models.plain_arrays import map_array, read_arrays

SHAPE = (3, 5)
MUTATIONS = 400


@pytest.fixture
def array_file(tmp_path) -> Path:
    np.save(tmp_path / "a.npy", np.arange(15, dtype=np.uint8).reshape(SHAPE))
    return tmp_path / "a.npy"


@pytest.fixture
def archive(tmp_path) -> Path:
    np.savez(tmp_path / "a.npz", one=np.arange(15, dtype=np.float32), two=np.ones((2, 2), np.uint8))
    return tmp_path / "a.npz"


def _giant(path: Path, shape: tuple[int, ...] = (10**11, 468, 2)) -> Path:
    """A header that speaks of terabytes, and 100 bytes."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(100))
    return path


def test_what_was_saved_is_mapped_and_cannot_be_written(array_file):
    array = map_array(array_file, np.uint8, SHAPE)
    assert array.tolist() == np.arange(15).reshape(SHAPE).tolist()
    assert isinstance(array.base, np.memmap)
    assert not array.flags.writeable


def test_what_was_saved_by_name_is_read(archive):
    found = read_arrays(archive)
    assert found["one"].tolist() == list(range(15))
    assert (found["two"].dtype, found["two"].shape) == (np.uint8, (2, 2))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore")  # numpy reads headers as Python, which warns of odd escapes
def test_a_header_with_a_few_other_bytes_is_refused_or_the_same_array(array_file, seed):
    rng = random.Random(seed)
    whole = array_file.read_bytes()
    for _ in range(MUTATIONS):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            content[rng.randrange(128)] ^= rng.randrange(1, 256)
        array_file.write_bytes(content)
        with suppress(ValueError):
            found = map_array(array_file, np.uint8, SHAPE)
            assert (found.shape, found.dtype) == (SHAPE, np.uint8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore")
def test_an_archive_with_a_few_other_bytes_is_refused_or_read(archive, seed):
    rng = random.Random(seed)
    whole = archive.read_bytes()
    for _ in range(MUTATIONS // 2):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
        archive.write_bytes(content)
        with suppress(ValueError, OSError):
            read_arrays(archive)


@pytest.mark.parametrize(
    "other", [np.zeros((5, 3), np.uint8), np.zeros(SHAPE, np.int8), np.asfortranarray(np.zeros(SHAPE, np.uint8))]
)
def test_another_array_than_was_asked_for_is_refused(array_file, other):
    np.save(array_file, other)
    with pytest.raises(ValueError, match="other shape or type"):
        map_array(array_file, np.uint8, SHAPE)


def test_a_header_that_speaks_of_terabytes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no array"):
        map_array(_giant(tmp_path / "a.npy"), np.float32, (10**11, 468, 2))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(_giant(tmp_path / "a.npy"), "a.npy")
    with pytest.raises(ValueError, match="no arrays"):
        read_arrays(tmp_path / "a.npz")


def test_an_archive_that_would_swell_is_refused_before_it_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (200 << 20,)})
        for _ in range(200):
            file.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="compressed"):
        read_arrays(tmp_path / "a.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_a_file_that_is_not_there_is_the_disks_trouble(tmp_path):
    for read in (lambda path: map_array(path, np.uint8, SHAPE), read_arrays):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")
