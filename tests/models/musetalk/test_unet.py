import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.errors import ModelError  # noqa: E402
from models.musetalk.nets import MuseTalkNets  # noqa: E402
from models.musetalk.unet import build_unet  # noqa: E402
from tests.models.musetalk.closeness import relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import UNET_CONFIG  # noqa: E402

PUBLISHED = UNET_CONFIG | {
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "layers_per_block": 2,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}


def test_one_step_gives_the_references_latents(nets: MuseTalkNets, golden: dict) -> None:
    tokens = torch.from_numpy(golden["audio_tokens_pe"])
    latents = torch.from_numpy(golden["latents"]).expand(4, 8, 32, 32)
    predicted = nets.predict_latents(tokens, latents)
    assert predicted.shape == (4, 4, 32, 32)
    assert relative_error(predicted.numpy(), golden["pred_latents"]) < 5e-5


def test_a_frame_comes_out_the_same_alone_and_in_a_batch(nets: MuseTalkNets, golden: dict) -> None:
    tokens = torch.from_numpy(golden["audio_tokens_pe"])
    latents = torch.from_numpy(golden["latents"]).expand(4, 8, 32, 32)
    batch = nets.predict_latents(tokens, latents)
    for index in range(4):
        alone = nets.predict_latents(tokens[index : index + 1], latents[:1])
        torch.testing.assert_close(alone[0], batch[index], rtol=0, atol=1e-5)


def test_the_sound_shows_in_the_latents(nets: MuseTalkNets, golden: dict) -> None:
    tokens = torch.from_numpy(golden["audio_tokens_pe"])
    latents = torch.from_numpy(golden["latents"]).expand(4, 8, 32, 32)
    without_positions = nets.predict_latents(tokens - nets.positions, latents)
    assert relative_error(without_positions.numpy(), golden["pred_latents"]) > 0.1


def test_the_published_configuration_has_the_published_size() -> None:
    unet = build_unet(PUBLISHED, Path("musetalk.json"))
    assert sum(parameter.numel() for parameter in unet.parameters()) / 1e6 == pytest.approx(849.95, abs=0.01)
    assert all(parameter.is_meta for parameter in unet.parameters())


@pytest.mark.parametrize(("field", "value"), [("in_channels", 4), ("out_channels", 8), ("cross_attention_dim", 768)])
def test_another_models_configuration_is_refused_by_field(field: str, value: int) -> None:
    with pytest.raises(ModelError, match=rf"here/musetalk\.json: {field} is {value}, where MuseTalk's UNet has"):
        build_unet(UNET_CONFIG | {field: value}, Path("here/musetalk.json"))


def test_a_configuration_without_the_sounds_width_is_refused_rather_than_filled_in() -> None:
    config = {field: value for field, value in UNET_CONFIG.items() if field != "cross_attention_dim"}
    with pytest.raises(ModelError, match="cross_attention_dim is None"):
        build_unet(config, Path("musetalk.json"))


def test_a_configuration_that_no_network_can_have_is_refused_with_its_file() -> None:
    with pytest.raises(ModelError, match=r"musetalk\.json describes no network"):
        build_unet(json.loads(json.dumps(UNET_CONFIG | {"block_out_channels": [32]})), Path("musetalk.json"))
