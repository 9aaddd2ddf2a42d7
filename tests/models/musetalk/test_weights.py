import contextlib
import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from models.errors import ModelError  # noqa: E402
from models.musetalk.weights import (  # noqa: E402
    check_sizes,
    key_problem,
    load_weights,
    read_config,
    read_tensors,
    value_problem,
    without_values,
)

FORMATS = ("new.pth", "old.pth", "net.safetensors")


def save(tensors: dict, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=not path.name.startswith("old"))
    return path


def a_net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


@pytest.fixture(scope="module", params=FORMATS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(a_net().state_dict(), tmp_path_factory.mktemp("file") / request.param)


def test_every_format_gives_back_the_tensors(file: Path) -> None:
    tensors = read_tensors(file)
    wanted = a_net().state_dict()
    assert sorted(tensors) == sorted(wanted)
    assert all(torch.equal(tensors[key], wanted[key]) for key in wanted)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused_in_one_sentence(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / file.name
    path.write_bytes(whole[:cut])
    with pytest.raises(ModelError) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch warns of a spoilt protocol number
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_spoilt_bytes_gives_tensors_or_is_refused(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / file.name
    path.write_bytes(content)
    with contextlib.suppress(ModelError):  # nothing else may come out
        assert all(isinstance(tensor, torch.Tensor) for tensor in read_tensors(path).values())


def test_an_archive_that_says_it_is_one_of_many_disks_is_refused(tmp_path: Path) -> None:
    path = save(a_net().state_dict(), tmp_path / "new.pth")
    content = bytearray(path.read_bytes())
    locator = content.rindex(b"PK\x06\x07")  # of the zip64 end: signature, disk, place, count of disks
    content[locator + 16] = 2
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        read_tensors(path)


@pytest.mark.parametrize("name", FORMATS)
def test_garbage_and_empty_files_are_refused(tmp_path: Path, name: str) -> None:
    for content in (
        b"",
        b"<html>404</html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        b"\x80\x02.",
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=name):
            read_tensors(tmp_path / name)


def test_a_file_of_torchs_that_was_cut_says_so_in_our_words(tmp_path: Path) -> None:
    for name in ("new.pth", "old.pth"):
        path = save(a_net().state_dict(), tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if name == "new.pth" else 0])
        with pytest.raises(ModelError) as caught:
            read_tensors(path)
        assert str(caught.value) == f"{path} is damaged or cut short: its end is missing"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.pth"):
        read_tensors(tmp_path / "gone.pth")


class Intruder:
    """Runs a command when unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("way", ["plain pickle", "new.pth", "old.pth"])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path, way: str) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    content = {"weight": torch.zeros(1), "evil": Intruder(trace)}
    if way == "plain pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=way == "new.pth")
    with pytest.raises(ModelError, match=r"weights\.pth"):
        read_tensors(path)
    assert not trace.exists()


def test_python_objects_are_told_apart_from_damage(tmp_path: Path) -> None:
    torch.save({"evil": Intruder(tmp_path / "trace")}, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"weights\.pth holds Python objects besides tensors"):
        read_tensors(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [{}, [torch.zeros(1)], torch.zeros(1), {"state_dict": {"a": torch.zeros(1)}}])
def test_anything_but_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="something other than tensors by name"):
        read_tensors(tmp_path / "weights.pth")


def test_a_configuration_is_a_json_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"a": 1}))
    assert read_config(path) == {"a": 1}
    for content in (b"", b"{", b"\xff\xfe", b"[1]"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"config\.json"):
            read_config(path)


def test_keys_are_compared_both_ways_and_by_shape_and_kind() -> None:
    net = without_values(a_net, Path("config"))
    tensors = a_net().state_dict()
    assert key_problem(net, tensors) is None
    assert key_problem(net, {**tensors, "extra": torch.zeros(1)}) == "has the unexpected key 'extra'"
    assert key_problem(net, {}) == "lacks the key '0.weight' and 6 more"
    bent = {**tensors, "0.weight": torch.zeros(3, 5)}
    assert key_problem(net, bent) == "has '0.weight' of shape (3, 5), where the network has (3, 4)"
    whole = {**tensors, "0.weight": torch.zeros(3, 4, dtype=torch.long)}
    assert key_problem(net, whole) == "has '0.weight' of type torch.int64, where the network has torch.float32"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("integer modulo by zero"), "integer modulo by zero"),
        (IndexError("list index out of range"), "list index out of range"),
        (KeyError("nope"), "'nope' is not known"),
        (AssertionError(), "AssertionError"),
        (ValueError("Wrong field:\n    got 1. Please look\n    here."), "Wrong field: got 1"),
    ],
)
def test_whatever_a_library_makes_of_a_configuration_is_one_sentence_naming_the_file(error: Exception, said) -> None:
    def build() -> nn.Module:
        raise error

    with pytest.raises(ModelError) as caught:
        without_values(build, Path("config.json"))
    assert str(caught.value) == f"config.json describes no network that can be built: {said}"


def test_sizes_are_whole_numbers_above_0() -> None:
    good = {"groups": 32, "channels": [32, 64], "other": -1}
    check_sizes(good, Path("config.json"), ("groups", "channels", "not there"))
    for bad in ({"groups": 0}, {"groups": "64"}, {"groups": None}, {"groups": True}, {"channels": []}):
        with pytest.raises(ModelError, match=rf"config\.json: {next(iter(bad))} is .*, where a network has whole"):
            check_sizes(good | bad, Path("config.json"), ("groups", "channels"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused_with_file_and_key(value: float) -> None:
    tensors = a_net().state_dict()
    assert value_problem(tensors) is None
    tensors["1.bias"][1] = value
    with pytest.raises(ModelError, match=r"f\.pth has values in '1\.bias' that are not finite in float32"):
        load_weights(without_values(a_net, Path("c")), tensors, Path("f.pth"), torch.device("cpu"), torch.float32)


def test_values_beyond_half_precision_are_refused_there_alone() -> None:
    tensors = a_net().state_dict()
    tensors["0.weight"][0, 0] = 1e6
    net, source, cpu = without_values(a_net, Path("c")), Path("f.pth"), torch.device("cpu")
    load_weights(net, tensors, source, cpu, torch.bfloat16)
    with pytest.raises(ModelError, match=r"'0\.weight' that are not finite in float16"):
        load_weights(without_values(a_net, Path("c")), tensors, source, cpu, torch.float16)


def test_weights_take_the_type_asked_for_and_counters_keep_theirs() -> None:
    tensors = {key: value.half() if value.is_floating_point() else value for key, value in a_net().state_dict().items()}
    net = load_weights(without_values(a_net, Path("c")), tensors, Path("f"), torch.device("cpu"), torch.bfloat16)
    assert net[0].weight.dtype == net[1].running_var.dtype == torch.bfloat16
    assert net[1].num_batches_tracked.dtype == torch.long
    assert not net.training
    assert not net[0].weight.requires_grad


def test_loading_copies_so_that_the_tensors_given_may_change() -> None:
    tensors = a_net().state_dict()
    net = load_weights(without_values(a_net, Path("c")), tensors, Path("f"), torch.device("cpu"), torch.float32)
    before = net[0].weight.clone()
    tensors["0.weight"].zero_()
    assert torch.equal(net[0].weight, before)
