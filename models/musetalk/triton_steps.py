"""`fused_layers.LayerSteps` as Triton kernels, for pictures whose channels lie last in memory, on a GPU.

torch's own group norm (2.13) makes such pictures contiguous first and the next convolution turns them back. Here a norm
with the bias before it and the SiLU after it reads its input twice and writes once. Sums are float32 whatever the
input is. Importing this needs Triton, which comes with torch's builds for GPUs.
"""
# ruff: noqa: N803 - Triton's constants are written in capitals

import torch
import triton
import triton.language as tl

from models.musetalk.fused_layers import FusedNorm

_CHANNELS = 64  # of one program: 128 bytes of half precision, a cache line
_PIXELS = 32
_MOST_CHUNKS = 64  # of pixels, summed apart
_LEAST_CHUNK = 128  # pixels


@triton.jit
def _sum_chunks(
    x: tl.tensor,
    bias: tl.tensor,
    sums: tl.tensor,
    pixels: int,
    channels: int,
    chunk: int,
    chunks: int,
    HAS_BIAS: tl.constexpr,
    P: tl.constexpr,
    C: tl.constexpr,
) -> None:
    """Sums and sums of squares of a chunk of pixels: x (B, pixels, channels) -> (B, chunks, 2, channels)."""
    picture = (tl.program_id(1) // chunks).to(tl.int64)
    part = tl.program_id(1) % chunks
    channel = tl.program_id(0) * C + tl.arange(0, C)
    inside = channel < channels
    added = tl.zeros([C], tl.float32)
    if HAS_BIAS:
        added = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    total = tl.zeros([P, C], tl.float32)
    squares = tl.zeros([P, C], tl.float32)
    first = part * chunk
    last = tl.minimum(first + chunk, pixels)
    for start in range(first, last, P):
        pixel = start + tl.arange(0, P)
        known = (pixel < last)[:, None] & inside[None, :]
        place = x + (picture * pixels + pixel)[:, None] * channels + channel[None, :]
        value = tl.load(place, mask=known, other=0.0).to(tl.float32) + added[None, :]
        value = tl.where(known, value, 0.0)
        total += value
        squares += value * value
    row = sums + (picture * chunks + part) * 2 * channels
    tl.store(row + channel, tl.sum(total, axis=0), mask=inside)
    tl.store(row + channels + channel, tl.sum(squares, axis=0), mask=inside)


@triton.jit
def _finish(
    sums: tl.tensor,
    bias: tl.tensor,
    weight: tl.tensor,
    shift: tl.tensor,
    factors: tl.tensor,
    pixels: int,
    channels: int,
    chunks: int,
    eps: float,
    HAS_BIAS: tl.constexpr,
    GROUP: tl.constexpr,
    K: tl.constexpr,
    D: tl.constexpr,
) -> None:
    """A group's mean and deviation as a factor and a summand for each of its channels: -> (B, 2, channels) float32."""
    picture = tl.program_id(1).to(tl.int64)
    member = tl.arange(0, D)
    channel = tl.program_id(0) * GROUP + member
    inside = member < GROUP
    part = tl.arange(0, K)
    known = (part < chunks)[:, None] & inside[None, :]
    place = sums + (picture * chunks + part)[:, None] * 2 * channels + channel[None, :]
    count = pixels * GROUP
    mean = tl.sum(tl.sum(tl.load(place, mask=known, other=0.0), axis=1), axis=0) / count
    square = tl.sum(tl.sum(tl.load(place + channels, mask=known, other=0.0), axis=1), axis=0) / count
    factor = tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    factor = factor / tl.sqrt(tl.maximum(square - mean * mean, 0.0) + eps)
    added = tl.zeros([D], tl.float32)
    if HAS_BIAS:
        added = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    summand = tl.load(shift + channel, mask=inside, other=0.0).to(tl.float32) + (added - mean) * factor
    row = factors + picture * 2 * channels
    tl.store(row + channel, factor, mask=inside)
    tl.store(row + channels + channel, summand, mask=inside)


@triton.jit
def _apply(
    x: tl.tensor,
    factors: tl.tensor,
    out: tl.tensor,
    pixels: int,
    channels: int,
    SILU: tl.constexpr,
    P: tl.constexpr,
    C: tl.constexpr,
) -> None:
    """`x * factor + summand`, and SiLU of that: (B, pixels, channels)."""
    picture = tl.program_id(2).to(tl.int64)
    pixel = tl.program_id(0) * P + tl.arange(0, P)
    channel = tl.program_id(1) * C + tl.arange(0, C)
    inside = channel < channels
    row = factors + picture * 2 * channels
    factor = tl.load(row + channel, mask=inside, other=0.0)
    summand = tl.load(row + channels + channel, mask=inside, other=0.0)
    known = (pixel < pixels)[:, None] & inside[None, :]
    place = (picture * pixels + pixel)[:, None] * channels + channel[None, :]
    value = tl.load(x + place, mask=known, other=0.0).to(tl.float32) * factor[None, :] + summand[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    tl.store(out + place, value.to(out.dtype.element_ty), mask=known)


@triton.jit
def _add(
    x: tl.tensor,
    y: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    pixels: int,
    channels: int,
    HAS_BIAS: tl.constexpr,
    P: tl.constexpr,
    C: tl.constexpr,
) -> None:
    """`x + y + bias`: (B, pixels, channels)."""
    picture = tl.program_id(2).to(tl.int64)
    pixel = tl.program_id(0) * P + tl.arange(0, P)
    channel = tl.program_id(1) * C + tl.arange(0, C)
    inside = channel < channels
    known = (pixel < pixels)[:, None] & inside[None, :]
    place = (picture * pixels + pixel)[:, None] * channels + channel[None, :]
    value = tl.load(x + place, mask=known, other=0.0).to(tl.float32)
    value += tl.load(y + place, mask=known, other=0.0).to(tl.float32)
    if HAS_BIAS:
        value += tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)[None, :]
    tl.store(out + place, value.to(out.dtype.element_ty), mask=known)


class TritonSteps:
    """The steps on a GPU. Pictures (B, C, H, W) in another layout are brought into this one."""

    def norm(self, x: torch.Tensor, bias: torch.Tensor | None, norm: FusedNorm) -> torch.Tensor:
        """See `LayerSteps`."""
        x = x.contiguous(memory_format=torch.channels_last)
        batch, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
        chunk = max(_LEAST_CHUNK, triton.cdiv(pixels, _MOST_CHUNKS))
        chunks = triton.cdiv(pixels, chunk)
        sums = torch.empty((batch, chunks, 2, channels), dtype=torch.float32, device=x.device)
        factors = torch.empty((batch, 2, channels), dtype=torch.float32, device=x.device)
        out = torch.empty_like(x)
        given, group = (x if bias is None else bias), channels // norm.groups
        of_channels = triton.cdiv(channels, _CHANNELS)
        _sum_chunks[(of_channels, batch * chunks)](
            x, given, sums, pixels, channels, chunk, chunks, HAS_BIAS=bias is not None, P=_PIXELS, C=_CHANNELS
        )  # fmt: skip
        _finish[(norm.groups, batch)](
            sums, given, norm.weight, norm.bias, factors, pixels, channels, chunks, norm.eps,
            HAS_BIAS=bias is not None, GROUP=group, K=_MOST_CHUNKS, D=triton.next_power_of_2(group),
        )  # fmt: skip
        grid = (triton.cdiv(pixels, _PIXELS), of_channels, batch)
        _apply[grid](x, factors, out, pixels, channels, SILU=norm.silu, P=_PIXELS, C=_CHANNELS)
        return out

    def add(self, x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """See `LayerSteps`."""
        x, y = (picture.contiguous(memory_format=torch.channels_last) for picture in (x, y))
        batch, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
        out = torch.empty_like(x)
        grid = (triton.cdiv(pixels, _PIXELS), triton.cdiv(channels, _CHANNELS), batch)
        given = x if bias is None else bias
        _add[grid](x, y, given, out, pixels, channels, HAS_BIAS=bias is not None, P=_PIXELS, C=_CHANNELS)
        return out
