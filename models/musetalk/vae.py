"""The VAE: 256x256 pictures to 32x32 latents when an avatar is prepared, and back for every frame of speech.

The network is diffusers' `AutoencoderKL`. Latents are the posterior's mode, as in MuseTalk's training; its inference
scripts draw a sample, which makes no visible difference and is not repeatable. In place of its decoder, which is 78 %
of a frame's arithmetic, one distilled from it may draw the faces: TAESD, diffusers' `AutoencoderTiny`.
"""

import math
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from models.errors import ModelError
from models.musetalk.weight_files import TINY_VAE, TINY_VAE_CONFIG, VAE, VAE_CONFIG
from models.musetalk.weights import check_sizes, load_weights, read_config, read_tensors, without_values

FACE_SIZE = 256

_SIZES = ("block_out_channels", "layers_per_block", "norm_num_groups")
_TINY_SIZES = ("encoder_block_out_channels", "decoder_block_out_channels", "num_encoder_blocks", "num_decoder_blocks")

# the published file's names for the mid block's attention, and diffusers' names today
_ATTENTION_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def build_vae(config: dict[str, Any], source: Path) -> AutoencoderKL:
    """The network that a configuration describes, without values. Raises `ModelError` where it describes none."""
    check_sizes(config, source, _SIZES)
    vae = without_values(lambda: AutoencoderKL.from_config(config), source)
    scale = vae.config.scaling_factor
    if type(scale) not in (int, float) or not 0 < scale < math.inf:
        raise ModelError(f"{source}: scaling_factor is {scale!r}, where a VAE has a number above 0")
    return vae


def load_vae(root: Path, device: torch.device, dtype: torch.dtype) -> AutoencoderKL:
    """The VAE of the folder of weights `root`. Raises `ModelError` naming file and key."""
    config_path, path = VAE_CONFIG.require(root), VAE.require(root)
    vae = build_vae(read_config(config_path), config_path)
    return load_weights(vae, present_names(read_tensors(path)), path, device, dtype)


def build_tiny_vae(config: dict[str, Any], source: Path) -> AutoencoderTiny:
    """The small network that a configuration describes, without values. Raises `ModelError` where it is no TAESD."""
    check_sizes(config, source, _TINY_SIZES)
    tiny = without_values(lambda: AutoencoderTiny.from_config(config), source)
    for field, value in (("latent_channels", 4), ("out_channels", 3), ("scaling_factor", 1.0)):
        if tiny.config[field] != value:
            raise ModelError(
                f"{source}: {field} is {tiny.config[field]!r}, where the decoder of these latents has {value}"
            )
    return tiny


def load_tiny_vae(root: Path, device: torch.device, dtype: torch.dtype) -> AutoencoderTiny:
    """TAESD of the folder of weights `root`. Raises `ModelError` naming file and key."""
    config_path, path = TINY_VAE_CONFIG.require(root), TINY_VAE.require(root)
    return load_weights(build_tiny_vae(read_config(config_path), config_path), read_tensors(path), path, device, dtype)


def present_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors with the mid block's attention named as diffusers names it today; new names stay."""
    renamed = {}
    for key, tensor in tensors.items():
        block, found, rest = key.partition("mid_block.attentions.0.")
        name, _, kind = rest.rpartition(".")
        if found and name in _ATTENTION_NAMES:
            key = f"{block}{found}{_ATTENTION_NAMES[name]}.{kind}"
        renamed[key] = tensor
    return renamed


def encode_pictures(vae: AutoencoderKL, bgr: torch.Tensor) -> torch.Tensor:
    """Latents that the UNet reads: `(B, 256, 256, 3) uint8` -> `(B, 8, 32, 32)`, the masked picture's four first.

    The masked picture has its lower half black; the reference is the same picture, whole.
    """
    reference = bgr.flip(-1).permute(0, 3, 1, 2).float() / 255  # (B, 3, 256, 256) RGB, 0..1
    masked = reference.clone()
    masked[:, :, FACE_SIZE // 2 :] = 0
    both = torch.cat([masked, reference])  # (2B, 3, 256, 256)
    posterior = vae.encode((both * 2 - 1).to(vae.dtype).contiguous()).latent_dist
    masked_latents, reference_latents = (posterior.mode() * vae.config.scaling_factor).chunk(2)  # (B, 4, 32, 32) each
    return torch.cat([masked_latents, reference_latents], dim=1)


def decode_latents(vae: AutoencoderKL | AutoencoderTiny, latents: torch.Tensor) -> torch.Tensor:
    """Pictures of latents: `(B, 4, 32, 32)` -> `(B, 256, 256, 3) uint8`, BGR; all black where one is not finite.

    The tiny decoder reads the UNet's latents as they are: its scaling factor is 1.
    """
    rgb = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]  # (B, 3, 256, 256) -1..1
    finite = rgb.isfinite().all(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1); NaN has no level, and infinity a wrong one
    levels = ((rgb / 2 + 0.5).clamp(0, 1).float() * 255).round().to(torch.uint8) * finite
    return levels.permute(0, 2, 3, 1).flip(-1)  # (B, 256, 256, 3) BGR
