"""Places the 468 points of MediaPipe's face mesh on a face, and judges whether the face suits an avatar.

Owns the landmark net, the square it looks at, and the rules about one face, its size and its pose. Must not import
modules of the project besides `face_detection` and the errors.

Points are (468, 3) float32: x, y in pixels of the picture, pixel centres at whole numbers, and z in the same unit,
smaller nearer to the camera. "Left" and "right" are the picture's.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.face_detection import DetectedFace, FaceDetector

LEFT_EYE_OUTER, RIGHT_EYE_OUTER = 33, 263
LEFT_SIDE, RIGHT_SIDE = 234, 454
FOREHEAD, CHIN = 10, 152

POINTS = 468  # of the mesh
MIN_FACE_WIDTH_PX = 64
MAX_YAW_DEG = 35.0
MAX_PITCH_DEG = 35.0
MAX_ROLL_DEG = 25.0
# The net sees a turned face flatter than it is and a level one lean back: of a drawing and a photo turned by 15 to 45
# degrees its points show so much of the angle.
_YAW_SHOWN, _PITCH_SHOWN = 0.76, 0.83
_LEVEL_PITCH_DEG = -10.0
_BYSTANDER_SHARE = 1 / 3  # a face narrower than this share of the largest is background

_NET_FILE = Path(__file__).parent / "nets" / "face_mesh.onnx"
_NET_SIZE = 192
_ROI_SCALE = 1.5  # the square around the face's box that the net was trained on


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Degrees. `yaw` > 0: turned to the picture's right; `pitch` > 0: chin up; `roll` > 0: clockwise."""

    yaw: float
    pitch: float
    roll: float


