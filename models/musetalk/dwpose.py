"""The 68 face points as MuseTalk's preparation finds them: DWPose, from its ONNX export, run by OpenCV.

Owns the net's input (the whole picture, as for one person who fills it), the decoding of its two one-dimensional
heat maps ("SimCC": one over x, one over y, half a pixel a bin) and the averaging with the mirrored picture. Numbers are
RTMPose-l's, trained on COCO whole body at 384 x 288. Must not import torch.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

FACE_POINTS = slice(23, 91)  # of the 133 whole-body points

_WIDTH, _HEIGHT = 288, 384
_BINS_PER_PIXEL = 2
_PADDING = 1.25  # of the person's box
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # RGB, 0..255
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)

# where each of the 68 points is in a mirrored face
MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip


class DWPose:
    """The net, loaded. Not thread-safe: one instance per thread."""

    def __init__(self, path: Path) -> None:
        """Raises `ModelError` where the file is no net that OpenCV can run."""
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise ModelError(f"{path} cannot be loaded: {str(error).strip().splitlines()[0]}") from None
        self._path = path
        self._outputs = list(self._net.getUnconnectedOutLayersNames())
        if len(self._outputs) != 2:
            raise ModelError(f"{path} has {len(self._outputs)} outputs, where DWPose has one for x and one for y")

    def face_points(self, picture: NDArray[np.uint8]) -> NDArray[np.int32]:
        """(H, W, 3) BGR -> (68, 2) whole pixels, iBUG order. Raises `ModelError` where the net is not DWPose."""
        to_net = net_view(picture.shape[1], picture.shape[0])
        view = np.asarray(cv2.warpAffine(picture, to_net, (_WIDTH, _HEIGHT), flags=cv2.INTER_LINEAR), np.uint8)
        x, y = self._heat_maps(view)  # (68, 576), (68, 768)
        mirrored_x, mirrored_y = self._heat_maps(np.ascontiguousarray(view[:, ::-1]))
        x_bins = (x + mirrored_x[list(MIRRORED), ::-1]).argmax(axis=1)  # (68,)
        y_bins = (y + mirrored_y[list(MIRRORED)]).argmax(axis=1)
        points = np.stack([x_bins, y_bins], axis=1) / _BINS_PER_PIXEL
        return ((points - to_net[:, 2]) / to_net[0, 0]).astype(np.int32)

    def _heat_maps(self, view: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        """(384, 288, 3) BGR -> the face's heat maps over x (68, 576) and y (68, 768)."""
        blob = ((view[..., ::-1] - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]  # (1, 3, 384, 288)
        try:
            self._net.setInput(np.ascontiguousarray(blob, np.float32))
            maps = {output.shape[-1]: output for output in self._net.forward(self._outputs)}
            x, y = maps[_WIDTH * _BINS_PER_PIXEL], maps[_HEIGHT * _BINS_PER_PIXEL]
        except (cv2.error, KeyError) as error:
            raise ModelError(f"{self._path} does not run as DWPose: {error}") from None
        return x.reshape(-1, x.shape[-1])[FACE_POINTS], y.reshape(-1, y.shape[-1])[FACE_POINTS]


def net_view(width: int, height: int) -> NDArray[np.float64]:
    """(2, 3) map from a picture's pixels to the net's: the padded picture, centred, all of it inside."""
    scale = min(_WIDTH / (width * _PADDING), _HEIGHT / (height * _PADDING))
    return np.array([[scale, 0, (_WIDTH - width * scale) / 2], [0, scale, (_HEIGHT - height * scale) / 2]])
