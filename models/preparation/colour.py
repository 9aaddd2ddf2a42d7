"""BGR pictures to I420 and back: BT.601, limited range, each chroma sample the mean of its 2x2 pixels.

Owns the project's one way of doing this at preparation. Must not import other modules of the project.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# rows U, V; columns B, G, R; for 8-bit BGR (ITU-R BT.601, limited range)
_CHROMA = np.array([[112.0, -74.203, -37.797], [-18.214, -93.786, 112.0]]) / 255


def bgr_to_i420(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, H and W even, -> (H * 3 / 2, W) I420.

    OpenCV's own conversion takes each chroma sample from one pixel of four, which makes fine hair flicker in motion.
    """
    height, width = picture.shape[:2]
    i420 = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    halved = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    chroma = cv2.transform(halved.astype(np.float32), _CHROMA.astype(np.float32)) + np.float32(128.5)
    planes = i420[height:].reshape(2, height // 2, width // 2)
    planes[:] = chroma.transpose(2, 0, 1)  # truncates: 128.5 rounds
    return i420


def i420_to_bgr(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H * 3 / 2, W) I420 -> (H, W, 3) BGR."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420), np.uint8)
