"""How much arithmetic a frame takes, counted while the nets run on shapes alone: exact, and free on any machine."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.musetalk.unet import build_unet
from models.musetalk.vae import build_tiny_vae, build_vae
from models.musetalk.weight_files import TINY_VAE_CONFIG, UNET_CONFIG, VAE_CONFIG, WHISPER_CONFIG
from models.musetalk.weights import read_config
from models.musetalk.whisper_encoder import build_whisper_encoder
from ws_service.engine_bench.figures import Arithmetic


def _gflop(run: Callable[[], object]) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9


def count_arithmetic(model_path: Path) -> Arithmetic:
    """Of the nets that the configurations in a folder of weights describe. The tiny decoder's where it is there."""
    unet_path, vae_path, whisper_path = (file.require(model_path) for file in (UNET_CONFIG, VAE_CONFIG, WHISPER_CONFIG))
    unet = build_unet(read_config(unet_path), unet_path)
    vae = build_vae(read_config(vae_path), vae_path)
    whisper = build_whisper_encoder(read_config(whisper_path), whisper_path)
    with torch.device("meta"):
        mel, tokens = torch.empty(1, 80, 3000), torch.empty(1, 50, 384)
        both, latents, timestep = torch.empty(1, 8, 32, 32), torch.empty(1, 4, 32, 32), torch.zeros(1)
    decoders = {"full": _gflop(lambda: vae.decode(latents))}
    tiny_path = TINY_VAE_CONFIG.find(model_path)
    if tiny_path is not None:
        tiny = build_tiny_vae(read_config(tiny_path), tiny_path)
        decoders["tiny"] = _gflop(lambda: tiny.decode(latents))
    return Arithmetic(
        audio_gflop=_gflop(lambda: whisper(mel)),
        unet_gflop=_gflop(lambda: unet(both, timestep, encoder_hidden_states=tokens)),
        decoder_gflop=decoders,
    )
