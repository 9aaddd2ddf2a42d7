"""The light engine: `LipSyncEngine` on a laptop's CPU, with weights and mouth painting of its own.

Owns the loaded avatars' geometry and the order of the steps: windows -> network -> smoothing -> parameters, then
parameters -> picture. The network, the smoothing and the painting are its neighbours' business.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    source: PreparedAvatar
    renderer: MouthRenderer
    faces: Mapping[str, tuple[FaceGeometry, ...]]  # by video, one for each picture


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
        self._avatars: dict[str, _LoadedAvatar] = {}
        self._loading = threading.Lock()

    def new_voice(self) -> LightVoice:
        """Nothing heard yet, the mouth closed."""
        return LightVoice()

    def load_avatar(self, avatar: PreparedAvatar) -> None:
        """Measure the faces of all the avatar's base pictures; under half a millisecond each. Again is free.

        Raises `ModelError` naming the avatar where it has no pictures or its mouth material is not whole.
        """
        with self._loading:
            loaded = self._avatars.get(avatar.name)
            if loaded is None or loaded.source is not avatar:
                self._avatars[avatar.name] = self._load(avatar)

    def unload_avatar(self, name: str) -> None:
        """Forget an avatar; unknown names are fine."""
        with self._loading:
            self._avatars.pop(name, None)

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
        loaded = self._avatars.get(avatar.name)
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
            "avatars": sorted(self._avatars),
        }

    def _load(self, avatar: PreparedAvatar) -> _LoadedAvatar:
        inset = avatar.material.get("lip_inset")
        if inset is None:
            raise ModelError(f"avatar {avatar.name!r} has no mouth material: prepare it again")
        faces = {
            name: measure_video(video.landmarks, inset.astype(np.float32)) for name, video in avatar.videos.items()
        }
        widths = [face.face_width for video in faces.values() for face in video]
        if not widths:
            raise ModelError(f"avatar {avatar.name!r} has no pictures")
        try:
            renderer = MouthRenderer(avatar.material, float(np.median(widths)), self._scratch)
        except ModelError as error:
            raise ModelError(f"avatar {avatar.name!r}: {error}; prepare it again") from None
        return _LoadedAvatar(avatar, renderer, faces)


def _voice_of(frame: SpeechFrame) -> LightVoice:
    if not isinstance(frame.voice, LightVoice):
        raise ModelError(f"a {type(frame.voice).__name__} is no voice of the light engine")
    return frame.voice
