"""A MuseTalk checkpoint of tiny sizes whose every weight is given by a formula, in the folder layout of the real one.

The golden arrays in `tests/golden/musetalk` were made with exactly these weights, so nothing here may change: a
parameter's value is a normal draw from PCG64 seeded with the CRC-32 of its name, times a scale that depends on what
the name says it is. Formats and key names are those of the published files; only the sizes are small. Face parsing has
its real size, 53 MB.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperModel

GOLDEN = Path(__file__).parents[2] / "golden" / "musetalk"

UNET_CONFIG = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0.dev0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [32, 64],
    "center_input_sample": False,
    "cross_attention_dim": 384,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 8,
    "layers_per_block": 1,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
}
VAE_CONFIG = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.4.2",
    "act_fn": "silu",
    "block_out_channels": [32, 32, 32, 32],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
# TAESD with fewer channels and blocks
TINY_VAE_CONFIG = {
    "_class_name": "AutoencoderTiny",
    "_diffusers_version": "0.20.0.dev0",
    "act_fn": "relu",
    "decoder_block_out_channels": [8, 8, 8, 8],
    "encoder_block_out_channels": [8, 8, 8, 8],
    "in_channels": 3,
    "latent_channels": 4,
    "latent_magnitude": 3,
    "latent_shift": 0.5,
    "num_decoder_blocks": [1, 1, 1, 1],
    "num_encoder_blocks": [1, 1, 1, 1],
    "out_channels": 3,
    "scaling_factor": 1.0,
    "upsampling_scaling_factor": 2,
}
WHISPER_CONFIG = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "is_encoder_decoder": True,
    "activation_function": "gelu",
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 6,
    "decoder_ffn_dim": 8,
    "num_hidden_layers": 4,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "max_target_positions": 8,
    "vocab_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 1,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
}

# the published VAE's names for the mid block's attention, by diffusers' names today
OLD_ATTENTION_NAMES = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def write_checkpoint(
    root: Path, unet_config: dict = UNET_CONFIG, vae_config: dict = VAE_CONFIG, whisper_config: dict = WHISPER_CONFIG
) -> None:
    """Write UNet, VAE and Whisper in MuseTalk's layout and formats; in the sizes of the golden arrays, about 25 MB."""
    unet = UNet2DConditionModel(**unet_config)
    _fill(unet)
    _write_json(root / "musetalkV15/musetalk.json", unet_config)
    torch.save(unet.state_dict(), root / "musetalkV15/unet.pth")

    vae = AutoencoderKL(**vae_config)
    _fill(vae)
    _write_json(root / "sd-vae/config.json", vae_config)
    torch.save(_old_attention_names(vae.state_dict()), root / "sd-vae/diffusion_pytorch_model.bin")

    whisper = WhisperModel(WhisperConfig(**whisper_config))
    _fill(whisper)
    _write_json(root / "whisper/config.json", whisper_config)
    # the published file was saved from the generation model: its keys begin with "model."
    tensors = {"model." + name: tensor.clone() for name, tensor in whisper.state_dict().items()}
    torch.save(tensors, root / "whisper/pytorch_model.bin")


def write_tiny_decoder(root: Path) -> None:
    """Write the small VAE's two files."""
    tiny = AutoencoderTiny(**TINY_VAE_CONFIG)
    _fill(tiny)
    _write_json(root / "taesd/config.json", TINY_VAE_CONFIG)
    save_file(
        {key: tensor.contiguous() for key, tensor in tiny.state_dict().items()},
        root / "taesd/diffusion_pytorch_model.safetensors",
    )


def write_face_parsing(root: Path) -> None:
    """Write BiSeNet's file in the published key names, with running statistics like a trained net's; 53 MB."""
    path = root / "face-parse-bisent/79999_iter.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(face_parsing_tensors(), path)


def face_parsing_tensors() -> dict[str, torch.Tensor]:
    """The tensors of BiSeNet's file by their published names."""
    shapes = json.loads((GOLDEN / "bisenet_keys.json").read_text())
    return {key: _face_parsing_value(key, tuple(shape)) for key, shape in shapes.items()}


def _face_parsing_value(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    draw = _value("bisenet." + key, shape)
    if key.endswith("running_var"):
        return draw.abs() + 0.5
    if key.endswith("running_mean"):
        return draw * 0.05
    if ("bn" in key or "downsample.1" in key) and key.endswith("weight"):
        return 1.0 + 0.05 * draw
    return draw


def _fill(net: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "embed_positions" not in name or "decoder" in name:  # Whisper's encoder keeps its sinusoids
                parameter.copy_(_value(name, tuple(parameter.shape)))


def _value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Norms near 1, biases near 0, the rest scaled by fan-in; where sound enters, louder."""
    draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if "norm" in name and name.endswith("weight"):
        value = 1.0 + 0.05 * draw
    elif name.endswith("bias"):
        value = 0.05 * draw
    else:
        value = draw / np.sqrt(int(np.prod(shape[1:])) if len(shape) > 1 else shape[0])
        if ".attn2.to_out.0." in name or ".attn2.to_q" in name or ".attn2.to_k" in name:
            value *= 2.0  # the sound must be visible in the picture
        if name == "quant_conv.weight":
            value *= 4.0
    if name == "quant_conv.bias":
        value[4:] -= 6.0  # a small posterior variance, as in a trained VAE
    return torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))


def _old_attention_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = {}
    for key, tensor in tensors.items():
        if "mid_block.attentions.0." in key:
            for new, old in OLD_ATTENTION_NAMES.items():
                key = key.replace(new, old)
        renamed[key] = tensor
    return renamed


def _write_json(path: Path, config: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2))
