from pathlib import Path

import pytest

from models.errors import ModelError
from models.musetalk.weight_files import UNET, VAE, WEIGHT_FILES, WHISPER, missing_files


def touch(root: Path, name: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_an_empty_folder_lacks_every_needed_file_and_no_other(tmp_path: Path) -> None:
    assert missing_files(tmp_path) == [file for file in WEIGHT_FILES if file.needed]
    assert missing_files(tmp_path / "not there") == missing_files(tmp_path)


def test_the_folder_of_musetalks_own_download_script_lacks_nothing(tmp_path: Path) -> None:
    for name in (
        "musetalkV15/musetalk.json",
        "musetalkV15/unet.pth",
        "sd-vae/config.json",
        "sd-vae/diffusion_pytorch_model.bin",
        "whisper/config.json",
        "whisper/pytorch_model.bin",
    ):
        touch(tmp_path, name)
    assert missing_files(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "sd-vae/diffusion_pytorch_model.bin",
        "sd-vae/diffusion_pytorch_model.safetensors",
        "sd-vae-ft-mse/diffusion_pytorch_model.bin",
    ],
)
def test_the_vae_is_found_in_either_format_and_under_either_folder_name(tmp_path: Path, name: str) -> None:
    assert VAE.find(tmp_path) is None
    assert VAE.find(tmp_path) != touch(tmp_path, name)
    assert VAE.require(tmp_path) == tmp_path / name


def test_safetensors_come_before_pickles(tmp_path: Path) -> None:
    touch(tmp_path, "whisper/pytorch_model.bin")
    safe = touch(tmp_path, "whisper/model.safetensors")
    assert WHISPER.find(tmp_path) == safe


def test_a_folder_in_a_files_place_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "musetalkV15/unet.pth").mkdir(parents=True)
    assert UNET.find(tmp_path) is None


def test_a_missing_file_is_named_with_what_it_is_for_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unet\.pth .draws the mouth.* is missing; `musetalk weights fetch`"):
        UNET.require(tmp_path)


def test_what_the_hub_gives_is_what_the_nets_read() -> None:
    for file in WEIGHT_FILES:
        assert file.hub
        assert {source.path for source in file.hub} <= set(file.paths)
        assert file.needed or file.without_it != "MuseTalk cannot run"
