"""Averages the weights of two trainings of one run: nearly the better on known voices, better than both on new ones.

    python -m models.light.training.average --first second.pt --last third.pt --corpus /tmp/voice/corpus --out net.pt

Owns the average and the fresh statistics it needs: those of either training are wrong for the weights between them
(Izmailov et al., "Averaging weights leads to wider optima", 2018; Wortsman et al., "Robust fine-tuning", 2022).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.light.training.augmentation import vocal_tract_warps
from models.light.training.network import MouthNetwork
from models.light.training.train import Corpus, augment_features, save

_BATCHES = 25
_BATCH = 32


def average(first: Path, last: Path, share_of_last: float, corpus: Path) -> MouthNetwork:
    """The network between the two, with normalisation statistics measured on the corpus."""
    a, b = (torch.load(path, weights_only=True) for path in (first, last))
    state = {
        key: torch.lerp(value, b["state"][key], share_of_last) if value.is_floating_point() else value
        for key, value in a["state"].items()
    }
    network = MouthNetwork(a["width"], dropout=0.0)
    network.load_state_dict(state)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over the batches below
    rng = np.random.default_rng(3)
    torch.manual_seed(0)
    parts = Corpus(corpus, rng)
    warps = torch.from_numpy(vocal_tract_warps(256, 0.12, rng))
    network.train()
    with torch.no_grad():
        for _ in range(_BATCHES):
            network(augment_features(parts.batch(_BATCH)[0], warps))
    return network.eval()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=Path, required=True)
    parser.add_argument("--last", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.75, help="of the last")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = average(arguments.first, arguments.last, arguments.share, arguments.corpus)
    save(network, arguments.out)


if __name__ == "__main__":
    main()
