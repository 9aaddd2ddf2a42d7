"""The tiny checkpoint and the golden arrays, made once per run. What needs torch skips without it."""

from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "musetalk"


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """The reference's arrays by name."""
    with np.load(GOLDEN / "musetalk_tiny.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with UNet, VAE and Whisper. Shared: tests must not change it."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from tests.models.musetalk.tiny_checkpoint import write_checkpoint

    root = tmp_path_factory.mktemp("tiny_weights")
    write_checkpoint(root)
    return root


@pytest.fixture(scope="session")
def face_parsing_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with face parsing alone. Shared: tests must not change it."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from tests.models.musetalk.tiny_checkpoint import write_face_parsing

    root = tmp_path_factory.mktemp("face_parsing_weights")
    write_face_parsing(root)
    return root


@pytest.fixture(scope="session")
def nets(tiny_weights: Path):
    """The tiny nets on the CPU in float32."""
    import torch

    from models.musetalk.nets import load_nets

    return load_nets(tiny_weights, "cpu", torch.float32)
