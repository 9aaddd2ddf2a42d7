"""The kernels against torch's operations: on a GPU, or in Triton's interpreter where `TRITON_INTERPRET=1` is set."""

import os
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

if sys.platform != "linux":
    pytest.skip("Triton is made for Linux alone", allow_module_level=True)
if not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("neither a GPU nor Triton's interpreter", allow_module_level=True)
pytest.importorskip("triton")

from torch import nn  # noqa: E402

from models.musetalk.fused_layers import FusedNorm, PlainSteps  # noqa: E402
from models.musetalk.triton_steps import TritonSteps  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = [(2, 64, 16, 16), (1, 320, 8, 8), (3, 96, 20, 12), (1, 64, 48, 48), (1, 1280, 4, 4)]


def picture(size, dtype) -> torch.Tensor:
    values = torch.randn(size, generator=torch.Generator().manual_seed(size[1])) * 3 + 1
    return values.to(DEVICE, dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 1e-3)])
def test_a_norm_is_torchs(size, dtype, tolerance) -> None:
    norm = nn.GroupNorm(32, size[1]).requires_grad_(False).to(DEVICE)
    norm.weight.normal_()
    norm.bias.normal_()
    x, bias = picture(size, dtype), torch.randn(size[1]).to(DEVICE, dtype)
    for silu in (True, False):
        for given in (bias, None):
            exact, plain = None if given is None else given.float(), FusedNorm(norm, PlainSteps(), silu=silu)
            expected = PlainSteps().norm(x.float().contiguous(), exact, plain)
            made = TritonSteps().norm(x, given, FusedNorm(norm, TritonSteps(), silu=silu))
            assert made.dtype == dtype
            assert made.is_contiguous(memory_format=torch.channels_last)
            assert (made.float() - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("size", SIZES)
def test_a_sum_is_torchs_in_whatever_layout_it_comes(size) -> None:
    x, y = picture(size, torch.float32), picture(size, torch.float32).contiguous() * 2
    bias = torch.randn(size[1]).to(DEVICE)
    for given in (bias, None):
        torch.testing.assert_close(TritonSteps().add(x, y, given), PlainSteps().add(x, y, given))
