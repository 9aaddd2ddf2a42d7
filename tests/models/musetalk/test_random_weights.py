# ruff: noqa: E402 - without torch this module is skipped
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers import AutoencoderTiny
from safetensors.torch import load_file

from models.musetalk.nets import MuseTalkNets, load_nets
from models.musetalk.random_weights import _SIZES, write_random_weights
from models.musetalk.unet import build_unet
from models.musetalk.vae import build_vae
from models.musetalk.weight_check import check_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("random")
    write_random_weights(root, "tiny")
    return root


@pytest.fixture(scope="module")
def random_nets(folder) -> MuseTalkNets:
    return load_nets(folder, "cpu", torch.float32)


def test_the_folder_holds_all_that_musetalk_needs(folder) -> None:
    assert [report.problem for report in check_weights(folder) if report.file.needed] == [None] * 6


def test_a_face_of_random_weights_is_drawn_and_no_activation_comes_near_the_end_of_half_precision(random_nets) -> None:
    largest = 0.0

    def note(_module, _given, made) -> None:
        nonlocal largest
        if isinstance(made, torch.Tensor):
            largest = max(largest, float(made.abs().max()))

    nets = random_nets
    hooks = [
        module.register_forward_hook(note) for net in (nets.unet, nets.vae, nets.whisper) for module in net.modules()
    ]
    generator = torch.Generator().manual_seed(1)
    hidden = nets.hidden_states(torch.randn(1, 80, 3000, generator=generator))
    latents = nets.encode_pictures(torch.randint(0, 256, (1, 256, 256, 3), generator=generator, dtype=torch.uint8))
    tokens = hidden[:, :10].reshape(1, 50, 384)
    pictures = nets.decode(nets.predict_latents(nets.add_positions(tokens), latents))
    for hook in hooks:
        hook.remove()
    assert 0 < largest < 1000  # float16 ends at 65504
    assert int(pictures.max()) - int(pictures.min()) > 50


def test_the_tiny_decoder_draws_finite_faces(folder) -> None:
    config = json.loads((folder / "taesd/config.json").read_text())
    net = AutoencoderTiny.from_config(config)
    net.load_state_dict(load_file(folder / "taesd/diffusion_pytorch_model.safetensors"))
    with torch.inference_mode():
        made = net.decode(torch.randn(1, 4, 32, 32), return_dict=False)[0]
    assert made.shape == (1, 3, 256, 256)
    assert made.isfinite().all()
    assert float(made.std()) > 0.05


def test_the_same_seed_writes_the_same_weights_and_another_one_others(folder, tmp_path) -> None:
    name = "sd-vae/diffusion_pytorch_model.safetensors"
    write_random_weights(tmp_path / "same", "tiny")
    write_random_weights(tmp_path / "other", "tiny", seed=1)
    assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_full_size_is_that_of_the_published_nets() -> None:
    sizes = _SIZES["full"]
    unet, vae = build_unet(sizes.unet, Path("musetalk.json")), build_vae(sizes.vae, Path("config.json"))
    count = [sum(parameter.numel() for parameter in net.parameters()) for net in (unet, vae.decoder, vae.encoder)]
    assert [round(number / 1e6, 2) for number in count] == [849.95, 49.49, 34.16]
