"""Writes a complete folder of weights whose values are drawn at random: the real nets' sizes, or very small ones.

For measuring where no weights are at hand: speed does not depend on values. The faces are noise. Values are scaled so
that activations stay finite in half precision. Owns the configurations of the published files; must not load any.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import nn
from transformers.models.whisper.modeling_whisper import sinusoids

from models.musetalk.unet import build_unet
from models.musetalk.vae import build_vae
from models.musetalk.weights import without_values
from models.musetalk.whisper_encoder import build_whisper_encoder

Size = Literal["full", "tiny"]
Config = dict[str, Any]

_DRAWN = 4_194_301  # values drawn, used again and again; a prime, so that no two rows of a tensor are the same


@dataclass(frozen=True, slots=True)
class _Sizes:
    unet: Config
    vae: Config
    whisper: Config
    tiny_vae: Config


def write_random_weights(root: Path, size: Size = "full", seed: int = 0) -> None:
    """Write UNet, VAE, Whisper's encoder and the tiny VAE under `root`, in MuseTalk's layout, as float16 safetensors.

    Full size takes 1.9 GB, tiny 10 MB. What is there already is replaced.
    """
    sizes, values = _SIZES[size], _Values(seed)
    nets: tuple[tuple[str, str, Config, Callable[[Config, Path], nn.Module], str], ...] = (
        ("musetalkV15/musetalk.json", "musetalkV15/unet.safetensors", sizes.unet, build_unet, ""),
        ("sd-vae/config.json", "sd-vae/diffusion_pytorch_model.safetensors", sizes.vae, build_vae, ""),
        ("whisper/config.json", "whisper/model.safetensors", sizes.whisper, build_whisper_encoder, "model.encoder."),
        ("taesd/config.json", "taesd/diffusion_pytorch_model.safetensors", sizes.tiny_vae, _build_tiny_vae, ""),
    )
    for config_name, weights_name, config, build, prefix in nets:
        config_path, path = root / config_name, root / weights_name
        path.parent.mkdir(parents=True, exist_ok=True)
        config_path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        shapes = build(config, config_path).state_dict()
        save_file({prefix + key: values.of(key, tuple(tensor.shape)) for key, tensor in shapes.items()}, path)


class _Values:
    """Norms near 1, biases near 0, all else scaled by fan-in, so that a layer keeps its input's variance."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._block = torch.randn(_DRAWN, generator=self._generator)

    def of(self, key: str, shape: tuple[int, ...]) -> torch.Tensor:
        """A parameter's values by its name, float16."""
        if "embed_positions" in key:  # Whisper's are given by a formula, in the published file, too
            return sinusoids(*shape).half()
        draw = self._draw(shape)
        if "norm" in key and key.endswith("weight"):
            draw = 1 + 0.05 * draw
        elif key.endswith("bias"):
            draw = 0.05 * draw
        else:
            draw = draw / math.sqrt(math.prod(shape[1:]))
        if key == "quant_conv.bias":
            draw[len(draw) // 2 :] -= 6  # the log-variance of the latents: small, as in a trained VAE
        return draw.half()

    def _draw(self, shape: tuple[int, ...]) -> torch.Tensor:
        count = math.prod(shape)
        start = int(torch.randint(_DRAWN, (), generator=self._generator))
        return self._block.repeat(-(-(start + count) // _DRAWN))[start : start + count].reshape(shape)


def _build_tiny_vae(config: Config, source: Path) -> nn.Module:
    return without_values(lambda: AutoencoderTiny.from_config(config), source)


_UNET: Config = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0.dev0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 384,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 8,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
_VAE: Config = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.4.2",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
_WHISPER: Config = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "activation_function": "gelu",
    "d_model": 384,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "encoder_layers": 4,
    "is_encoder_decoder": True,
    "max_source_positions": 1500,
    "num_hidden_layers": 4,
    "num_mel_bins": 80,
}
_TINY_VAE: Config = {
    "_class_name": "AutoencoderTiny",
    "_diffusers_version": "0.20.0.dev0",
    "act_fn": "relu",
    "decoder_block_out_channels": [64, 64, 64, 64],
    "encoder_block_out_channels": [64, 64, 64, 64],
    "force_upcast": False,
    "in_channels": 3,
    "latent_channels": 4,
    "latent_magnitude": 3,
    "latent_shift": 0.5,
    "num_decoder_blocks": [3, 3, 3, 1],
    "num_encoder_blocks": [1, 3, 3, 3],
    "out_channels": 3,
    "scaling_factor": 1.0,
    "upsampling_scaling_factor": 2,
}

_SIZES = {
    "full": _Sizes(_UNET, _VAE, _WHISPER, _TINY_VAE),
    "tiny": _Sizes(
        {
            **_UNET,
            "block_out_channels": [32, 64],
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "layers_per_block": 1,
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        },
        {**_VAE, "block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4},
        {**_WHISPER, "encoder_ffn_dim": 64},
        {
            **_TINY_VAE,
            "decoder_block_out_channels": [8, 8, 8, 8],
            "encoder_block_out_channels": [8, 8, 8, 8],
            "num_decoder_blocks": [1, 1, 1, 1],
            "num_encoder_blocks": [1, 1, 1, 1],
        },
    ),
}
