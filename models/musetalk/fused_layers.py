"""Leaner forms of the layers that UNet and VAE are made of, with the same parameters and the same results.

diffusers runs a residual block as thirteen passes over its pictures, most of which only move them: norm, SiLU, biases,
the residual, a division by one. Here each norm takes the bias before it and the SiLU after it along, and the residual
is one sum. UNet's time embedding is constant (the timestep is always 0), so it is added to the biases once.

What computes these steps is given as `LayerSteps`: `PlainSteps` anywhere, `triton_steps.TritonSteps` on a GPU.
"""

import copy
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

_TOLERATED = 0.01  # bfloat16 rounds to 0.004, a mistake is of the order of 1


class LayerSteps(Protocol):
    """The steps between convolutions. `x`, `y`: (B, C, H, W); `bias`, `scale`, `shift`: (C,)."""

    def norm(self, x: torch.Tensor, bias: torch.Tensor | None, norm: "FusedNorm") -> torch.Tensor:
        """Group norm of `x + bias`, with its affine part and, where the norm has it, SiLU."""
        ...

    def add(self, x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """`x + y + bias`."""
        ...


class PlainSteps:
    """The steps in torch's own operations."""

    def norm(self, x: torch.Tensor, bias: torch.Tensor | None, norm: "FusedNorm") -> torch.Tensor:
        """See `LayerSteps`."""
        if bias is not None:
            x = x + bias[:, None, None]
        y = F.group_norm(x, norm.groups, norm.weight, norm.bias, norm.eps)
        return F.silu(y) if norm.silu else y

    def add(self, x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """See `LayerSteps`."""
        return x + y if bias is None else x + (y + bias[:, None, None])


class FusedNorm(nn.Module):
    """A group norm, the bias of the convolution before it and the SiLU after it."""

    def __init__(self, norm: nn.GroupNorm, steps: LayerSteps, *, silu: bool) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias  # the names that files have
        self.groups, self.eps, self.silu = norm.num_groups, norm.eps, silu
        self.steps = steps

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:  # noqa: D102
        return self.steps.norm(x, bias, self)


class FusedResnet(nn.Module):
    """diffusers' residual block without a time projection: `conv2(norm2(conv1(norm1(x)))) + x`."""

    def __init__(self, block: ResnetBlock2D, steps: LayerSteps) -> None:
        super().__init__()
        self.norm1 = FusedNorm(block.norm1, steps, silu=True)
        self.conv1 = block.conv1
        self.norm2 = FusedNorm(block.norm2, steps, silu=True)
        self.conv2 = block.conv2
        self.conv_shortcut = block.conv_shortcut
        self.steps = steps

    def forward(self, x: torch.Tensor, temb: torch.Tensor | None = None) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', H, W). `temb`: diffusers passes the time on; here it is None or not used."""
        hidden = _without_bias(self.conv1, self.norm1(x))
        hidden = _without_bias(self.conv2, self.norm2(hidden, self.conv1.bias))
        return self.steps.add(x if self.conv_shortcut is None else self.conv_shortcut(x), hidden, self.conv2.bias)


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, conv.weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)


def fuse(net: nn.Module, steps: LayerSteps) -> None:
    """Replace a net's residual blocks and norms, in place; those of other kinds stay as they are."""
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ResnetBlock2D) and _is_plain(child) and child.time_emb_proj is None:
                setattr(parent, name, FusedResnet(child, steps))
        if isinstance(parent, Transformer2DModel) and isinstance(parent.norm, nn.GroupNorm):
            parent.norm = FusedNorm(parent.norm, steps, silu=False)
        if isinstance(getattr(parent, "conv_norm_out", None), nn.GroupNorm) and isinstance(parent.conv_act, nn.SiLU):
            parent.conv_norm_out = FusedNorm(parent.conv_norm_out, steps, silu=True)
            parent.conv_act = nn.Identity()


def fold_time(unet: UNet2DConditionModel) -> None:
    """Add what timestep 0 adds in every residual block to the bias before it, in place; to be done before `fuse`.

    Computed in float32, whatever the net's precision.
    """
    if unet.class_embedding is not None or unet.config.addition_embed_type is not None or unet.time_embed_act:
        return  # the embedding would not be constant
    blocks = [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]
    if not all(_is_plain(block) and block.time_emb_proj is not None for block in blocks):
        return
    device = unet.conv_in.weight.device
    with torch.no_grad():
        sinusoids = unet.time_proj(torch.zeros(1, device=device))  # (1, 320)
        embedding = copy.deepcopy(unet.time_embedding).float()(sinusoids.float())  # (1, 1280)
        for block in blocks:
            projection = copy.deepcopy(block.time_emb_proj).float()
            shift = projection(F.silu(embedding))[0]  # (C,)
            block.conv1.bias.copy_(block.conv1.bias.float() + shift)
            block.time_emb_proj = None
    unet.time_proj, unet.time_embedding = nn.Identity(), _NoTime()


class _NoTime(nn.Module):
    """In the place of the time embedding: None for every block."""

    def forward(self, sample: torch.Tensor, condition: torch.Tensor | None = None) -> None:
        return None


def _is_plain(block: ResnetBlock2D) -> bool:
    return (
        block.time_embedding_norm in ("default", "group")  # "group": the VAE's decoder, which knows no time
        and isinstance(block.nonlinearity, nn.SiLU)
        and block.upsample is None
        and block.downsample is None
        and not block.skip_time_act
        and block.output_scale_factor == 1
    )


def choose_steps(device: torch.device, dtype: torch.dtype) -> tuple[LayerSteps, str]:
    """The fastest steps that work on this device, and what they are: on a GPU our kernels, else torch's operations.

    Kernels are built on the machine they run on, which needs Triton and a C compiler, so they are tried first.
    """
    if device.type != "cuda":
        return PlainSteps(), "torch"
    try:
        from models.musetalk.triton_steps import TritonSteps

        steps = TritonSteps()
        difference = largest_difference(steps, PlainSteps(), device, dtype)
    except Exception as error:  # Triton, its compilers and the driver each fail in ways of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return PlainSteps(), f"torch (kernels could not be built: {reason})"
    if not difference < _TOLERATED:
        return PlainSteps(), f"torch (kernels are off by {difference:.2g})"
    return steps, "triton"


def largest_difference(steps: LayerSteps, others: LayerSteps, device: torch.device, dtype: torch.dtype) -> float:
    """How far two ways to compute the steps are apart on noise, relative to the largest value."""
    noise = torch.Generator().manual_seed(0)
    norm = nn.GroupNorm(32, 320, device=device, dtype=dtype).requires_grad_(False)
    x = torch.randn((2, 320, 24, 16), generator=noise).to(device, dtype).contiguous(memory_format=torch.channels_last)
    bias = torch.randn(320, generator=noise).to(device, dtype)
    difference = 0.0
    for silu, given in ((True, bias), (False, None)):
        fused = FusedNorm(norm, steps, silu=silu)
        pairs = (
            (steps.norm(x, given, fused), others.norm(x.contiguous(), given, fused)),
            (steps.add(x, x, given), others.add(x, x, given)),
        )
        for ours, theirs in pairs:
            apart = (ours.float() - theirs.float()).abs().max() / theirs.abs().max()
            difference = max(difference, float(apart))
    return difference
