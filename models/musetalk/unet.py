"""MuseTalk's UNet: Stable Diffusion's, with 8 channels of latents in and sound in place of the prompt. One step.

The network itself is diffusers' `UNet2DConditionModel`; this module makes it from MuseTalk's files and calls it.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from models.errors import ModelError
from models.musetalk.positional_encoding import TOKEN_CHANNELS
from models.musetalk.weight_files import UNET, UNET_CONFIG
from models.musetalk.weights import check_sizes, load_weights, read_config, read_tensors, without_values

LATENT_CHANNELS = 4
INPUT_CHANNELS = 2 * LATENT_CHANNELS  # masked picture, then reference picture

# diffusers has defaults for these that are not MuseTalk's, so they must stand in the file
_DEMANDED = {
    "in_channels": INPUT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "cross_attention_dim": TOKEN_CHANNELS,
}
_SIZES = ("block_out_channels", "layers_per_block", "attention_head_dim", "norm_num_groups")


def build_unet(config: dict[str, Any], source: Path) -> UNet2DConditionModel:
    """The network that a configuration describes, without values. Raises `ModelError` where it is not MuseTalk's."""
    for field, value in _DEMANDED.items():
        if config.get(field) != value:
            raise ModelError(f"{source}: {field} is {config.get(field)!r}, where MuseTalk's UNet has {value}")
    check_sizes(config, source, _SIZES)
    return without_values(lambda: UNet2DConditionModel.from_config(config), source)


def load_unet(root: Path, device: torch.device, dtype: torch.dtype) -> UNet2DConditionModel:
    """The UNet of the folder of weights `root`. Raises `ModelError` naming file and key."""
    config_path, path = UNET_CONFIG.require(root), UNET.require(root)
    unet = build_unet(read_config(config_path), config_path)
    return load_weights(unet, read_tensors(path), path, device, dtype)


def predict_latents(unet: UNet2DConditionModel, tokens: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Mouths' latents `(B, 4, 32, 32)` of tokens `(B, 50, 384)` with positions added and latents `(B, 8, 32, 32)`."""
    timestep = torch.zeros(1, dtype=latents.dtype, device=latents.device)  # always 0: the net is trained for one step
    return unet(latents, timestep, encoder_hidden_states=tokens, return_dict=False)[0]
