"""Writes a trained network as the `.npz` that the service reads, normalisation folded in.

    python -m models.light.training.export --net /tmp/voice/net.pt --out models/light/mouth_net.npz

Owns the layout of the file: see `tensors`. float16, which the test against torch allows for.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.light.mouth_net import MouthNet
from models.light.training.network import PARAMETERS, RESIDUAL_TAP, STRIDES, MouthNetwork, load_network

FUTURE_SAMPLES = 1280  # the last analysis window ends this long after the picture's own samples


def tensors(network: MouthNetwork) -> dict[str, np.ndarray]:
    """The arrays of the file: per layer `weight_i` (taps, inputs, outputs) and `bias_i`, then mixing and output."""
    scale, shift = _affine(network.input_norm)
    arrays: dict[str, np.ndarray] = {
        "format": np.array(1),
        "future_samples": np.array(FUTURE_SAMPLES),
        "strides": np.array(STRIDES),
        "residual_taps": np.array([-1 if tap is None else tap for tap in RESIDUAL_TAP]),
    }
    for index, (convolution, norm) in enumerate(zip(network.convolutions, network.norms, strict=True)):
        norm_scale, bias = _affine(norm)
        weight = convolution.weight.detach().numpy().astype(np.float64) * norm_scale[:, None, None]  # (out, in, taps)
        if index == 0:
            bias = bias + (weight * shift[None, :, None]).sum(axis=(1, 2))
            weight = weight * scale[None, :, None]
        arrays[f"weight_{index}"] = weight.transpose(2, 1, 0)
        arrays[f"bias_{index}"] = bias
    for name, layer, rows in (("mixing", network.mixing, None), ("output", network.output, PARAMETERS)):
        arrays[f"{name}_weight"] = layer.weight.detach().numpy()[:rows].transpose(2, 1, 0)
        arrays[f"{name}_bias"] = layer.bias.detach().numpy()[:rows]
    return {key: value.astype(np.float16) if value.dtype.kind == "f" else value for key, value in arrays.items()}


def _affine(norm: nn.BatchNorm1d) -> tuple[np.ndarray, np.ndarray]:
    """What the normalisation does once trained: x * scale + shift."""
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale.numpy(), (norm.bias.detach().double() - norm.running_mean.double() * scale).numpy()


def main() -> None:
    """Command line: export, read back, compare with torch on noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    network = load_network(arguments.net)
    np.savez_compressed(arguments.out, **tensors(network))
    exported = MouthNet.load(arguments.out)
    from models.light.mel import log_mel

    windows = np.random.default_rng(0).normal(0, 0.05, (16, exported.window_samples)).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(log_mel(windows)).transpose(1, 2))[:, :PARAMETERS, 0]).numpy()
    difference = np.abs(exported.forward(windows) - expected).max()
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, largest difference from torch {difference:.1e}")


if __name__ == "__main__":
    main()
