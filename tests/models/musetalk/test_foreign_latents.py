# ruff: noqa: E402 - without torch this module is skipped
"""What torch saved is read as torch itself reads it; what would take room or do something is refused before."""

import os
import random
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError
from models.musetalk.foreign_latents import read_latents

MUCH = 1 << 27
ZIP, OLDER = True, False


def rows(count: int, kind: torch.dtype = torch.float16) -> list[torch.Tensor]:
    """(1, 8, 32, 32) each, in storages of their own."""
    whole = torch.randn(count, 8, 32, 32, generator=torch.Generator().manual_seed(3)).to(kind)
    return [row.clone() for row in whole.split(1)]


def written(folder: Path, content: object, form: bool = ZIP) -> Path:
    torch.save(content, folder / "latents.pt", _use_new_zipfile_serialization=form)
    return folder / "latents.pt"


def refused(path: Path, count: int, sentence: str) -> None:
    """By this sentence, and without taking room."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=rf"^latents\.pt: {sentence}"):
            read_latents(path, (count,))
        assert tracemalloc.get_traced_memory()[1] < MUCH // 64
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", [ZIP, OLDER])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_of_every_kind_are_those_that_torch_reads(tmp_path, form, kind):
    path = written(tmp_path, rows(3, kind), form)
    expected = np.concatenate([row.float().numpy() for row in torch.load(path, weights_only=True)])
    np.testing.assert_array_equal(read_latents(path, (3,)), expected)


@pytest.mark.parametrize("form", [ZIP, OLDER])
@pytest.mark.parametrize(
    "change",
    [
        lambda whole: list(whole.split(1)),
        lambda whole: [whole[1:2], whole[1:2]],
        lambda whole: list(whole.transpose(2, 3).split(1)),
        lambda whole: [torch.nn.Parameter(row) for row in whole],
        lambda whole: [row.clone().requires_grad_() for row in whole],
        lambda whole: [whole[0, :, :1].expand(8, 32, 32)],
    ],
    ids=["of one storage", "one twice", "turned", "parameters", "with gradients", "one row many times"],
)
def test_tensors_lie_in_their_storages_as_torch_laid_them(tmp_path, form, change: Callable):
    path = written(tmp_path, change(torch.cat(rows(4))), form)
    expected = torch.load(path, weights_only=True)
    found = read_latents(path, (len(expected),))
    for row, tensor in zip(found, expected, strict=True):
        np.testing.assert_array_equal(row, tensor.detach().float().numpy().reshape(8, 32, 32))


class Call:
    """Is unpickled by a call."""

    def __init__(self, call: Callable, *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("form", [ZIP, OLDER])
@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (lambda: Call(bytearray, MUCH), r"is refused: it asks for \w+\.bytearray, and a list of latents"),
        (lambda: Call(os.mkdir, "was_here"), r"is refused: it asks for \w+\.mkdir"),
        (lambda: Call(OrderedDict, [(1, 2)]), "is refused"),
        (lambda: {"a": 1}, "is refused: it asks for the step EMPTY_DICT"),
        (lambda: torch.zeros(1, 8, 32, 32, dtype=torch.int8), "is refused: it asks for torch.CharStorage"),
        (lambda: torch.zeros(1, 4, 32, 32), "entry 1 is no latents of"),
        (lambda: [torch.zeros(1, 8, 32, 32)], "entry 1 is no latents of"),
    ],
    ids=["bytearray", "mkdir", "dictionary", "empty dictionary", "integers", "shape", "list"],
)
def test_what_is_no_latents_is_refused_before_it_takes_room(tmp_path, form, item, sentence):
    refused(written(tmp_path, [*rows(1), item()], form), 2, sentence)


@pytest.mark.parametrize("form", [ZIP, OLDER])
@pytest.mark.parametrize(
    "arguments",
    [
        (1, (1, 8, 32, 32), (8192, 1024, 32, 1)),
        (-1, (1, 8, 32, 32), (8192, 1024, 32, 1)),
        (0, (1, 8, 32, 32), (8192, MUCH, 32, 1)),
        (0, (1, 8, 32, 32), (8192, 1024, 32, -1)),
        (1 << 70, (1, 8, 32, 32), (8192, 1024, 32, 1)),
        (0, (1, 8, 32, 32), (1,)),
    ],
    ids=["after", "before", "far", "backwards", "at no place", "flat"],
)
def test_a_tensor_that_reaches_out_of_its_storage_is_refused(tmp_path, form, arguments):
    storage = rows(1)[0]._typed_storage()
    item = Call(torch._utils._rebuild_tensor_v2, storage, *arguments, False, OrderedDict())
    refused(written(tmp_path, [item], form), 1, r"is refused, or is no list of latents \(\w+Error\)")


def test_a_storage_that_says_it_is_larger_than_the_file_takes_no_room(tmp_path):
    path = written(tmp_path, rows(1), OLDER)
    content = path.read_bytes()
    at = len(content) - 8192 * 2 - 8
    assert int.from_bytes(content[at : at + 8], "little") == 8192
    path.write_bytes(content[:at] + (MUCH * 8).to_bytes(8, "little") + content[at + 8 : -2])
    refused(path, 1, "is refused, or is no list of latents")


@pytest.mark.parametrize("form", [ZIP, OLDER])
def test_a_mutated_file_is_latents_or_a_sentence(tmp_path, form):
    rng = random.Random(5)
    whole = written(tmp_path, rows(2), form).read_bytes()
    places = [at for at in range(len(whole)) if at < 1200 or (form is ZIP and at > len(whole) - 1200)]
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            content[rng.choice(places)] = rng.randrange(256)
        (tmp_path / "latents.pt").write_bytes(content[: rng.choice((len(content), len(content), 700))])
        with suppress(ModelError):
            assert read_latents(tmp_path / "latents.pt", (2,)).shape == (2, 8, 32, 32)
