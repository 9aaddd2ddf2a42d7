"""The network along an utterance: of each new window, only what its last 40 ms changed is computed.

Owns each utterance's memory: the last window, and the newest rows of every layer's input. A window that does not
follow on the last one, sample for sample, is computed whole; the estimates are those of `MouthNet.forward` but for
float32 rounding. Must not know parameters' meaning, smoothing or avatars.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.light.mel import HOP_SAMPLES, WINDOW_SAMPLES, log_mel
from models.light.mouth_net import PICTURE_SAMPLES, MouthNet

_NEW_FEATURES = PICTURE_SAMPLES // HOP_SAMPLES  # log-mel frames that each picture brings
_NEW_SAMPLES = (_NEW_FEATURES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # what they see


class Memory:
    """What of one utterance is computed already.

    `window`: (window_samples,) the last one. `rows`: for each convolution the newest rows of its input that it will
    see again, (rows, inputs).
    """

    __slots__ = ("rows", "window")

    def __init__(self) -> None:
        self.window: NDArray[np.float32] | None = None
        self.rows: list[NDArray[np.float32]] = []

    def precedes(self, window: NDArray[np.float32]) -> bool:
        """Whether `window` is the last one moved on by one picture."""
        return self.window is not None and np.array_equal(self.window[PICTURE_SAMPLES:], window[:-PICTURE_SAMPLES])


class StreamingNet:
    """A network that remembers utterances. Immutable; the memories are the callers'."""

    def __init__(self, net: MouthNet) -> None:
        """Raises `ModelError` where the network cannot be cut at whole pictures."""
        self._net = net
        self._kept = []  # rows of each convolution's input that are seen again
        new = _NEW_FEATURES
        for layer in net.convolutions:
            outputs, uneven = divmod(new, layer.stride)
            if uneven:
                raise ModelError("the network's strides do not divide a picture's log-mel frames")
            self._kept.append((outputs - 1) * layer.stride + layer.taps - new)
            new = outputs

    def estimates(self, windows: Sequence[NDArray[np.float32]], memories: Sequence[Memory]) -> NDArray[np.float32]:
        """The estimates of one window of each utterance, (B, 6) float32, as `MouthNet.forward` gives them.

        `windows`: (window_samples,) float32 each; `memories`: the utterances', brought up to date.
        """
        follows = [memory.precedes(window) for memory, window in zip(memories, windows, strict=True)]
        hidden = np.empty((len(windows), 1, self._net.width), np.float32)
        for wanted, compute in ((True, self._moved_on), (False, self._anew)):
            places = [place for place, following in enumerate(follows) if following is wanted]
            if places:
                hidden[places] = compute([windows[p] for p in places], [memories[p] for p in places])
        for memory, window in zip(memories, windows, strict=True):
            memory.window = window
        return self._net.outputs(hidden)

    def _anew(self, windows: Sequence[NDArray[np.float32]], memories: Sequence[Memory]) -> NDArray[np.float32]:
        """Whole windows -> (B, 1, width)."""
        hidden = log_mel(np.stack(windows))
        kept = []
        for layer, count in zip(self._net.convolutions, self._kept, strict=True):
            kept.append(hidden[:, hidden.shape[1] - count :].copy())
            hidden = layer(hidden)
        _remember(memories, kept)
        return hidden

    def _moved_on(self, windows: Sequence[NDArray[np.float32]], memories: Sequence[Memory]) -> NDArray[np.float32]:
        """Windows that follow the last ones -> (B, 1, width)."""
        hidden = log_mel(np.stack([window[-_NEW_SAMPLES:] for window in windows]))
        kept = []
        for number, (layer, count) in enumerate(zip(self._net.convolutions, self._kept, strict=True)):
            hidden = np.concatenate([[memory.rows[number] for memory in memories], hidden], axis=1)
            kept.append(hidden[:, hidden.shape[1] - count :])
            hidden = layer(hidden)
        _remember(memories, kept)
        return hidden


def _remember(memories: Sequence[Memory], kept: Sequence[NDArray[np.float32]]) -> None:
    for place, memory in enumerate(memories):
        memory.rows = [rows[place] for rows in kept]
