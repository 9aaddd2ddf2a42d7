import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from models import catalog
from models.catalog import ENGINE_NAMES, choose_engine, create_engine
from models.errors import ModelError


@pytest.mark.parametrize("name", ["light", "auto"])
def test_without_weights_the_light_engine_is_made_and_is_the_automatic_choice(name: str, tmp_path: Path) -> None:
    assert create_engine(name, model_path=tmp_path).name == "light"


def test_the_automatic_choice_says_why_it_is_the_light_engine(tmp_path: Path) -> None:
    choice = choose_engine("auto", model_path=tmp_path)
    assert choice.name == "light"
    missing = "musetalk.json is missing" if find_spec("diffusers") else "is not installed"
    assert choice.reason.startswith("MuseTalk cannot run: ")
    assert missing in choice.reason
    assert "too slow" in choose_engine("auto", device="cpu", model_path=tmp_path).reason


@pytest.mark.parametrize(
    ("package", "weights", "gpu", "chosen", "reason"),
    [
        (None, None, None, "musetalk", "a GPU is there"),
        ("no torch", None, None, "light", "no torch"),
        (None, "no unet", None, "light", "no unet"),
        (None, None, "no GPU", "light", "no GPU"),
    ],
)
def test_the_automatic_choice_is_musetalk_only_with_packages_weights_and_gpu(
    monkeypatch: pytest.MonkeyPatch, package, weights, gpu, chosen, reason
) -> None:
    monkeypatch.setattr(catalog, "_missing_package", lambda: package)
    monkeypatch.setattr(catalog, "_missing_weights", lambda path: weights)
    monkeypatch.setattr(catalog, "_missing_gpu", lambda: gpu)
    choice = choose_engine("auto")
    assert choice.name == chosen
    assert reason in choice.reason


@pytest.mark.parametrize("name", ["light", "musetalk"])
def test_a_named_engine_is_taken_at_its_word(name: str) -> None:
    assert choose_engine(name) == (name, "as configured")


def test_musetalk_without_its_files_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'musetalk' cannot start: .*(is missing|is not installed)"):
        create_engine("musetalk", model_path=tmp_path)


def test_a_gpu_is_asked_of_no_light_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="runs on the CPU, not on 'cuda'; set DEVICE"):
        create_engine("light", device="cuda")
    with pytest.raises(ModelError, match="MuseTalk cannot run"):
        create_engine("auto", device="cuda", model_path=tmp_path)


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
