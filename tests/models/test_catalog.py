import subprocess
import sys
from pathlib import Path

import pytest

from models import catalog
from models.catalog import ENGINE_NAMES, EngineChoice, check_engine, choose_engine, create_engine
from models.errors import ModelError
from models.musetalk.weight_files import WEIGHT_FILES


@pytest.mark.parametrize("name", ["light", "auto"])
def test_the_light_engine_is_made_by_name_and_by_itself(name: str, tmp_path: Path) -> None:
    assert create_engine(name, model_path=tmp_path).name == "light"


def test_musetalk_without_its_files_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'musetalk' cannot start: .*(is missing|is not installed)"):
        create_engine("musetalk", model_path=tmp_path)


def test_a_gpu_is_asked_of_no_light_engine() -> None:
    with pytest.raises(ModelError, match="runs on the CPU, not on 'cuda'"):
        check_engine("light", "cuda")


def test_a_gpu_asked_of_whatever_engine_is_musetalks_and_what_keeps_it_from_starting_is_said(tmp_path: Path) -> None:
    for ask in (check_engine, choose_engine):
        with pytest.raises(ModelError, match=r"musetalk\.json is missing"):
            ask("auto", device="cuda", model_path=tmp_path)


def everything_for_musetalk(monkeypatch: pytest.MonkeyPatch, *, gpu: bool) -> None:
    monkeypatch.setattr(catalog, "_missing_package", lambda: None)
    monkeypatch.setattr(catalog, "_missing_weights", lambda path, decoder: None)
    monkeypatch.setattr(catalog, "_has_gpu", lambda: gpu)


def test_by_itself_musetalk_runs_where_weights_packages_and_a_gpu_are(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_for_musetalk(monkeypatch, gpu=True)
    assert choose_engine("auto").name == "musetalk"
    assert choose_engine("auto", device="cuda").name == "musetalk"
    assert choose_engine("auto", device="cpu") == EngineChoice("light", "MuseTalk is too slow on DEVICE=cpu")


def test_without_a_gpu_the_light_engine_runs_and_the_reason_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_for_musetalk(monkeypatch, gpu=False)
    assert choose_engine("auto") == EngineChoice("light", "no CUDA GPU")
    with pytest.raises(ModelError, match="no CUDA GPU"):
        choose_engine("auto", device="cuda")


def test_without_weights_the_file_is_named_and_nobody_looks_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never() -> bool:
        raise AssertionError("torch takes seconds to import")

    monkeypatch.setattr(catalog, "_has_gpu", never)
    choice = choose_engine("auto", model_path=tmp_path)
    assert choice.name == "light"
    assert choice.reason.startswith(f"{tmp_path / 'musetalkV15/musetalk.json'} is missing")


def test_the_tiny_decoder_needs_its_own_files(tmp_path: Path) -> None:
    for file in WEIGHT_FILES:
        if file.needed:
            (tmp_path / file.paths[0]).parent.mkdir(exist_ok=True)
            (tmp_path / file.paths[0]).touch()
    assert "missing" not in choose_engine("auto", model_path=tmp_path).reason
    choice = choose_engine("auto", model_path=tmp_path, vae_decoder="tiny")
    assert choice.reason == f"{tmp_path / 'taesd/config.json'} is missing (2 files in all)"


def test_without_torch_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_for_musetalk(monkeypatch, gpu=True)
    monkeypatch.setattr(catalog, "_missing_package", lambda: "the package torch is not installed")
    assert choose_engine("auto") == EngineChoice("light", "the package torch is not installed")


@pytest.mark.parametrize("name", ["light", "musetalk"])
def test_an_engine_asked_for_by_name_is_the_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    everything_for_musetalk(monkeypatch, gpu=False)
    assert choose_engine(name) == EngineChoice(name, f"ENGINE={name}")


def test_musetalk_on_cuda_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_for_musetalk(monkeypatch, gpu=False)
    check_engine("musetalk", "cpu")
    with pytest.raises(ModelError, match="no CUDA GPU"):
        check_engine("musetalk", "cuda")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ModelError, match="'heavy'") as caught:
        create_engine("heavy")
    assert all(name in str(caught.value) for name in ENGINE_NAMES)


def test_importing_the_catalog_imports_no_engine() -> None:
    program = (
        "import sys, models.catalog; "
        "print([name for name in sys.modules if name.startswith(('models.light', 'models.musetalk', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
