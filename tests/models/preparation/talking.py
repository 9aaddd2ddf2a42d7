"""A recording of the built-in portrait that listens and speaks in turns, in a hand or on a stand.

`python -m tests.models.preparation.talking recording.mp4 [seconds]` writes one of 1280x720: 6 s quiet, 6 s speech.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from models.light.face_geometry import measure_face
from models.light.mouth_material import build_material
from models.light.mouth_parameters import MouthParameters
from models.light.renderer import MouthRenderer
from models.light.scratch import Scratch
from models.preparation.colour import i420_to_bgr
from models.preparation.head_warp import Pose
from models.preparation.idle_motion import idle_pose
from models.preparation.still import Shot, Still


def talking(still: Still, count: int, speaks: Callable[[int], bool]) -> Iterator[np.ndarray]:
    """`count` BGR pictures (512, 512, 3) with the lips in motion where `speaks(frame)`."""
    rest = Shot(Pose(), 0.0)
    material = build_material(still.draw(rest)[None], still.landmarks(rest)[None])
    inset = np.asarray(material["lip_inset"], np.float32)
    width = measure_face(still.landmarks(rest), inset).face_width
    renderer = MouthRenderer(material, width, Scratch())
    for index in range(count):
        shot = Shot(idle_pose(index % 150), 0.0)
        opening = 0.45 + 0.4 * np.sin(2 * np.pi * index / 6.5) if speaks(index) else 0.0
        mouth = MouthParameters(open=opening, wide=0.2 * (opening > 0), pucker=0.0, close=0.0, fv=0.0, tongue=0.0)
        yield i420_to_bgr(renderer.paint(mouth, still.draw(shot), measure_face(still.landmarks(shot), inset)))


def _main(path: Path, seconds: int) -> None:
    import av

    from models.preparation.contours import correct_landmarks, read_contours
    from models.preparation.crop import choose_crop
    from models.preparation.face_mesh import FaceMesh
    from tests.models.preparation.hand_held import camera

    builtin = Path(__file__).parents[3] / "models" / "preparation" / "builtin"
    portrait = cv2.imread(str(builtin / "portrait.png"))
    points = correct_landmarks(FaceMesh().find_one(portrait, ""), read_contours(builtin / "portrait_contours.json"))
    still = Still(portrait, points, choose_crop(points, 1024, 1024))
    moves = camera(seconds * 25, 648)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        pictures = talking(still, seconds * 25, lambda index: index // 150 % 2 == 1)
        for picture, (x, y, zoom, roll) in zip(pictures, moves, strict=True):
            turn = cv2.getRotationMatrix2D((256, 256), -np.degrees(roll), 1.27 * zoom)
            turn[:, 2] += (640 - 256 + x, 360 - 256 + y)
            shown = cv2.warpAffine(picture, turn, (1280, 720), flags=cv2.INTER_CUBIC, borderValue=(150, 150, 140))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="bgr24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300)
