import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from models.errors import ModelError  # noqa: E402
from models.musetalk.nets import MuseTalkNets, load_nets  # noqa: E402
from models.musetalk.renderer import Renderer  # noqa: E402
from models.musetalk.vae import build_tiny_vae, build_vae, present_names  # noqa: E402
from tests.models.musetalk.closeness import level_errors, relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import TINY_VAE_CONFIG, VAE_CONFIG, write_tiny_decoder  # noqa: E402


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


@pytest.mark.parametrize("decoder", ["full", "tiny"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_picture_that_is_not_finite_is_black_and_not_drawn_and_the_others_are(
    decoder, value, tiny_weights: Path, tmp_path: Path, golden: dict
) -> None:
    root = shutil.copytree(tiny_weights, tmp_path / "weights")
    write_tiny_decoder(root)
    nets = load_nets(root, "cpu", torch.float32, vae_decoder=decoder)
    vae = nets.vae if nets.tiny_vae is None else nets.tiny_vae
    last = [layer for layer in vae.decoder.modules() if isinstance(layer, torch.nn.Conv2d)][-1]
    latents = torch.from_numpy(golden["latents"])[:, 4:]
    expected = nets.decode(latents)[0]

    def spoil_first(_, __, made: torch.Tensor) -> torch.Tensor:
        made[0, 1, 100, 100] = value  # one value of one channel
        return made

    last.register_forward_hook(spoil_first)
    pictures = nets.decode(latents.expand(2, 4, 32, 32))
    assert pictures[0].max() == 0
    assert (pictures[1].int() - expected.int()).abs().max() <= 1
    _, usable = Renderer(nets).draw(torch.zeros(2, 50, 384), torch.from_numpy(golden["latents"]).expand(2, 8, 32, 32))
    assert usable.tolist() == [False, True]


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


@pytest.fixture
def weights_with_tiny(tiny_weights: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint with the tiny decoder beside it."""
    root = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    write_tiny_decoder(root)
    return root


def test_the_tiny_decoder_reads_the_unets_latents_as_they_are(weights_with_tiny: Path, golden: dict) -> None:
    small = load_nets(weights_with_tiny, "cpu", torch.float32, vae_decoder="tiny")
    assert small.vae_decoder == "tiny"
    latents = torch.from_numpy(golden["pred_latents"])
    rgb = small.tiny_vae.decoder(latents)  # (4, 3, 256, 256), -1..1
    expected = ((rgb.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).flip(-1)
    pictures = small.decode(latents)
    assert pictures.shape == (4, 256, 256, 3)
    assert (pictures.float() - expected).abs().max() <= 0.51
    assert pictures.float().std() > 1
    crops = torch.from_numpy(golden["crop256_bgr"])[None]
    assert relative_error(small.encode_pictures(crops).numpy(), golden["latents"]) < 1e-5  # by the whole VAE, always


def test_without_its_file_or_with_a_wrong_one_the_tiny_decoder_is_refused(
    tiny_weights: Path, weights_with_tiny: Path
) -> None:
    with pytest.raises(ModelError, match=r"taesd/config\.json .* is missing.*--tiny-decoder"):
        load_nets(tiny_weights, "cpu", torch.float32, vae_decoder="tiny")
    path = weights_with_tiny / "taesd/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["stranger"] = tensors.pop("decoder.layers.0.weight")
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"safetensors lacks the key 'decoder\.layers\.0\.weight'"):
        load_nets(weights_with_tiny, "cpu", torch.float32, vae_decoder="tiny")
    with pytest.raises(ModelError, match=r"config\.json: latent_channels is 16, where"):
        build_tiny_vae(TINY_VAE_CONFIG | {"latent_channels": 16}, Path("config.json"))
