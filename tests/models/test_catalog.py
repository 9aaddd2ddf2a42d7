import subprocess
import sys
from pathlib import Path

import pytest

from models import catalog
from models.catalog import ENGINE_NAMES, check_engine, create_engine
from models.errors import ModelError


@pytest.mark.parametrize("name", ["light", "auto"])
def test_the_light_engine_is_made_by_name_and_by_itself(name: str, tmp_path: Path) -> None:
    assert create_engine(name, model_path=tmp_path).name == "light"


def test_musetalk_without_its_files_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'musetalk' cannot start: .*(is missing|is not installed)"):
        create_engine("musetalk", model_path=tmp_path)


@pytest.mark.parametrize("name", ["light", "auto"])
def test_a_gpu_is_asked_of_no_light_engine(name: str) -> None:
    with pytest.raises(ModelError, match="runs on the CPU, not on 'cuda'"):
        check_engine(name, "cuda")


def test_musetalk_on_cuda_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_missing_package", lambda: None)
    monkeypatch.setattr(catalog, "_missing_weights", lambda path: None)
    monkeypatch.setattr(catalog, "_has_gpu", lambda: False)
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
