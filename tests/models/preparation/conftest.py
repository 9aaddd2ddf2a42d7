"""The built-in portrait, its landmarks, and clips made from it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.preparation.contours import correct_landmarks, read_contours
from models.preparation.crop import Crop, choose_crop
from models.preparation.face_mesh import FaceMesh
from models.preparation.still import Still

BUILTIN = Path(__file__).parents[3] / "models" / "preparation" / "builtin"


@pytest.fixture(scope="session")
def mesh() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="session")
def portrait():
    picture = cv2.imread(str(BUILTIN / "portrait.png"))
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def detected(mesh, portrait):
    """What the landmarker sees on the portrait, (468, 3)."""
    points = mesh.find_one(portrait, "portrait")
    points.flags.writeable = False
    return points


@pytest.fixture(scope="session")
def points(detected):
    """The portrait's landmarks with the drawn contours."""
    corrected = correct_landmarks(detected, read_contours(BUILTIN / "portrait_contours.json"))
    corrected.flags.writeable = False
    return corrected


@pytest.fixture(scope="session")
def crop(detected, portrait) -> Crop:
    return choose_crop(detected, portrait.shape[1], portrait.shape[0])


@pytest.fixture(scope="session")
def still(portrait, points, crop) -> Still:
    return Still(portrait, points, crop)


def write_mp4(path: Path, pictures: Sequence[np.ndarray], rate: int = 25) -> Path:
    """Writes BGR pictures as an MP4 whose index comes first, so that cutting its end off leaves it readable."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "20", "bf": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def write_clip(tmp_path) -> Callable[..., Path]:
    """`write_mp4` by name."""

    def write(name: str, pictures: Sequence[np.ndarray], rate: int = 25) -> Path:
        return write_mp4(tmp_path / name, pictures, rate)

    return write


@pytest.fixture(scope="session")
def swaying(portrait):
    """`swaying(phase)`: the portrait at half size, head and all, moved on a circle of 4 pixels."""
    small = cv2.resize(portrait, (512, 512), interpolation=cv2.INTER_AREA)

    def picture(phase: float) -> np.ndarray:
        angle = 2 * np.pi * phase
        shift = np.array([[1, 0, 4 * np.cos(angle)], [0, 1, 4 * np.sin(angle)]])
        return cv2.warpAffine(small, shift, (512, 512), borderMode=cv2.BORDER_REPLICATE)

    return picture
