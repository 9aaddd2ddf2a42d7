"""Boxes come out of honest pickles of every protocol; hostile ones are refused before they do anything."""

import os
import pickle
import random
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.musetalk.foreign_pickle import MAX_BYTES, NotAllowed, _check_steps, read_boxes

BOXES = [(10, 20, 110, 140), (11, 21, 111, 141), (-3, 20, 110, 600)]


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.witness),))


def written(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [int, float, np.int64, np.int32, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("holder", [list, tuple])
def test_boxes_of_every_kind_of_number_are_read(tmp_path, protocol, kind, holder):
    boxes = [holder(kind(max(value, 0)) for value in box) for box in BOXES]
    found = read_boxes(written(tmp_path / "coords.pkl", boxes, protocol))
    assert found == [tuple(max(value, 0) for value in box) for box in BOXES]
    assert all(type(value) is int for box in found for value in box)


def test_numpys_older_name_for_its_numbers_is_known(tmp_path):
    content = pickle.dumps([tuple(np.int64(v) for v in box) for box in BOXES], 0)
    older = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert older != content or np.lib.NumpyVersion(np.__version__) < "2.0.0"
    assert read_boxes(written(tmp_path / "coords.pkl", older)) == BOXES


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused_and_has_done_nothing(tmp_path, protocol):
    witness = tmp_path / "was_here"
    for content in (Attack(witness), [(1, 2, 3, 4), Attack(witness)], [(1, 2, 3, Attack(witness))]):
        with pytest.raises(ModelError, match=r"coords\.pkl: is refused: it asks for .*mkdir"):
            read_boxes(written(tmp_path / "coords.pkl", content, protocol))
    assert not witness.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93.",
        b"\x80\x02cnumpy\ndtype\n(S'O8'\ntR.",  # objects
        b"\x80\x02cnumpy.core.multiarray\nscalar\n(S'i8'\nS'12345678'\ntR.",  # no dtype
        b"\x80\x02cnumpy.core.multiarray\nscalar\n}X\x01\x00\x00\x00aK\x01sb.",  # changes what it calls
        b"Pname\n.",  # persistent
        b"\x80\x02\x82\x01.",  # the extension registry
        b"\x80\x04]r\xff\xff\xff\x7f.",  # room for two billion objects
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    ],
)
def test_whatever_else_a_pickle_asks_for_is_refused(tmp_path, content):
    with pytest.raises(ModelError, match=r"coords\.pkl: is "):
        read_boxes(written(tmp_path / "coords.pkl", content))


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        "boxes",
        [(1, 2, 3)],
        [(1, 2, 3, "4")],
        [(1, 2, 3, None)],
        [(1, 2, 3, True)],
        [(1, 2, 3, float("nan"))],
        [(1, 2, 3, float("inf"))],
        [(1, 2, 3, 10**9)],
        [[[1, 2, 3, 4]]],
        b"",
        b"\x80",
        b" " * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_list_of_boxes_is_named(tmp_path, content):
    with pytest.raises(ModelError, match=r"coords\.pkl: "):
        read_boxes(written(tmp_path / "coords.pkl", content))
    with pytest.raises(ModelError, match=r"missing\.pkl: cannot be read"):
        read_boxes(tmp_path / "missing.pkl")


def test_a_mutated_pickle_is_boxes_or_a_sentence(tmp_path):
    rng = random.Random(2)
    whole = pickle.dumps([tuple(np.int64(v) for v in box) for box in BOXES])
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        with suppress(ModelError):
            assert all(len(box) == 4 for box in read_boxes(written(tmp_path / "coords.pkl", bytes(content))))


@pytest.mark.parametrize(
    ("content", "asks_for"),
    [
        (b"\x80\x02\x82\x01.", "the step EXT1"),  # the extension registry
        (b"Pname\n.", "the step PERSID"),
        (b"(S'x'\nibuiltins\neval\n.", "the step INST"),
        (b"(cbuiltins\neval\nS'x'\no.", "the step OBJ"),
        (b"\x80\x04)\x81.", "the step NEWOBJ"),
        (b"\x80\x04}.", "the step EMPTY_DICT"),
        (b"\x80\x05\x97.", "the step NEXT_BUFFER"),
        (b"\x80\x04]r\xff\xff\xff\x7f.", "room for more than it has"),
        (b"]p2147483647\n.", "room for more than it has"),
        (b"]p-1\n.", "room for more than it has"),
        (b"]q\x06.", "room for more than it has"),
    ],
)
def test_steps_are_looked_at_before_any_is_taken(content, asks_for):
    with pytest.raises(NotAllowed, match=f"^{asks_for}$"):
        _check_steps(content)


def test_an_honest_number_of_an_object_is_let_through():
    _check_steps(b"]q\x02.")


@pytest.mark.parametrize("number", [1 << 24, (1 << 31) - 1])
def test_a_number_of_an_object_makes_no_room(tmp_path, number):
    path = written(tmp_path / "coords.pkl", b"\x80\x04]r" + struct.pack("<I", number) + b".")
    read_boxes(written(tmp_path / "whole.pkl", BOXES))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="refused: it asks for room for more than it has"):
            read_boxes(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_step_that_is_not_needed_is_refused_though_its_result_is_thrown_away(tmp_path):
    content = b"\x80\x04}0" + pickle.dumps(BOXES, 4)[2:]
    with pytest.raises(ModelError, match="refused: it asks for the step EMPTY_DICT"):
        read_boxes(written(tmp_path / "coords.pkl", content))
