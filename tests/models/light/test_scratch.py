import threading

import numpy as np

from models.light.scratch import Scratch


def test_an_array_has_the_shape_and_type_asked_for() -> None:
    array = Scratch().array("map", (3, 4, 2), np.float64)
    assert array.shape == (3, 4, 2)
    assert array.dtype == np.float64
    assert array.flags.writeable


def test_a_name_keeps_its_memory_and_grows_only_when_it_must() -> None:
    scratch = Scratch()
    large = scratch.array("map", (100, 100))
    small = scratch.array("map", (10, 10))
    assert np.shares_memory(large, small)
    assert scratch.held_bytes() == 100 * 100 * 4
    assert not np.shares_memory(large, scratch.array("map", (200, 100)))


def test_names_do_not_share_memory() -> None:
    scratch = Scratch()
    assert not np.shares_memory(scratch.array("a", (5,)), scratch.array("b", (5,)))


def test_threads_do_not_share_memory() -> None:
    scratch = Scratch()
    here = scratch.array("map", (5,))
    there = []
    thread = threading.Thread(target=lambda: there.append(scratch.array("map", (5,))))
    thread.start()
    thread.join()
    assert not np.shares_memory(here, there[0])


def test_an_empty_array_is_an_array() -> None:
    assert Scratch().array("map", (0, 7), np.uint8).shape == (0, 7)
