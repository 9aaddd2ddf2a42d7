import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers import UNet2DConditionModel  # noqa: E402
from diffusers.models.resnet import ResnetBlock2D  # noqa: E402
from torch import nn  # noqa: E402

from models.musetalk.fused_layers import (  # noqa: E402
    FusedNorm,
    FusedResnet,
    PlainSteps,
    choose_steps,
    fold_time,
    fuse,
    largest_difference,
)
from models.musetalk.nets import MuseTalkNets, load_nets  # noqa: E402
from tests.models.musetalk.closeness import relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import UNET_CONFIG  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def unfused(tiny_weights) -> MuseTalkNets:
    """The nets as the libraries make them."""
    return load_nets(tiny_weights, "cpu", torch.float32, fused=False)


def test_the_fused_nets_draw_what_the_libraries_own_do(nets, unfused, golden) -> None:
    tokens = torch.from_numpy(golden["audio_tokens_pe"])
    latents = torch.from_numpy(golden["latents"]).expand(4, 8, 32, 32)
    expected = unfused.predict_latents(tokens, latents)
    predicted = nets.predict_latents(tokens, latents)
    assert relative_error(predicted.numpy(), expected.numpy()) < 5e-6
    difference = (nets.decode(expected).int() - unfused.decode(expected).int()).abs()
    assert difference.max() <= 1
    assert difference.float().mean() < 1e-3
    crops = torch.from_numpy(golden["crop256_bgr"])[None]
    assert relative_error(nets.encode_pictures(crops).numpy(), unfused.encode_pictures(crops).numpy()) < 5e-6


def test_no_block_of_the_libraries_and_no_time_embedding_is_left(nets, unfused) -> None:
    for net, plain in ((nets.unet, unfused.unet), (nets.vae, unfused.vae)):
        blocks = [module for module in plain.modules() if isinstance(module, ResnetBlock2D)]
        assert len([module for module in net.modules() if isinstance(module, FusedResnet)]) == len(blocks) > 0
        assert not [module for module in net.modules() if isinstance(module, ResnetBlock2D)]
    left = {name for name, _ in unfused.unet.named_parameters()} - {name for name, _ in nets.unet.named_parameters()}
    assert left
    assert all("time_emb" in name for name in left)
    assert set(nets.vae.state_dict()) == set(unfused.vae.state_dict())


def test_folding_the_time_alone_changes_only_the_rounding(tiny_weights, unfused, golden) -> None:
    folded = load_nets(tiny_weights, "cpu", torch.float32, fused=False)
    fold_time(folded.unet)
    tokens = torch.from_numpy(golden["audio_tokens_pe"][:1])
    latents = torch.from_numpy(golden["latents"])
    expected = unfused.predict_latents(tokens, latents)
    assert relative_error(folded.predict_latents(tokens, latents).numpy(), expected.numpy()) < 5e-6


def test_time_that_is_not_constant_is_not_folded() -> None:
    unet = UNet2DConditionModel(**UNET_CONFIG, class_embed_type="timestep")
    fold_time(unet)
    fuse(unet, PlainSteps())
    assert [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]
    assert not [module for module in unet.modules() if isinstance(module, FusedResnet)]


@pytest.mark.parametrize("changed", [{"non_linearity": "mish"}, {"up": True}, {"output_scale_factor": 2.0}])
def test_blocks_of_another_kind_stay_what_they_are(changed) -> None:
    net = nn.Sequential(ResnetBlock2D(in_channels=32, temb_channels=None, **changed))
    fuse(net, PlainSteps())
    assert isinstance(net[0], ResnetBlock2D)


@pytest.mark.parametrize("silu", [True, False])
def test_a_fused_norm_is_bias_norm_and_silu(silu) -> None:
    norm = nn.GroupNorm(4, 16).requires_grad_(False)
    norm.weight.normal_()
    x, bias = torch.randn(2, 16, 6, 4), torch.randn(16)
    expected = norm(x + bias[:, None, None])
    expected = torch.nn.functional.silu(expected) if silu else expected
    torch.testing.assert_close(FusedNorm(norm, PlainSteps(), silu=silu)(x, bias), expected)


def test_on_the_cpu_the_steps_are_torchs() -> None:
    steps, what = choose_steps(CPU, torch.float32)
    assert isinstance(steps, PlainSteps)
    assert what == "torch"


def test_steps_that_compute_something_else_are_found_out() -> None:
    class WithoutBias(PlainSteps):
        def norm(self, x, bias, norm):
            return super().norm(x, None, norm)

    assert largest_difference(PlainSteps(), PlainSteps(), CPU, torch.float32) < 1e-5
    assert largest_difference(WithoutBias(), PlainSteps(), CPU, torch.float32) > 0.1


def test_a_card_on_which_kernels_cannot_run_gets_torchs_operations() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU, the kernels run")
    steps, what = choose_steps(torch.device("cuda"), torch.float16)
    assert isinstance(steps, PlainSteps)
    assert "could not be built" in what
