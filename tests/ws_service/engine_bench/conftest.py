"""A tiny engine with random weights and an avatar of few pictures, made once. What needs torch skips without it."""

from pathlib import Path

import numpy as np
import pytest

from models.prepared_avatar import PreparedAvatar

GOLDEN = Path(__file__).parents[2] / "golden" / "musetalk" / "musetalk_tiny.npz"


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory) -> Path:
    """A folder of weights of tiny size. Shared: tests must not change it."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from models.musetalk.random_weights import write_random_weights

    root = tmp_path_factory.mktemp("random_weights")
    write_random_weights(root, "tiny")
    return root


@pytest.fixture(scope="session")
def avatar_folder(tmp_path_factory) -> Path:
    """A prepared avatar of three different pictures."""
    from tests.models.musetalk.faces import saved_photo_avatar

    folder = tmp_path_factory.mktemp("avatars") / "default"
    with np.load(GOLDEN) as arrays:
        saved_photo_avatar(arrays["frame_bgr"], folder, "default")
    return folder


@pytest.fixture(scope="session")
def small_avatar(avatar_folder) -> PreparedAvatar:
    """The same, loaded."""
    from models.prepared_avatar import load_avatar

    return load_avatar(avatar_folder)
