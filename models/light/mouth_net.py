"""Audio to mouth: a small convolutional network in numpy, batched over sessions.

Owns the weights file and the forward pass. One call is one 40 ms picture of each of B sessions; nothing is remembered
between calls, so the estimate depends on the window's samples alone. Training lives in `training/` and needs torch;
this module must not import it.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.light.mel import HOP_SAMPLES, MEL_BANDS, WINDOW_SAMPLES, log_mel
from models.light.mouth_parameters import PARAMETERS

PICTURE_SAMPLES = 640
_DEFAULT_WEIGHTS = Path(__file__).with_name("mouth_net.npz")
_FORMAT = 1


@dataclass(frozen=True)
class Convolution:
    """A `valid` convolution along time with ReLU; its input, where a tap is named, is added to the output."""

    weight: NDArray[np.float32]  # (taps * inputs, outputs)
    bias: NDArray[np.float32]  # (outputs,)
    taps: int
    stride: int
    residual_tap: int | None

    def __call__(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, n, inputs) -> (B, 1 + (n - taps) // stride, outputs)."""
        batch, frames, inputs = hidden.shape
        outputs = 1 + (frames - self.taps) // self.stride
        # (B, outputs, taps, inputs): overlapping views of the contiguous input, copied once by reshape
        step = hidden.strides[1]
        taps = np.lib.stride_tricks.as_strided(
            hidden,
            (batch, outputs, self.taps, inputs),
            (hidden.strides[0], step * self.stride, step, hidden.strides[2]),
        )
        activated = taps.reshape(batch * outputs, self.taps * inputs) @ self.weight
        activated += self.bias
        np.maximum(activated, 0, out=activated)
        activated = activated.reshape(batch, outputs, -1)
        if self.residual_tap is not None:
            activated += taps[:, :, self.residual_tap]
        return activated


class MouthNet:
    """The loaded network. Immutable; safe to call from any thread.

    A window is `past_samples`, the picture's own 640 samples, then `future_samples`.
    """

    past_samples: int
    future_samples: int
    convolutions: tuple[Convolution, ...]
    width: int  # of the last one's output

    def __init__(
        self, convolutions: list[Convolution], mixing: Convolution, output: Convolution, future_samples: int
    ) -> None:
        self.convolutions = tuple(convolutions)
        self.width = len(mixing.bias)
        self._mixing = mixing
        self._output = output
        frames = 1  # counted back from one output to the features it sees
        for layer in reversed(convolutions):
            frames = (frames - 1) * layer.stride + layer.taps
        self.window_samples = (frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES
        self.future_samples = future_samples
        self.past_samples = self.window_samples - PICTURE_SAMPLES - future_samples

    @classmethod
    def load(cls, path: Path | None = None) -> "MouthNet":
        """Read a weights file (`mouth_net.npz` beside this module unless another is named).

        Raises:
            ModelError: the file is missing, damaged, of another format, or an array has the wrong shape; the message
                names the file and the array.
        """
        path = path or _DEFAULT_WEIGHTS
        arrays = _read(path)

        def array(key: str, *shape: int | None) -> NDArray:
            if key not in arrays:
                raise ModelError(f"{path}: array {key!r} is missing")
            value = arrays[key]
            fits = value.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, value.shape, strict=True))
            if not fits or not np.all(np.isfinite(value)):
                wanted = "x".join("any" if s is None else str(s) for s in shape) or "a number"
                raise ModelError(
                    f"{path}: array {key!r} has shape {value.shape} or values that are not finite, wanted {wanted}"
                )
            return value

        if int(array("format")) != _FORMAT:
            raise ModelError(f"{path}: array 'format' is {int(array('format'))}, this version reads {_FORMAT}")
        strides = array("strides", None)
        residual_taps = array("residual_taps", len(strides))
        convolutions, inputs = [], MEL_BANDS
        for index, (stride, tap) in enumerate(zip(strides.tolist(), residual_taps.tolist(), strict=True)):
            weight = array(f"weight_{index}", None, inputs, None)  # (taps, inputs, outputs)
            outputs = weight.shape[2]
            bias = array(f"bias_{index}", outputs)
            convolutions.append(_dense(weight, bias, stride, tap if tap >= 0 else None))
            inputs = outputs
        mixing = _dense(array("mixing_weight", 1, inputs, inputs), array("mixing_bias", inputs), 1, None)
        output = _dense(array("output_weight", 1, inputs, PARAMETERS), array("output_bias", PARAMETERS), 1, None)
        return cls(convolutions, mixing, output, int(array("future_samples")))

    def forward(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mouth parameters of one picture per window, unfiltered.

        Args:
            windows: (B, past + 640 + future) float32 samples at 16 kHz, -1..1, zero outside the utterance.

        Returns:
            (B, 6) float32, each 0..1, in the order of `mouth_parameters.PARAMETER_NAMES`.

        Raises:
            ValueError: the windows have another length.
        """
        if windows.ndim != 2 or windows.shape[1] != self.window_samples:
            raise ValueError(f"windows have shape {windows.shape}, wanted (B, {self.window_samples})")
        hidden = log_mel(windows)  # (B, frames, 40)
        for convolution in self.convolutions:
            hidden = convolution(hidden)  # (B, fewer, width), at last (B, 1, width)
        return self.outputs(hidden)

    def outputs(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the last convolution gave, (B, 1, width), to (B, 6) estimates, each 0..1."""
        mixed = self._mixing(hidden)[:, 0]
        logits = mixed @ self._output.weight + self._output.bias
        return 1 / (1 + np.exp(-logits))


def _dense(weight: NDArray, bias: NDArray, stride: int, residual_tap: int | None) -> Convolution:
    taps, inputs, outputs = weight.shape
    flat = np.ascontiguousarray(weight.reshape(taps * inputs, outputs), dtype=np.float32)
    return Convolution(flat, bias.astype(np.float32), taps, stride, residual_tap)


def _read(path: Path) -> dict[str, NDArray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        raise ModelError(f"{path}: no such weights file") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a readable weights file: {error}") from error
