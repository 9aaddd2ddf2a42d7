from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.musetalk.nets import MuseTalkNets  # noqa: E402
from models.musetalk.vae import build_vae, present_names  # noqa: E402
from tests.models.musetalk.closeness import level_errors, relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import VAE_CONFIG  # noqa: E402


def test_latents_are_the_modes_of_the_references(nets: MuseTalkNets, golden: dict) -> None:
    latents = nets.encode_pictures(torch.from_numpy(golden["crop256_bgr"])[None])
    assert relative_error(latents.numpy(), golden["latents"]) < 1e-5


def test_latents_do_not_change_from_one_time_to_the_next(nets: MuseTalkNets, golden: dict) -> None:
    picture = torch.from_numpy(golden["crop256_bgr"])[None]
    assert torch.equal(nets.encode_pictures(picture), nets.encode_pictures(picture))


def test_the_masked_half_is_blind_to_the_lower_face_and_the_reference_is_not(nets: MuseTalkNets, golden: dict) -> None:
    picture = torch.from_numpy(golden["crop256_bgr"])[None]
    other = picture.clone()
    other[:, 128:] = 255 - other[:, 128:]
    latents = nets.encode_pictures(torch.cat([picture, other]))  # (2, 8, 32, 32)
    torch.testing.assert_close(latents[0, :4], latents[1, :4])
    assert (latents[0, 4:] - latents[1, 4:]).abs().max() > 0.01


def test_pictures_of_the_references_latents_are_its_pictures(nets: MuseTalkNets, golden: dict) -> None:
    pictures = nets.decode(torch.from_numpy(golden["pred_latents"])).numpy()
    assert pictures.dtype == np.uint8
    largest, mean = level_errors(pictures, golden["generated_bgr"])
    assert largest <= 2
    assert mean <= 0.05


def test_levels_beyond_black_and_white_are_clipped(nets: MuseTalkNets, golden: dict) -> None:
    pictures = nets.decode(torch.from_numpy(golden["pred_latents"][:1]) * 100)
    assert pictures.min() == 0
    assert pictures.max() == 255


def test_old_names_of_the_attention_become_todays() -> None:
    def tensors(*names: str) -> dict:
        return {name: torch.zeros(1) for name in names}

    block = "decoder.mid_block.attentions.0"
    old = tensors(
        f"{block}.query.weight",
        f"{block}.key.bias",
        f"{block}.value.weight",
        f"{block}.proj_attn.bias",
        f"{block}.group_norm.weight",
        "decoder.conv_in.weight",
    )
    assert list(present_names(old)) == [
        f"{block}.to_q.weight",
        f"{block}.to_k.bias",
        f"{block}.to_v.weight",
        f"{block}.to_out.0.bias",
        f"{block}.group_norm.weight",
        "decoder.conv_in.weight",
    ]
    assert list(present_names(present_names(old))) == list(present_names(old))


def test_the_published_configuration_has_the_published_size() -> None:
    published = VAE_CONFIG | {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}
    vae = build_vae(published, Path("config.json"))
    assert sum(parameter.numel() for parameter in vae.parameters()) / 1e6 == pytest.approx(83.65, abs=0.01)
    assert vae.config.scaling_factor == 0.18215
