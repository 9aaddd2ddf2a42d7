"""Trains the network on the parts that `corpus` made.

    python -m models.light.training.train --corpus /tmp/voice/corpus --out /tmp/voice/net.pt --minutes 70

Owns the loss, the mix of voices and the augmentation of features. One thread; about 70 minutes of one core.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.light.mel import MEL_BANDS, POWER_FLOOR
from models.light.training.augmentation import vocal_tract_warps
from models.light.training.network import FRAMES_PER_PICTURE, PARAMETERS, RECEPTIVE_FRAMES, MouthNetwork
from models.light.training.phones import pool_over_picture

# frames before an output's last one over which its target is pooled: centred 12.5 ms after the picture's middle,
# which makes up for the delay of the smoothing that follows the network
POOLED_FRAMES = np.array([-9, -8, -7, -6])
CROP_PICTURES = 75  # 3 s
SHARE_OF_FAMILY = {"espeak": 0.38, "flite": 0.35, "diphone": 0.04, "recorded": 0.2, "background": 0.03}
_PARAMETER_WEIGHT = torch.tensor([1.5, 0.7, 1.2, 1.0, 1.0, 0.5])[:, None]
_CLOSURE_WEIGHT = torch.tensor([1.5, 1.5, 0.25])[:, None]
_FLOOR = float(np.log(POWER_FLOOR) / 4)


class Corpus:
    """Every part in memory; draws random crops, parts by family share and, within it, the root of their length."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self._rng = rng
        self._parts: list[dict[str, Tensor]] = []
        names, lengths = [], []
        for path in sorted(folder.glob("*.npz")):
            with np.load(path) as stored:
                self._parts.append({name: torch.from_numpy(stored[name]) for name in ("mel", "curves", "labels")})
            names.append(path.stem)
            lengths.append(len(self._parts[-1]["mel"]) ** 0.5)
        families = [name.split("-")[0] for name in names]
        totals = {f: sum(n for g, n in zip(families, lengths, strict=True) if g == f) for f in families}
        weights = np.array([SHARE_OF_FAMILY[f] * n / totals[f] for f, n in zip(families, lengths, strict=True)])
        self._weights = weights / weights.sum()
        self.shares = dict(zip(names, self._weights.round(3).tolist(), strict=True))

    def batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 40, T) features, (B, 6, 75) targets, (B, 75) classes."""
        mels, targets, labels = [], [], []
        frames = RECEPTIVE_FRAMES + FRAMES_PER_PICTURE * (CROP_PICTURES - 1)
        for choice in self._rng.choice(len(self._parts), size, p=self._weights):
            part = self._parts[choice]
            first = int(self._rng.integers(len(part["mel"]) - frames))
            mels.append(part["mel"][first : first + frames])
            last = first + RECEPTIVE_FRAMES - 1 + FRAMES_PER_PICTURE * np.arange(CROP_PICTURES)
            moments = part["curves"].numpy()[last[:, None] + POOLED_FRAMES]  # (75, 4, 6)
            targets.append(pool_over_picture(moments.astype(np.float32)).T)
            labels.append(part["labels"][last + POOLED_FRAMES[2]])
        mel = torch.stack(mels).float().transpose(1, 2).contiguous()
        return mel, torch.from_numpy(np.stack(targets)), torch.stack(labels).long()


def augment_features(mel: Tensor, warps: Tensor) -> Tensor:
    """Another vocal tract, another level and a masked band. (B, 40, T) -> same."""
    size = len(mel)
    mel = torch.bmm(warps[torch.randint(0, len(warps), (size,))], mel)
    mel = torch.where(mel > _FLOOR + 0.02, mel + (torch.rand(size, 1, 1) - 0.5) * 0.5, mel)
    band, first = torch.arange(MEL_BANDS)[None], torch.randint(0, MEL_BANDS - 4, (size, 1))
    masked = (band >= first) & (band < first + 4) & (torch.rand(size, 1) < 0.4)
    return torch.where(masked[..., None], mel.mean((1, 2), keepdim=True), mel)


def loss_of(logits: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """Squared error of the parameters, cross entropy of closures, and of the phone class as a hint."""
    parameters, classes = logits[:, :PARAMETERS], logits[:, PARAMETERS:]
    squared = ((torch.sigmoid(parameters) - targets) ** 2 * _PARAMETER_WEIGHT).mean()
    entropy = functional.binary_cross_entropy_with_logits(parameters[:, 3:], targets[:, 3:], reduction="none")
    return 4 * squared + 0.4 * (entropy * _CLOSURE_WEIGHT).mean() + 0.15 * functional.cross_entropy(classes, labels)


def train(arguments: argparse.Namespace) -> MouthNetwork:
    """AdamW with a warm-up and a cosine, by the clock."""
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    corpus = Corpus(arguments.corpus, rng)
    print(json.dumps(corpus.shares), flush=True)
    warps = torch.from_numpy(vocal_tract_warps(256, 0.12, rng))
    network = MouthNetwork(arguments.width, arguments.dropout)
    if arguments.start:
        network.load_state_dict(torch.load(arguments.start, weights_only=True)["state"])
    optimizer = torch.optim.AdamW(network.parameters(), arguments.rate, weight_decay=0.01)
    started, step, running = time.monotonic(), 0, None
    network.train()
    while (done := (time.monotonic() - started) / (60 * arguments.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * min(1, (step + 1) / 200) * (0.5 + 0.5 * np.cos(np.pi * done) + 0.01)
        mel, targets, labels = corpus.batch(arguments.batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(augment_features(mel, warps))
        loss = loss_of(logits.float(), targets, labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        running = loss.item() if running is None else 0.995 * running + 0.005 * loss.item()
        if step % 500 == 0:
            print(f"step {step}, {time.monotonic() - started:.0f} s, loss {running:.4f}", flush=True)
            save(network, arguments.out)
    save(network, arguments.out)
    print(f"steps {step}, parameters {sum(p.numel() for p in network.parameters())}", flush=True)
    return network.eval()


def save(network: MouthNetwork, path: Path) -> None:
    """Weights and width, readable without pickled code."""
    torch.save({"state": network.state_dict(), "width": network.mixing.in_channels}, path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="begin from these weights")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
