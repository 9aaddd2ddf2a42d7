"""The fixed sinusoids that are added to a frame's tokens before the UNet reads them."""

import math

import torch

FRAME_TOKENS = 50  # 10 rows of 20 ms, each of 5 layers; token = 5 * row + layer
TOKEN_CHANNELS = 384


def positional_encoding(n_tokens: int = FRAME_TOKENS, channels: int = TOKEN_CHANNELS) -> torch.Tensor:
    """`(n_tokens, channels) float32`: sine at even channels, cosine at odd (Vaswani et al. 2017, section 3.5)."""
    token = torch.arange(n_tokens, dtype=torch.float32)[:, None]  # (tokens, 1)
    frequency = torch.exp(torch.arange(0, channels, 2).float() * (-math.log(10_000.0) / channels))  # (channels / 2,)
    angle = token * frequency  # (tokens, channels / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=2).reshape(n_tokens, channels)
