import subprocess
import sys

import pytest

from models.catalog import ENGINE_NAMES, create_engine
from models.errors import ModelError


@pytest.mark.parametrize("name", ["light", "auto"])
def test_the_light_engine_is_made_and_is_the_automatic_choice(name: str) -> None:
    assert create_engine(name).name == "light"


def test_an_engine_that_is_not_built_says_so() -> None:
    with pytest.raises(ModelError, match="not built yet"):
        create_engine("musetalk")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ModelError, match="'heavy'") as caught:
        create_engine("heavy")
    assert all(name in str(caught.value) for name in ENGINE_NAMES)


def test_importing_the_catalog_imports_no_engine() -> None:
    program = "import sys, models.catalog; print([name for name in sys.modules if name.startswith('models.light')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
