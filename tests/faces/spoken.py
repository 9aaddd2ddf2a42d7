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
from models.light.mouth_parameters import MouthParameters
from models.preparation.crop import choose_crop
from models.preparation.face_fitness import refuse_unfit
from models.preparation.face_look import look_at
from models.preparation.face_mesh import FaceMesh
from models.preparation.head_warp import Pose
from models.preparation.still import Shot, Still
from models.prepared_avatar import PreparedAvatar
from tests.end_to_end.lip_measure import Clip
from tests.faces.variants import Variant
from tests.models.light.faces import Face, face_of

PORTRAIT = Path(__file__).parents[2] / "models" / "preparation" / "builtin" / "portrait.png"


@dataclass(frozen=True, slots=True)
class Portrait:
    """The built-in portrait (1024, 1024, 3) BGR and what the landmarker sees on it, (468, 3)."""

    picture: NDArray[np.uint8]
    points: NDArray[np.float32]


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
    refuse_unfit(points[None], [look_at(photo, points)], where)
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
