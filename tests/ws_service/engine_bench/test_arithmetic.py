import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.musetalk.random_weights import _SIZES
from ws_service.engine_bench.arithmetic import count_arithmetic

NAMES = {"unet": "musetalkV15/musetalk.json", "vae": "sd-vae/config.json", "whisper": "whisper/config.json"}


def write_configurations(root, names) -> None:
    for field, name in names.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(json.dumps(getattr(_SIZES["full"], field)))


def test_the_published_nets_take_800_gflop_a_frame_and_no_weights_are_needed_to_know(tmp_path) -> None:
    write_configurations(tmp_path, NAMES)
    counted = count_arithmetic(tmp_path)
    assert round(counted.unet_gflop, 1) == 177.8
    assert round(counted.decoder_gflop["full"], 1) == 622.2
    assert round(counted.audio_gflop, 1) == 36.9
    assert counted.frame_gflop("full") == counted.unet_gflop + counted.decoder_gflop["full"]
    assert "tiny" not in counted.decoder_gflop


def test_the_tiny_decoder_counts_where_it_is_there(tmp_path) -> None:
    write_configurations(tmp_path, NAMES | {"tiny_vae": "taesd/config.json"})
    counted = count_arithmetic(tmp_path)
    assert 0 < counted.decoder_gflop["tiny"] < counted.decoder_gflop["full"] / 5
