"""The network in torch: as trained, before its normalisation is folded away.

Owns the architecture. Log-mel frames of 10 ms go through two strided convolutions to one column per 40 ms video frame,
two more look further back. Every layer is `valid`: nothing is padded, so the window alone decides.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.light.mel import MEL_BANDS
from models.light.training.phones import CLASSES

PARAMETERS = 6
FRAMES_PER_PICTURE = 4  # 40 ms of 10 ms frames
RECEPTIVE_FRAMES = 45  # one output sees 450 ms of frames
KERNEL = 5
STRIDES = (2, 2, 1, 1)
RESIDUAL_TAP = (None, 2, 3, 3)  # which tap of the kernel a layer's input is added from


class MouthNetwork(nn.Module):
    """(B, 40, 45 + 4 k) features -> (B, 6 + 25, 1 + k) logits: mouth parameters, then phone classes."""

    def __init__(self, width: int = 192, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = dropout
        self.input_norm = nn.BatchNorm1d(MEL_BANDS)
        inputs = (MEL_BANDS, width, width, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(channels, width, KERNEL, stride=stride, bias=False)
            for channels, stride in zip(inputs, STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in STRIDES)
        self.mixing = nn.Conv1d(width, width, 1)
        self.output = nn.Conv1d(width, PARAMETERS + len(CLASSES), 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Logits for every fourth frame."""
        hidden = self.input_norm(mel)
        for convolution, norm, stride, tap in zip(self.convolutions, self.norms, STRIDES, RESIDUAL_TAP, strict=True):
            activated = functional.relu(norm(convolution(hidden)))
            if tap is not None:
                stop = tap + stride * (activated.shape[-1] - 1) + 1
                activated = activated + hidden[..., tap:stop:stride]
            hidden = functional.dropout(activated, self.dropout, self.training)
        return self.output(functional.relu(self.mixing(hidden)))


def load_network(path) -> MouthNetwork:
    """A network saved by `train`, in evaluation mode."""
    stored = torch.load(path, weights_only=True)
    network = MouthNetwork(width=stored["width"])
    network.load_state_dict(stored["state"])
    return network.eval()
