"""The three networks that run while an avatar speaks, on one device in one precision, and what each makes of a batch.

Tensors in and out stay on the device; which frames make a batch is the engine's business.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from models.musetalk import unet as unet_net
from models.musetalk import vae as vae_net
from models.musetalk import whisper_encoder
from models.musetalk.positional_encoding import positional_encoding


@dataclass(frozen=True, slots=True)
class MuseTalkNets:
    """Whisper's encoder, the UNet and the VAE. Arrays given are brought to the device; results stay there."""

    whisper: WhisperEncoder
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    positions: torch.Tensor  # (50, 384), of the nets' device and dtype
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def hidden_states(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel of 30 s segments `(B, 80, 3000)` -> `(B, 1500, 5, 384)`, a row every 20 ms."""
        return whisper_encoder.hidden_states(self.whisper, mel.to(self.device, self.dtype))

    @torch.inference_mode()
    def add_positions(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens `(B, 50, 384)` with the positional encoding added; rows of zeros get it too."""
        return tokens.to(self.device, self.dtype) + self.positions

    @torch.inference_mode()
    def predict_latents(self, tokens: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Tokens `(B, 50, 384)` with positions, latents `(B, 8, 32, 32)` -> latents of the mouths `(B, 4, 32, 32)`."""
        tokens, latents = tokens.to(self.device, self.dtype), latents.to(self.device, self.dtype)
        return unet_net.predict_latents(self.unet, tokens, latents)

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents `(B, 4, 32, 32)` -> pictures `(B, 256, 256, 3) uint8`, BGR."""
        return vae_net.decode_latents(self.vae, latents.to(self.device, self.dtype))

    @torch.inference_mode()
    def encode_pictures(self, bgr: torch.Tensor) -> torch.Tensor:
        """Pictures `(B, 256, 256, 3) uint8`, BGR -> the UNet's latents `(B, 8, 32, 32)`: masked, then reference."""
        return vae_net.encode_pictures(self.vae, bgr.to(self.device))


def load_nets(model_path: Path, device: torch.device | str, dtype: torch.dtype) -> MuseTalkNets:
    """The nets of a folder of weights, ready to run. Raises `ModelError` in one sentence naming file and key."""
    device = torch.device(device)
    return MuseTalkNets(
        whisper=whisper_encoder.load_whisper_encoder(model_path, device, dtype),
        unet=unet_net.load_unet(model_path, device, dtype),
        vae=vae_net.load_vae(model_path, device, dtype),
        positions=positional_encoding().to(device, dtype),
        device=device,
        dtype=dtype,
    )
