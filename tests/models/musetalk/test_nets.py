import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402

from models.errors import ModelError  # noqa: E402
from models.musetalk.nets import MuseTalkNets, load_nets  # noqa: E402


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint to damage."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "weights"))


def rewrite(path: Path, change) -> None:
    tensors = torch.load(path, weights_only=True)
    change(tensors)
    torch.save(tensors, path)


def test_nothing_can_be_trained_and_nothing_is_left_without_values(nets: MuseTalkNets) -> None:
    for net in (nets.whisper, nets.unet, nets.vae):
        assert not net.training
        for name, parameter in net.named_parameters():
            assert parameter.device.type == "cpu", name
            assert not parameter.requires_grad, name
        assert not [name for name, buffer in net.named_buffers() if buffer.is_meta]


def test_half_precision_holds_in_every_net_and_is_close(nets: MuseTalkNets, tiny_weights: Path, golden: dict) -> None:
    half = load_nets(tiny_weights, "cpu", torch.bfloat16)
    for net in (half.whisper, half.unet, half.vae):
        assert {parameter.dtype for parameter in net.parameters()} == {torch.bfloat16}
    tokens = half.add_positions(torch.from_numpy(golden["audio_chunks"][:2]))
    latents = half.encode_pictures(torch.from_numpy(golden["crop256_bgr"])[None])
    assert tokens.dtype == latents.dtype == torch.bfloat16
    pictures = half.decode(half.predict_latents(tokens, latents.expand(2, 8, 32, 32)))
    difference = (pictures.int() - torch.from_numpy(golden["generated_bgr"][:2]).int()).abs().float()
    assert difference.mean() < 8  # mistakes of wiring move it by 30 to 60
    assert half.hidden_states(torch.zeros(1, 80, 3000)).dtype == torch.bfloat16


def test_the_same_weights_as_safetensors_give_the_same_pictures(
    nets: MuseTalkNets, weights: Path, golden: dict
) -> None:
    for old, new in (
        ("musetalkV15/unet.pth", "musetalkV15/unet.safetensors"),
        ("sd-vae/diffusion_pytorch_model.bin", "sd-vae/diffusion_pytorch_model.safetensors"),
        ("whisper/pytorch_model.bin", "whisper/model.safetensors"),
    ):
        tensors = torch.load(weights / old, weights_only=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, weights / new)
        (weights / old).unlink()
    safe = load_nets(weights, "cpu", torch.float32)
    latents = torch.from_numpy(golden["pred_latents"][:1])
    assert torch.equal(safe.decode(latents), nets.decode(latents))


def test_todays_names_in_the_vaes_file_are_read_too(nets: MuseTalkNets, weights: Path) -> None:
    torch.save(nets.vae.state_dict(), weights / "sd-vae/diffusion_pytorch_model.bin")
    load_nets(weights, "cpu", torch.float32)


def test_the_nets_outlive_their_files(weights: Path, golden: dict, nets: MuseTalkNets) -> None:
    loaded = load_nets(weights, "cpu", torch.float32)
    for path in weights.rglob("*.*"):
        path.write_bytes(b"")
    latents = torch.from_numpy(golden["pred_latents"][:1])
    assert torch.equal(loaded.decode(latents), nets.decode(latents))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("musetalkV15/unet.pth", "conv_in.weight"),
        ("sd-vae/diffusion_pytorch_model.bin", "encoder.conv_in.weight"),
        ("whisper/pytorch_model.bin", "model.encoder.conv1.weight"),
    ],
)
def test_a_missing_a_strange_and_a_misshapen_key_are_each_named(weights: Path, name: str, key: str) -> None:
    path = weights / name
    intact = path.read_bytes()
    ours = key.removeprefix("model.encoder.")

    rewrite(path, lambda tensors: tensors.pop(key))
    with pytest.raises(ModelError, match=rf"{path.name} lacks the key '{ours}'$"):
        load_nets(weights, "cpu", torch.float32)

    path.write_bytes(intact)
    rewrite(path, lambda tensors: tensors.update(stranger=torch.zeros(1)))
    with pytest.raises(ModelError, match=rf"{path.name} has the unexpected key 'stranger'$"):
        load_nets(weights, "cpu", torch.float32)

    path.write_bytes(intact)
    rewrite(path, lambda tensors: tensors.update({key: tensors[key][:-1]}))
    with pytest.raises(ModelError, match=rf"{path.name} has '{ours}' of shape .* where the network has"):
        load_nets(weights, "cpu", torch.float32)


@pytest.mark.parametrize("name", ["musetalkV15/musetalk.json", "sd-vae/config.json", "whisper/config.json"])
def test_a_missing_or_broken_configuration_is_named(weights: Path, name: str) -> None:
    (weights / name).write_text("{")
    with pytest.raises(ModelError, match=f"{name} cannot be read as JSON"):
        load_nets(weights, "cpu", torch.float32)
    (weights / name).unlink()
    with pytest.raises(ModelError, match=f"{name} .* is missing"):
        load_nets(weights, "cpu", torch.float32)


def test_a_file_cut_short_is_refused(weights: Path) -> None:
    path = weights / "musetalkV15/unet.pth"
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(ModelError, match=r"unet\.pth is damaged or cut short"):
        load_nets(weights, "cpu", torch.float32)
