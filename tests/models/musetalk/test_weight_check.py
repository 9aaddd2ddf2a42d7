import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import models.preparation  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.musetalk.nets import load_nets  # noqa: E402
from models.musetalk.weight_check import FileReport, check_weights  # noqa: E402
from models.musetalk.weight_files import DWPOSE, FACE_PARSING, UNET, UNET_CONFIG, VAE, WEIGHT_FILES, WHISPER  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import write_tiny_decoder  # noqa: E402

AN_ONNX = Path(models.preparation.__file__).parent / "nets" / "face_mesh.onnx"


@pytest.fixture
def weights(tiny_weights: Path, face_parsing_weights: Path, tmp_path: Path) -> Path:
    """Every file, to damage."""
    root = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    shutil.copytree(face_parsing_weights, root, dirs_exist_ok=True)
    (root / "dwpose").mkdir()
    shutil.copy(AN_ONNX, root / DWPOSE.paths[0])
    write_tiny_decoder(root)
    return root


def reports_by_name(root: Path) -> dict[str, FileReport]:
    return {report.file.name: report for report in check_weights(root)}


def test_a_whole_folder_has_every_file_with_all_its_keys(weights: Path) -> None:
    reports = check_weights(weights)
    assert [report.file for report in reports] == list(WEIGHT_FILES)
    assert [report.problem for report in reports] == [None] * len(WEIGHT_FILES)
    assert not any(report.stops_musetalk for report in reports)
    counts = {report.file.name: report.n_keys for report in reports}
    assert counts[UNET.name] == len(torch.load(weights / "musetalkV15/unet.pth", weights_only=True))
    assert counts[FACE_PARSING.name] == 177
    assert counts[UNET_CONFIG.name] is None
    for report in reports:
        assert report.size_bytes == report.path.stat().st_size


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    reports = check_weights(tmp_path)
    assert {report.problem for report in reports} == {"missing"}
    assert [report.file for report in reports if report.stops_musetalk] == [f for f in WEIGHT_FILES if f.needed]


def test_every_damaged_file_is_found_and_the_others_are_still_checked(weights: Path) -> None:
    (weights / VAE.find(weights)).write_bytes(b"<html>")
    (weights / DWPOSE.paths[0]).write_bytes(b"no ONNX")
    tensors = torch.load(weights / FACE_PARSING.paths[0], weights_only=True)
    tensors["ffm.conv1.weight"] = tensors["ffm.conv1.weight"][:1]
    torch.save(tensors, weights / FACE_PARSING.paths[0])
    reports = reports_by_name(weights)
    assert "diffusion_pytorch_model.bin is damaged" in reports[VAE.name].problem
    assert "no ONNX network" in reports[DWPOSE.name].problem
    assert "'ffm.conv1.weight' of shape (1, 256, 1, 1)" in reports[FACE_PARSING.name].problem
    assert reports[UNET.name].problem is reports[WHISPER.name].problem is None
    assert reports[VAE.name].stops_musetalk
    assert not reports[DWPOSE.name].stops_musetalk  # what only preparation uses


def test_a_net_without_its_configuration_cannot_be_checked_and_says_so(weights: Path) -> None:
    (weights / "musetalkV15/musetalk.json").unlink()
    report = reports_by_name(weights)[UNET.name]
    assert "musetalk.json" in report.problem
    assert "is missing" in report.problem


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        ("musetalkV15/musetalk.json", "norm_num_groups", 0),
        ("musetalkV15/musetalk.json", "attention_head_dim", 0),
        ("musetalkV15/musetalk.json", "act_fn", "nope"),
        ("sd-vae/config.json", "block_out_channels", []),
        ("sd-vae/config.json", "scaling_factor", None),
        ("sd-vae/config.json", "scaling_factor", float("nan")),
        ("whisper/config.json", "encoder_ffn_dim", "64"),
        ("whisper/config.json", "encoder_layers", None),
        ("whisper/config.json", "dropout", "much"),
        ("taesd/config.json", "num_decoder_blocks", [0, 1, 1, 1]),
    ],
)
def test_a_wrong_configuration_is_one_sentence_in_its_row_and_when_loading(
    weights: Path, config: str, field: str, value: object
) -> None:
    fields = json.loads((weights / config).read_text())
    (weights / config).write_text(json.dumps(fields | {field: value}))
    problems = {report.problem for report in check_weights(weights) if report.problem}
    assert len(problems) == 1
    problem = problems.pop()
    assert str(weights / config) in problem
    assert "\n" not in problem
    assert field in problem or str(value) in problem
    with pytest.raises(ModelError) as caught:
        load_nets(weights, "cpu", torch.float32, vae_decoder="tiny")
    assert str(caught.value) == problem


def test_values_that_are_not_finite_are_found(weights: Path) -> None:
    path = weights / "musetalkV15/unet.pth"
    tensors = torch.load(path, weights_only=True)
    tensors["conv_in.bias"][3] = float("nan")
    torch.save(tensors, path)
    problem = reports_by_name(weights)[UNET.name].problem
    assert problem == f"{path} has values in 'conv_in.bias' that are not finite in float32"


def test_another_models_unet_is_not_taken_for_musetalks(weights: Path) -> None:
    path = weights / "musetalkV15/musetalk.json"
    path.write_text(path.read_text().replace('"in_channels": 8', '"in_channels": 4'))
    reports = reports_by_name(weights)
    assert "in_channels is 4, where MuseTalk's UNet has 8" in reports[UNET_CONFIG.name].problem
    assert reports[UNET.name].stops_musetalk
