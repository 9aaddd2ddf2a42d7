"""The three networks that run while an avatar speaks, on one device in one precision, and what each makes of a batch.

Tensors in and out stay on the device; which frames make a batch is the engine's business.

On a GPU half precision is float16, as in MuseTalk's own real-time script: these nets stay far inside its range, and its
rounding is an eighth of bfloat16's at the same speed. A face that is not finite all the same is never shown.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from models.musetalk import unet as unet_net
from models.musetalk import vae as vae_net
from models.musetalk import whisper_encoder
from models.musetalk.fused_layers import choose_steps, fold_time, fuse
from models.musetalk.positional_encoding import positional_encoding

VaeDecoder = Literal["full", "tiny"]


@dataclass(frozen=True, slots=True)
class MuseTalkNets:
    """Whisper's encoder, the UNet and the VAE. Arrays given are brought to the device; results stay there.

    `tiny_vae`: draws the faces in the VAE's place, where there is one. `layers`: what computes norms and sums.
    """

    whisper: WhisperEncoder
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    positions: torch.Tensor  # (50, 384), of the nets' device and dtype
    device: torch.device
    dtype: torch.dtype
    tiny_vae: AutoencoderTiny | None = None
    layers: str = "diffusers"

    @property
    def vae_decoder(self) -> VaeDecoder:
        """Which decoder draws the faces."""
        return "full" if self.tiny_vae is None else "tiny"

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
        return unet_net.predict_latents(self.unet, tokens, self._laid_out(latents))

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents `(B, 4, 32, 32)` -> pictures `(B, 256, 256, 3) uint8`, BGR; all black where one is not finite."""
        decoder = self.vae if self.tiny_vae is None else self.tiny_vae
        return vae_net.decode_latents(decoder, self._laid_out(latents.to(self.device, self.dtype)))

    @torch.inference_mode()
    def encode_pictures(self, bgr: torch.Tensor) -> torch.Tensor:
        """Pictures `(B, 256, 256, 3) uint8`, BGR -> the UNet's latents `(B, 8, 32, 32)`: masked, then reference."""
        return vae_net.encode_pictures(self.vae, bgr.to(self.device))

    def _laid_out(self, pictures: torch.Tensor) -> torch.Tensor:
        # tensor cores want channels last; on the CPU that layout's norm is inaccurate in float32
        return pictures.contiguous(memory_format=torch.channels_last) if self.device.type == "cuda" else pictures


def load_nets(
    model_path: Path,
    device: torch.device | str,
    dtype: torch.dtype,
    *,
    vae_decoder: VaeDecoder = "full",
    fused: bool = True,
) -> MuseTalkNets:
    """The nets of a folder of weights, ready to run. Raises `ModelError` in one sentence naming file and key.

    `vae_decoder`: `tiny` needs TAESD's files under `taesd/` besides. `fused`: with the leaner layers of `fused_layers`;
    without, the nets are as the libraries make them.
    """
    device = torch.device(device)
    unet = unet_net.load_unet(model_path, device, dtype)
    vae = vae_net.load_vae(model_path, device, dtype)
    tiny_vae = vae_net.load_tiny_vae(model_path, device, dtype) if vae_decoder == "tiny" else None
    layers = "diffusers"
    if fused:
        steps, layers = choose_steps(device, dtype)
        fold_time(unet)
        fuse(unet, steps)
        fuse(vae, steps)
    if device.type == "cuda":
        for net in (unet, vae, tiny_vae):
            if net is not None:
                net.to(memory_format=torch.channels_last)
    return MuseTalkNets(
        whisper=whisper_encoder.load_whisper_encoder(model_path, device, dtype),
        unet=unet,
        vae=vae,
        positions=positional_encoding().to(device, dtype),
        device=device,
        dtype=dtype,
        tiny_vae=tiny_vae,
        layers=layers,
    )