class FaceMesh:
    """Detector and landmark net, loaded. Not thread-safe: one instance per thread."""

    def __init__(self) -> None:
        self._detector = FaceDetector()
        self._net = cv2.dnn.readNetFromONNX(str(_NET_FILE))

    def find_one(self, picture: NDArray[np.uint8], where: str) -> NDArray[np.float32]:
        """The points of the one face of a BGR picture (H, W, 3).

        Raises `PreparationError`, which begins with `where` ("face.png", "clip.mp4, frame 12"), when there is no face
        or more than one, or when it is upside down, too small or turned too far.
        """
        faces = self._detector.find(picture)
        found = [(face, points) for face in faces if (points := self._place(picture, face)) is not None]
        if not found:
            raise PreparationError(f"{where}: no face was found; a face seen from the front is needed.")
        widest = max(face.width for face, _ in found)
        found = [(face, points) for face, points in found if face.width > widest * _BYSTANDER_SHARE]
        if len(found) > 1:
            raise PreparationError(f"{where}: {len(found)} faces were found; exactly one is needed.")
        points = found[0][1]
        if self._is_upside_down(picture, points):
            raise PreparationError(f"{where}: the face is turned upside down; turn the picture by 180 degrees.")
        return check_face(points, where)

    def follow(self, picture: NDArray[np.uint8], previous: NDArray[np.float32], where: str) -> NDArray[np.float32]:
        """The same face one video frame later: looked for where it was, then everywhere. Raises as `find_one` does."""
        points = self._points_in(picture, *_square_around(previous))
        return self.find_one(picture, where) if points is None else check_face(points, where)

    def _place(self, picture: NDArray[np.uint8], face: DetectedFace) -> NDArray[np.float32] | None:
        """The points on a detected face, or None where the net sees none.

        Looked at twice: the second square comes from the first points and no longer depends on the detector's box.
        """
        left, top, right, bottom = face.box
        across = face.eyes[1] - face.eyes[0]
        size = _ROI_SCALE * max(right - left, bottom - top)
        points = self._points_in(
            picture, (left + right) / 2, (top + bottom) / 2, size, math.atan2(float(across[1]), float(across[0]))
        )
        return None if points is None else self._points_in(picture, *_square_around(points))

    def _is_upside_down(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> bool:
        """Whether the net is surer of a face when it looks at these points' square the other way up.

        The nets also place a face on one that stands on its head, eyes on its mouth, only less surely.
        """
        x, y, size, angle = _square_around(points)
        return self._look(picture, x, y, size, angle + math.pi)[1] > self._look(picture, x, y, size, angle)[1]

    def _points_in(
        self, picture: NDArray[np.uint8], x: float, y: float, size: float, angle: float
    ) -> NDArray[np.float32] | None:
        """The points in a square of this centre and size, turned by `angle` (radians) so that the eyes are level."""
        points, presence = self._look(picture, x, y, size, angle)
        return points if presence >= 0 else None

    def _look(
        self, picture: NDArray[np.uint8], x: float, y: float, size: float, angle: float
    ) -> tuple[NDArray[np.float32], float]:
        """The points in a square, and the logit of there being a face."""
        scale = size / _NET_SIZE
        cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = (_NET_SIZE - 1) / 2
        to_picture = np.hstack([turn, (np.array([x, y]) - turn @ [middle, middle])[:, None]])
        source, to_source = _reduced(picture, to_picture, int(scale))
        view = cv2.warpAffine(source, to_source, (_NET_SIZE, _NET_SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        self._net.setInput(cv2.dnn.blobFromImage(view, 1 / 255, swapRB=True))
        landmarks, presence = self._net.forward(["landmarks", "presence"])
        raw = landmarks.reshape(-1, 3).astype(np.float64)
        points = np.empty_like(raw)
        points[:, :2] = (raw[:, :2] - 0.5) @ turn.T + to_picture[:, 2]  # the net counts from a pixel's corner
        points[:, 2] = raw[:, 2] * scale
        return points.astype(np.float32), float(presence.reshape(-1)[0])


def _reduced(picture: NDArray[np.uint8], to_picture: NDArray, factor: int) -> tuple[NDArray, NDArray]:
    """The part of the picture that the net's square covers, `factor` times smaller, against aliasing; and its map."""
    if factor < 2:
        return picture, to_picture
    corners = to_picture @ np.array([[0, _NET_SIZE, 0, _NET_SIZE], [0, 0, _NET_SIZE, _NET_SIZE], [1, 1, 1, 1]])
    left, top = np.clip(np.floor(corners.min(axis=1)).astype(int), 0, None) // factor * factor
    right, bottom = np.ceil(corners.max(axis=1)).astype(int) + 1
    part = picture[top : max(bottom, top + factor), left : max(right, left + factor)]
    part = part[: part.shape[0] // factor * factor, : part.shape[1] // factor * factor]
    if part.size == 0:
        return picture, to_picture
    size = (part.shape[1] // factor, part.shape[0] // factor)
    mapped = to_picture / factor
    mapped[:, 2] = (to_picture[:, 2] + 0.5 - (left, top)) / factor - 0.5
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), mapped


def _square_around(points: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Centre x, y, size and angle of the square to look at for a face with these points."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    across = points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]
    x, y = (low + high) / 2
    return float(x), float(y), _ROI_SCALE * float((high - low).max()), math.atan2(float(across[1]), float(across[0]))


def face_width(points: NDArray[np.float32]) -> float:
    """Distance between the sides of the face, pixels."""
    return float(np.linalg.norm(points[RIGHT_SIDE, :2] - points[LEFT_SIDE, :2]))


def head_pose(points: NDArray[np.float32]) -> HeadPose:
    """The pose from the mesh's own depth: how the lines across and along the face lie in space; to some 5 degrees."""
    across = points[RIGHT_SIDE].astype(np.float64) - points[LEFT_SIDE]
    down = points[CHIN].astype(np.float64) - points[FOREHEAD]
    eyes = points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]
    return HeadPose(
        yaw=math.degrees(math.atan2(across[2], math.hypot(across[0], across[1]))) / _YAW_SHOWN,
        pitch=(math.degrees(math.atan2(-down[2], math.hypot(down[0], down[1]))) - _LEVEL_PITCH_DEG) / _PITCH_SHOWN,
        roll=math.degrees(math.atan2(float(eyes[1]), float(eyes[0]))),
    )


def check_face(points: NDArray[np.float32], where: str) -> NDArray[np.float32]:
    """The same points, or `PreparationError` when the face is too small or turned too far."""
    width, pose = face_width(points), head_pose(points)
    if width < MIN_FACE_WIDTH_PX:
        raise PreparationError(
            f"{where}: the face is {math.floor(width)} pixels wide; at least {MIN_FACE_WIDTH_PX} are needed."
        )
    for name, value, limit in (
        ("to the side", pose.yaw, MAX_YAW_DEG),
        ("up or down", pose.pitch, MAX_PITCH_DEG),
        ("towards a shoulder", pose.roll, MAX_ROLL_DEG),
    ):
        if abs(value) > limit:
            raise PreparationError(
                f"{where}: the head is turned {name} by {abs(value):.0f} degrees; at most {limit:.0f} are possible."
            )
    return points
