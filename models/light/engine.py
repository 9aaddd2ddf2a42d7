"""The light engine: `LipSyncEngine` on a laptop's CPU, with weights and mouth painting of its own.

Owns the loaded avatars' geometry and the order of the steps: windows -> network -> smoothing -> parameters, then
parameters -> picture. The network, the smoothing and the painting are its neighbours' business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from models.errors import ModelError
from models.interface import BaseFrame, Mouth, Picture, SpeechFrame
from models.light.face_geometry import FaceGeometry, measure_video
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


@dataclass(frozen=True, slots=True)
class _LoadedAvatar:
    """What painting on one avatar needs, beside its pictures."""

    renderer: MouthRenderer
    faces: Mapping[str, tuple[FaceGeometry, ...]]  # by video, one for each picture

    @property
    def size_bytes(self) -> int:
        """The faces' arrays; all have the same."""
        one = next(iter(self.faces.values()))[0]
        arrays = (getattr(one, field.name) for field in fields(one))
        return sum(map(len, self.faces.values())) * sum(getattr(array, "nbytes", 0) for array in arrays)


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
        """Measure the faces of all the avatar's base pictures; under half a millisecond each. Again is free.

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
    inset = avatar.material.get("lip_inset")
    if inset is None:
        raise ModelError(f"avatar {avatar.name!r} has no mouth material: prepare it again")
    faces = {name: measure_video(video.landmarks, inset.astype(np.float32)) for name, video in avatar.videos.items()}
    widths = [face.face_width for video in faces.values() for face in video]
    if not widths:
        raise ModelError(f"avatar {avatar.name!r} has no pictures")
    try:
        renderer = MouthRenderer(avatar.material, float(np.median(widths)), scratch)
    except ModelError as error:
        raise ModelError(f"avatar {avatar.name!r}: {error}; prepare it again") from None
    return _LoadedAvatar(renderer, faces)


def _voice_of(frame: SpeechFrame) -> LightVoice:
    if not isinstance(frame.voice, LightVoice):
        raise ModelError(f"a {type(frame.voice).__name__} is no voice of the light engine")
    return frame.voice
