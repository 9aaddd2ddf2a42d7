"""Whisper's encoder: 30 s of log-mel in, all its hidden states out, 50 rows a second.

The network is transformers' `WhisperEncoder`; the decoder's weights in the file are not read.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from models.errors import ModelError
from models.musetalk.positional_encoding import TOKEN_CHANNELS
from models.musetalk.weight_files import WHISPER, WHISPER_CONFIG
from models.musetalk.weights import check_sizes, load_weights, read_config, read_tensors, without_values

HIDDEN_STATES = 5  # the stem's output and that of four layers

_DEMANDED = {
    "d_model": TOKEN_CHANNELS,
    "encoder_layers": HIDDEN_STATES - 1,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
_SIZES = ("encoder_attention_heads", "encoder_ffn_dim")
_NOT_READ = ("decoder.", "proj_out.")


def build_whisper_encoder(config: dict[str, Any], source: Path) -> WhisperEncoder:
    """The network that a configuration describes, without values. Raises `ModelError` where it is not whisper-tiny."""
    for field, value in _DEMANDED.items():
        if config.get(field) != value:
            raise ModelError(f"{source}: {field} is {config.get(field)!r}, where whisper-tiny has {value}")
    check_sizes(config, source, _SIZES)
    return without_values(lambda: WhisperEncoder(WhisperConfig.from_dict(config)), source)


def load_whisper_encoder(root: Path, device: torch.device, dtype: torch.dtype) -> WhisperEncoder:
    """The encoder of the folder of weights `root`. Raises `ModelError` naming file and key."""
    config_path, path = WHISPER_CONFIG.require(root), WHISPER.require(root)
    encoder = build_whisper_encoder(read_config(config_path), config_path)
    return load_weights(encoder, encoder_tensors(read_tensors(path)), path, device, dtype)


def encoder_tensors(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The encoder's tensors under its own names, without the decoder's; what is of neither stays, to be refused."""
    kept = {}
    for key, tensor in tensors.items():
        name = key.removeprefix("model.")  # files saved from the generation model have it
        if not name.startswith(_NOT_READ):
            kept[name.removeprefix("encoder.")] = tensor
    return kept


def hidden_states(encoder: WhisperEncoder, mel: torch.Tensor) -> torch.Tensor:
    """Hidden states of 30 s segments: mel `(B, 80, 3000)` -> `(B, 1500, 5, 384)`; the last is after the final norm."""
    output = encoder(mel, output_hidden_states=True)
    before_norm = output.hidden_states[: HIDDEN_STATES - 1]
    return torch.stack([*before_norm, output.last_hidden_state], dim=2)  # (B, 1500, 5, 384)
