"""The MuseTalk engine: `LipSyncEngine` on one GPU, or on the CPU where speed does not matter.

Owns the order of the steps: windows -> voices -> encoder -> tokens; tokens and base pictures' latents -> faces; a face
and a base picture -> picture. Also what happens when a face is unusable, memory runs out or the device is lost.

On a GPU the picture is made there, too, for the base that the frame will most likely be shown on; where another one is
shown in the end, or the mouth is fading, `paint` fetches the face and makes it on the CPU. The work on the device is
the `renderer`'s.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import ModelError
from models.interface import BaseFrame, Mouth, Picture, SpeechFrame
from models.musetalk.audio_features import LOOK_AHEAD_SAMPLES, SAMPLE_RATE_HZ, LogMel
from models.musetalk.bucket_runner import BUCKETS
from models.musetalk.compositing import Placement
from models.musetalk.dwpose import DWPose
from models.musetalk.face_parsing import FaceParsingNet, load_face_parsing
from models.musetalk.listening import tokens_of
from models.musetalk.material import AvatarMaterial, FaceTools, avatar_material, saved_material
from models.musetalk.nets import MuseTalkNets, VaeDecoder, load_nets
from models.musetalk.picture_store import RowKey, RowSource
from models.musetalk.renderer import Face, FrameToDraw, Renderer
from models.musetalk.voice import PAST_SAMPLES, HeardFrame, MuseTalkVoice
from models.musetalk.weight_files import DWPOSE, FACE_PARSING
from models.prepared_avatar import PreparedAvatar


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedMouth:
    """`face`: (256, 256, 3) uint8 BGR, or None where the base picture is to be shown. `weight`: 0..1 of it is seen.

    `picture`: the face with this weight on the base picture `shown_on` (avatar, base), where it is made already;
    the face is still on the device then.
    """

    face: Face | torch.Tensor | None
    weight: float
    picture: Picture | None = None
    shown_on: tuple[PreparedAvatar, BaseFrame] | None = None


_UNTOUCHED = GeneratedMouth(None, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _LoadedAvatar:
    """`number`: of this loading, for the pictures on the device."""

    number: int
    material: AvatarMaterial


class MuseTalkEngine:
    """Generated faces, blended into the base pictures.

    A voice is a `MuseTalkVoice`, a mouth a `GeneratedMouth`. `generate` belongs to the engine's thread; everything else
    may be called from any thread.
    """

    name = "musetalk"
    past_samples = PAST_SAMPLES
    future_samples = LOOK_AHEAD_SAMPLES
    whole_utterances = True

    def __init__(
        self,
        nets: MuseTalkNets,
        tools: FaceTools | None = None,
        *,
        max_batch: int = BUCKETS[-1],
        picture_budget_bytes: int = 0,
    ) -> None:
        """`tools`: what finds faces in the pictures of an avatar that has no material yet; by default its landmarks.

        `picture_budget_bytes`: device memory for base pictures; without any, all pictures are made on the CPU.
        """
        self.max_batch = max_batch  # shrinks where memory runs out
        self.fallback_frames = 0
        self.renderer = Renderer(nets, max_batch=max_batch, picture_budget_bytes=picture_budget_bytes)
        self._nets = nets
        self._tools = tools or FaceTools()
        self._analysis = LogMel()
        self._avatars: dict[PreparedAvatar, _LoadedAvatar] = {}
        self._numbers = count()
        self._loading = threading.Lock()
        self._making = threading.Lock()  # one avatar's material at a time is as fast, and takes less memory

    @classmethod
    def load(
        cls, model_path: Path, device: str, dtype: torch.dtype, *, vae_decoder: VaeDecoder = "full"
    ) -> "MuseTalkEngine":
        """The engine with the weights of a folder, ready at full speed.

        On a GPU this records its CUDA graphs and measures the memory that is left for pictures; any thread may do that,
        graphs belong to none. Raises `ModelError` naming the file that is missing or wrong.
        """
        nets = load_nets(model_path, device, dtype, vae_decoder=vae_decoder)
        engine = cls(nets, load_tools(model_path, device))
        engine.renderer.warm_up()
        engine.max_batch = engine.renderer.max_batch
        return engine

    def new_voice(self) -> MuseTalkVoice:
        """Nothing heard yet."""
        return MuseTalkVoice(self._analysis)

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        """Read or make the avatar's material and put its latents on the device. Again is free. Raises `ModelError`.

        Returns the material's bytes in main memory. Who only reads waits for nobody.
        """
        if (loaded := self._avatars.get(avatar)) is not None:
            return loaded.material.size_bytes
        try:
            material = saved_material(avatar, self._nets, self._tools)
            if material is None:
                with self._making:
                    material = avatar_material(avatar, self._nets, self._tools)
        except ModelError as error:
            raise ModelError(f"avatar {avatar.name!r}: {error}") from None
        except RuntimeError as error:
            self.renderer.raise_if_lost(error)
            raise
        with self._loading:
            if (loaded := self._avatars.get(avatar)) is None:
                loaded = self._avatars[avatar] = _LoadedAvatar(next(self._numbers), material)
        self.renderer.pictures.upload_ahead(loaded.number, avatar, loaded.material)
        return loaded.material.size_bytes

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        """Forget an avatar; unknown ones are fine."""
        with self._loading:
            loaded = self._avatars.pop(avatar, None)
        if loaded is not None:
            self.renderer.pictures.remove(loaded.number)

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """One mouth per frame, in order; frames in silence cost nothing.

        A frame whose avatar was unloaded meanwhile gets an untouched mouth, so that the others' speech is not lost.
        Raises `ModelError`, and of these `EngineLost` where the device does nothing any more.
        """
        for frame in frames:
            _voice_of(frame).check(frame)  # before any is heard: none can be heard again
        heard = [_voice_of(frame).hear(frame) for frame in frames]
        to_draw = self._to_draw(frames, heard)
        mouths = [_UNTOUCHED] * len(frames)
        try:
            made = self._mouths(list(to_draw.values()), [heard[position] for position in to_draw])
        except RuntimeError as error:  # torch's, CUDA's among them; a ModelError is none
            self.renderer.raise_if_lost(error)
            raise
        for position, mouth in zip(to_draw, made, strict=True):
            mouths[position] = mouth
        return list(mouths)

    def paint(self, mouth: Mouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """The base picture with the face on it; weight 0 or a mouth in silence give an exact copy.

        Raises `ModelError` where the avatar is not loaded, has no such base picture, or the face cannot be fetched.
        """
        if not isinstance(mouth, GeneratedMouth):
            raise ModelError(f"the musetalk engine cannot paint a {type(mouth).__name__}")
        if mouth.picture is not None and weight >= 1 and mouth.shown_on == (avatar, base):
            return np.array(mouth.picture)
        material = self._loaded(avatar).material
        mask = material.masks[_row(material, avatar, base)]
        picture = np.array(avatar.videos[base.video].pictures[base.index])
        seen = mouth.weight * weight
        if mouth.face is not None and seen > 0:
            mask.paint(self.renderer.face_on_host(mouth.face), picture, seen)
        return picture

    def describe(self) -> dict[str, Any]:
        """Name, device and figures."""
        return {
            "name": self.name,
            "device": str(self._nets.device),
            "precision": str(self._nets.dtype).removeprefix("torch."),
            "look_ahead_ms": self.future_samples * 1000 / SAMPLE_RATE_HZ,
            "vae_decoder": self._nets.vae_decoder,
            "layers": self._nets.layers,
            "max_batch": self.max_batch,
            "graph_buckets": list(self.renderer.graph_buckets),
            "picture_bytes": self.renderer.pictures.size_bytes,
            "picture_budget_bytes": self.renderer.pictures.budget_bytes,
            "picture_uploads": self.renderer.pictures.uploads,
            "fallback_frames": self.fallback_frames,
            "preparation": self._tools.describe(),
            "avatars": sorted(avatar.name for avatar in list(self._avatars)),
        }

    def _mouths(self, frames: Sequence[FrameToDraw], heard: Sequence[HeardFrame]) -> list[GeneratedMouth]:
        """The generated mouths, `max_batch` at a time; out of memory takes pictures, then halves that, and goes on."""
        mouths: list[GeneratedMouth] = []
        again = False
        while len(mouths) < len(frames):
            part, full = slice(len(mouths), len(mouths) + self.max_batch), None
            try:
                mouths += self._batch(frames[part], heard[part])
            except torch.OutOfMemoryError as error:
                full = str(error)
            if full is not None:
                self.renderer.save_memory(full, again=again)
                self.max_batch, again = self.renderer.max_batch, True
        return mouths

    def _batch(self, frames: Sequence[FrameToDraw], heard: Sequence[HeardFrame]) -> list[GeneratedMouth]:
        with torch.inference_mode(), self.renderer.on_stream():
            tokens = tokens_of(self.renderer, heard)  # (B, 50, 384)
        drawn = self.renderer.render(tokens, frames)
        mouths = []
        for frame, sound, result in zip(frames, heard, drawn, strict=True):
            if result.usable:
                shown_on = (frame.source.avatar, frame.source.base)
                mouths.append(GeneratedMouth(result.face, sound.weight, result.picture, shown_on))
            else:
                self.fallback_frames += 1
                mouths.append(_UNTOUCHED)
        return mouths

    def _to_draw(self, frames: Sequence[SpeechFrame], heard: Sequence[HeardFrame]) -> dict[int, FrameToDraw]:
        """What is to be drawn, by its position: neither frames in silence nor those whose base picture is gone."""
        to_draw: dict[int, FrameToDraw] = {}
        for position, (frame, sound) in enumerate(zip(frames, heard, strict=True)):
            if sound.weight <= 0:
                continue
            try:
                loaded = self._loaded(frame.avatar)
                row = _row(loaded.material, frame.avatar, frame.base)
            except ModelError:  # `paint` says so, to the one session that still asks
                self.fallback_frames += 1
                continue
            mask, source = loaded.material.masks[row], RowSource(frame.avatar, loaded.material, frame.base)
            placement = Placement(mask.box, mask.area, sound.weight)
            to_draw[position] = FrameToDraw(RowKey(loaded.number, row), source, placement)
        return to_draw

    def _loaded(self, avatar: PreparedAvatar) -> _LoadedAvatar:
        loaded = self._avatars.get(avatar)
        if loaded is None:
            raise ModelError(f"avatar {avatar.name!r} is not loaded")
        return loaded


def _row(material: AvatarMaterial, avatar: PreparedAvatar, base: BaseFrame) -> int:
    try:
        return material.row(base)
    except ModelError as error:
        raise ModelError(f"avatar {avatar.name!r}: {error}") from None


def load_tools(model_path: Path, device: str) -> FaceTools:
    """Face parsing and DWPose where their files are there. Raises `ModelError` where a file is there but wrong."""
    parsing = load_face_parsing(model_path, device) if FACE_PARSING.find(model_path) else None
    dwpose_file = DWPOSE.find(model_path)
    return FaceTools(
        labels=None if parsing is None else partial(_labels, parsing),
        points=None if dwpose_file is None else DWPose(dwpose_file).face_points,
    )


def _labels(net: FaceParsingNet, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(512, 512, 3) RGB -> (512, 512) labels."""
    return net.labels(torch.from_numpy(rgb.copy())[None])[0].cpu().numpy()


def _voice_of(frame: SpeechFrame) -> MuseTalkVoice:
    if not isinstance(frame.voice, MuseTalkVoice):
        raise ModelError(f"a {type(frame.voice).__name__} is no voice of the musetalk engine")
    return frame.voice
