"""A face as preparation takes it, and how it speaks: what the sweep shows and the tests measure.

Owns the way from a picture to painted frames, without an avatar on disk.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.interface import BaseFrame, SpeechFrame
from models.light.engine import LightEngine
from models.light.face_geometry import INNER_LOWER_ROWS, OUTER_LOWER_ROWS
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import control_targets
from models.preparation.crop import choose_crop
from models.preparation.face_fitness import refuse_unfit
from models.preparation.face_look import look_at
from models.preparation.face_mesh import FaceMesh
from models.preparation.face_warnings import lip_gaps
from models.preparation.head_warp import Pose
from models.preparation.still import Shot, Still
from models.prepared_avatar import PreparedAvatar
from tests.end_to_end.lip_measure import Clip, apertures
from tests.faces.kinds import Variant
from tests.models.light.faces import AA, PBM, REST, Face, face_of

_VISIBLE = 8  # levels: what H.264 changes, too
PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"


@dataclass(frozen=True, slots=True)
class Portrait:
    """The built-in portrait (1024, 1024, 3) BGR and what the landmarker sees on it, (468, 3)."""

    picture: NDArray[np.uint8]
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a face speaks.

    `follow`: correlation of the lips that are seen with the mouths that were asked for. `closed`, `open`: lip opening
    at p, b, m and at "aa", over the face's size. `colour`: the lips' distance from the base picture's, CIE Lab.
    `beyond`: pixels that changed visibly above the nose or beside the face.
    """

    follow: float
    closed: float
    open: float
    colour: float
    beyond: int


@cache
def mesh() -> FaceMesh:
    return FaceMesh()


@cache
def portrait() -> Portrait:
    picture = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    return Portrait(picture, mesh().find_one(picture, "portrait.png"))


def variant_of(variant: Variant) -> NDArray[np.uint8]:
    """The portrait, painted over."""
    return variant(portrait().picture, portrait().points)


def prepared(photo: NDArray[np.uint8], where: str) -> Face:
    """The face of a photo, ready to paint on. Raises `PreparationError` as preparation does."""
    points = mesh().find_one(photo, where)
    refuse_unfit(lip_gaps(points[None]), [look_at(photo, points)], where)
    still = Still(photo, points, choose_crop(points, photo.shape[1], photo.shape[0]))
    shot = Shot(Pose(), 0.0)
    return face_of(still.draw(shot), still.landmarks(shot))


@cache
def mouths(utterance: str) -> list[MouthParameters]:
    """What the engine hears in an utterance of tests/golden/speech, a mouth for each frame."""
    clip, engine = Clip.load(utterance), LightEngine()
    samples = np.frombuffer(clip.pcm, "<i2").astype(np.float32) / 32768
    padded = np.pad(samples, (engine.past_samples, engine.future_samples + 640))
    voice, base = engine.new_voice(), BaseFrame("idle_0", 0)
    nobody = PreparedAvatar("nobody", {}, True, {})
    heard = []
    for number in range(clip.frames):
        window = padded[number * 640 : number * 640 + engine.past_samples + 640 + engine.future_samples]
        heard += engine.generate([SpeechFrame(voice, window, nobody, base, number)])
    return [mouth for mouth in heard if isinstance(mouth, MouthParameters)]


def painted(face: Face, mouth: MouthParameters) -> NDArray[np.uint8]:
    """(512, 512, 3) BGR."""
    return cv2.cvtColor(face.renderer.paint(mouth, face.picture, face.geometry), cv2.COLOR_YUV2BGR_I420)


def judged(face: Face, heard: list[MouthParameters], frames: int = 12) -> Figures:
    """Measured by the landmarker on some frames of an utterance, from closed to open, and on two visemes."""
    by_opening = sorted(heard, key=_opening)
    chosen = [by_opening[index] for index in np.linspace(0, len(heard) - 1, frames).astype(int)]
    pictures = [painted(face, mouth) for mouth in (*chosen, PBM, AA)]
    seen = apertures(pictures)
    asked = [_opening(mouth) for mouth in chosen]
    base = painted(face, REST)
    changed = np.abs(pictures[-1].astype(int) - base).max(axis=-1) > _VISIBLE
    top = int(face.landmarks[168, 1])
    left, right = (int(face.landmarks[side, 0]) for side in (234, 454))
    beyond = changed[:top].sum() + changed[:, : max(left - 20, 0)].sum() + changed[:, right + 20 :].sum()
    return Figures(
        follow=float(np.corrcoef(seen[:frames], asked)[0, 1]),
        closed=float(seen[-2]),
        open=float(seen[-1]),
        colour=float(np.linalg.norm(_lip_colour(face, PBM) - _lip_colour(face, REST))),
        beyond=int(beyond),
    )


def _opening(mouth: MouthParameters) -> float:
    return mouth.open * (1 - 0.85 * mouth.close)


def _lip_colour(face: Face, mouth: MouthParameters) -> NDArray[np.float64]:
    """Mean colour in CIE Lab of the lower lip's middle."""
    targets = face.geometry.to_picture(control_targets(face.geometry, mouth).points)
    inner, outer = targets[INNER_LOWER_ROWS][3:8], targets[OUTER_LOWER_ROWS][3:8]
    mask = np.zeros((512, 512), np.uint8)
    outline = np.vstack([inner * 0.7 + outer * 0.3, (inner * 0.3 + outer * 0.7)[::-1]])
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    lab = cv2.cvtColor(painted(face, mouth).astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    return np.asarray(lab[mask > 0].mean(axis=0), np.float64)
