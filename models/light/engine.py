"""The light engine: `LipSyncEngine` on a laptop's CPU, with weights and mouth painting of its own.

Owns the loaded avatars' geometry and the order of the steps: windows -> network -> smoothing -> parameters, then
parameters -> picture. The network, the smoothing and the painting are its neighbours' business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.interface import BaseFrame, Mouth, Picture, SpeechFrame
from models.light.face_geometry import FaceGeometry, face_widths, measure_face
from models.light.mouth_net import MouthNet
from models.light.mouth_parameters import MouthFilter, MouthParameters
from models.light.renderer import MouthRenderer
from models.light.scratch import Scratch
from models.light.streaming import Memory, StreamingNet
from models.prepared_avatar import PreparedAvatar

_MAX_BATCH = 32  # about 10 ms; larger batches cost no less per frame and make the first ones wait


class LightVoice:
    """One utterance: what the network remembers of it, and the movement of its mouth. Starts closed."""

    __slots__ = ("filter", "memory")

    def __init__(self) -> None:
        self.memory = Memory()
        self.filter = MouthFilter()


class _Faces:
    """The faces of a base video, each measured when it is first painted on: all at once would hold up the streams.

    `landmarks`: (N, 468, 2). Any thread: two that measure the same face come to the same.
    """

    def __init__(self, landmarks: NDArray[np.float32], lip_inset: NDArray[np.float32]) -> None:
        self._landmarks, self._lip_inset = landmarks, lip_inset
        self._measured: list[FaceGeometry | None] = [None] * len(landmarks)

    def __getitem__(self, index: int) -> FaceGeometry:
        face = self._measured[index]
        if face is None:
            face = self._measured[index] = measure_face(self._landmarks[index], self._lip_inset)
        return face


@dataclass(frozen=True, slots=True)
class _LoadedAvatar:
    """What painting on one avatar needs, beside its pictures."""

    renderer: MouthRenderer
    faces: Mapping[str, _Faces]  # by video
    size_bytes: int  # once all faces are measured


class LightEngine:
    """Six mouth parameters from sound, and a warp of the base picture from them.

    A voice is a `LightVoice`, a mouth is a `MouthParameters`. `generate` belongs to the engine's thread; everything
    else may be called from any thread.
    """

    name = "light"
    whole_utterances = False

    def __init__(self, net: MouthNet | None = None) -> None:
        """`net`: loaded from the package's own weights unless given. Raises `ModelError`."""
        net = net or MouthNet.load()
        self.past_samples = net.past_samples
        self.future_samples = net.future_samples
        self._net = StreamingNet(net)
        self.max_batch = _MAX_BATCH
        self._scratch = Scratch()
        self._avatars: dict[PreparedAvatar, _LoadedAvatar] = {}

    def new_voice(self) -> LightVoice:
        """Nothing heard yet, the mouth closed."""
        return LightVoice()

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        """Make the renderer; faces are measured when they are first painted on, in a fifth of a millisecond each.

        Returns the bytes that this takes. Raises `ModelError` naming the avatar where it has no pictures or its mouth
        material is not whole.
        """
        loaded = self._avatars.get(avatar)
        if loaded is None:
            loaded = self._avatars[avatar] = _load(avatar, self._scratch)
        return loaded.size_bytes

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        """Forget an avatar; unknown ones are fine."""
        self._avatars.pop(avatar, None)

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """One mouth per frame, in order; one forward pass for all of them."""
        if not frames:
            return []
        voices = [_voice_of(frame) for frame in frames]
        estimates = self._net.estimates([frame.window for frame in frames], [voice.memory for voice in voices])
        moved = (voice.filter.step(estimate) for voice, estimate in zip(voices, estimates, strict=True))
        return [MouthParameters(*mouth.tolist()) for mouth in moved]

    def paint(self, mouth: Mouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """The base picture with the mouth on it; weight 0 or a mouth at rest give an exact copy.

        Raises `ModelError` where the avatar is not loaded or has no such base picture.
        """
        if not isinstance(mouth, MouthParameters):
            raise ModelError(f"the light engine cannot paint a {type(mouth).__name__}")
        loaded = self._avatars.get(avatar)
        if loaded is None:
            raise ModelError(f"avatar {avatar.name!r} is not loaded")
        try:
            face = loaded.faces[base.video][base.index]
            picture = avatar.videos[base.video].pictures[base.index]
        except (KeyError, IndexError):
            raise ModelError(f"avatar {avatar.name!r} has no picture {base.video}[{base.index}]") from None
        weakened = MouthParameters(*(weight * value for value in mouth))
        return loaded.renderer.paint(weakened, picture, face)

    def describe(self) -> dict[str, Any]:
        """Name, device and figures."""
        return {
            "name": self.name,
            "device": "cpu",
            "look_ahead_ms": self.future_samples / 16,
            "max_batch": self.max_batch,
            "avatars": sorted(avatar.name for avatar in list(self._avatars)),
        }


def _load(avatar: PreparedAvatar, scratch: Scratch) -> _LoadedAvatar:
    widths = [width for video in avatar.videos.values() for width in face_widths(video.landmarks)]
    if not widths:
        raise ModelError(f"avatar {avatar.name!r} has no pictures")
    if min(widths) < 1:
        raise ModelError(f"avatar {avatar.name!r} has a face without a size: prepare it again")
    try:
        renderer = MouthRenderer(avatar.material, float(np.median(widths)), scratch)
    except ModelError as error:
        raise ModelError(f"avatar {avatar.name!r}: {error}; prepare it again") from None
    lip_inset = np.asarray(avatar.material["lip_inset"], np.float32)
    faces = {name: _Faces(video.landmarks, lip_inset) for name, video in avatar.videos.items()}
    one = next(iter(faces.values()))[0]
    arrays = (getattr(one, field.name) for field in fields(one))
    return _LoadedAvatar(renderer, faces, len(widths) * sum(getattr(array, "nbytes", 0) for array in arrays))


def _voice_of(frame: SpeechFrame) -> LightVoice:
    if not isinstance(frame.voice, LightVoice):
        raise ModelError(f"a {type(frame.voice).__name__} is no voice of the light engine")
    return frame.voice
