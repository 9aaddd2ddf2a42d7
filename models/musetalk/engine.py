"""The MuseTalk engine: `LipSyncEngine` on one GPU, or on the CPU where speed does not matter.

Owns the order of the steps: windows -> voices -> encoder -> tokens; tokens and the base pictures' latents -> UNet ->
VAE -> faces; a face and a base picture -> picture. Also what happens when a face is unusable or memory runs out.

On a GPU the picture is made there, too, for the base that the frame will most likely be shown on; where another one is
shown in the end, or the mouth is fading, `paint` makes it on the CPU from the face.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import ModelError
from models.interface import BaseFrame, Mouth, Picture, SpeechFrame
from models.musetalk.audio_features import LOOK_AHEAD_SAMPLES, SAMPLE_RATE_HZ, LogMel
from models.musetalk.compositing import PictureStore, compose
from models.musetalk.dwpose import DWPose
from models.musetalk.face_parsing import FaceParsingNet, load_face_parsing
from models.musetalk.listening import tokens_of
from models.musetalk.material import AvatarMaterial, FaceTools, avatar_material
from models.musetalk.nets import MuseTalkNets, load_nets
from models.musetalk.voice import PAST_SAMPLES, HeardFrame, MuseTalkVoice
from models.musetalk.weight_files import DWPOSE, FACE_PARSING
from models.prepared_avatar import PreparedAvatar

MAX_BATCH = 32
PICTURE_SHARE = 0.5  # of the memory that is free once the nets are there; the nets' own work needs the rest
_FLAT_LEVELS = 8  # a face whose darkest and brightest value are nearer than this is none

Face = NDArray[np.uint8]  # (256, 256, 3) BGR


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedMouth:
    """`face`: (256, 256, 3) uint8 BGR, or None where the base picture is to be shown. `weight`: 0..1 of it is seen.

    `picture`: the face with this weight on the base picture `shown_on` (avatar's name, base), where it is made already.
    """

    face: Face | None
    weight: float
    picture: Picture | None = None
    shown_on: tuple[str, BaseFrame] | None = None


_UNTOUCHED = GeneratedMouth(None, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _LoadedAvatar:
    """`latents`: (U, 8, 32, 32) on the nets' device, in their precision; rows as in the material."""

    source: PreparedAvatar
    material: AvatarMaterial
    latents: torch.Tensor


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
        max_batch: int = MAX_BATCH,
        picture_budget_bytes: int = 0,
    ) -> None:
        """`tools`: what finds faces in the pictures of an avatar that has no material yet; by default its landmarks.

        `picture_budget_bytes`: device memory for base pictures; without any, all pictures are made on the CPU.
        """
        self.max_batch = max_batch
        self.fallback_frames = 0
        self._nets = nets
        self._tools = tools or FaceTools()
        self._analysis = LogMel()
        self._avatars: dict[str, _LoadedAvatar] = {}
        self._pictures = PictureStore(picture_budget_bytes, nets.device)
        self._loading = threading.Lock()

    @classmethod
    def load(cls, model_path: Path, device: str, dtype: torch.dtype) -> "MuseTalkEngine":
        """The engine with the weights of a folder. Raises `ModelError` naming the file that is missing or wrong."""
        nets, tools = load_nets(model_path, device, dtype), load_tools(model_path, device)
        budget = 0
        if nets.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(nets.device)
            budget = int(free * PICTURE_SHARE)
        return cls(nets, tools, picture_budget_bytes=budget)

    def new_voice(self) -> MuseTalkVoice:
        """Nothing heard yet."""
        return MuseTalkVoice(self._analysis)

    def load_avatar(self, avatar: PreparedAvatar) -> None:
        """Read or make the avatar's material and put its latents on the device. Again is free. Raises `ModelError`."""
        with self._loading:
            loaded = self._avatars.get(avatar.name)
            if loaded is None or loaded.source is not avatar:
                try:
                    material = avatar_material(avatar, self._nets, self._tools)
                except ModelError as error:
                    raise ModelError(f"avatar {avatar.name!r}: {error}") from None
                latents = torch.from_numpy(material.latents).to(self._nets.device, self._nets.dtype)
                self._pictures.remove(avatar.name)  # another one of this name has other rows
                self._avatars[avatar.name] = _LoadedAvatar(avatar, material, latents)
                self._pictures.add(avatar, material)

    def unload_avatar(self, name: str) -> None:
        """Forget an avatar; unknown names are fine."""
        with self._loading:
            self._avatars.pop(name, None)
            self._pictures.remove(name)

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """One mouth per frame, in order; frames in silence cost nothing. Raises `ModelError`."""
        heard = [_voice_of(frame).hear(frame) for frame in frames]
        speaking = [position for position, sound in enumerate(heard) if sound.weight > 0]
        mouths = [_UNTOUCHED] * len(frames)
        made = self._mouths([frames[position] for position in speaking], [heard[position] for position in speaking])
        for position, mouth in zip(speaking, made, strict=True):
            mouths[position] = mouth
        return list(mouths)

    def paint(self, mouth: Mouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """The base picture with the face on it; weight 0 or a mouth in silence give an exact copy.

        Raises `ModelError` where the avatar is not loaded or has no such base picture.
        """
        if not isinstance(mouth, GeneratedMouth):
            raise ModelError(f"the musetalk engine cannot paint a {type(mouth).__name__}")
        if mouth.picture is not None and weight >= 1 and mouth.shown_on == (avatar.name, base):
            return np.array(mouth.picture)
        material = self._loaded(avatar).material
        mask = material.masks[_row(material, avatar, base)]
        picture = np.array(avatar.videos[base.video].pictures[base.index])
        if mouth.face is not None:
            mask.paint(mouth.face, picture, mouth.weight * weight)
        return picture

    def describe(self) -> dict[str, Any]:
        """Name, device and figures."""
        return {
            "name": self.name,
            "device": str(self._nets.device),
            "precision": str(self._nets.dtype).removeprefix("torch."),
            "look_ahead_ms": self.future_samples * 1000 / SAMPLE_RATE_HZ,
            "max_batch": self.max_batch,
            "picture_bytes": self._pictures.size_bytes,
            "fallback_frames": self.fallback_frames,
            "preparation": self._tools.describe(),
            "avatars": sorted(self._avatars),
        }

    def _mouths(self, frames: Sequence[SpeechFrame], heard: Sequence[HeardFrame]) -> list[GeneratedMouth]:
        """The generated mouths, `max_batch` at a time; out of memory halves that and goes on."""
        mouths: list[GeneratedMouth] = []
        while len(mouths) < len(frames):
            part = slice(len(mouths), len(mouths) + self.max_batch)
            try:
                mouths += self._batch(frames[part], heard[part])
            except torch.OutOfMemoryError as error:
                if self.max_batch == 1:
                    raise ModelError(f"not enough memory for one frame: {error}") from error
                self.max_batch //= 2
                if self._nets.device.type == "cuda":
                    torch.cuda.empty_cache()
        return mouths

    def _batch(self, frames: Sequence[SpeechFrame], heard: Sequence[HeardFrame]) -> list[GeneratedMouth]:
        avatars = [self._loaded(frame.avatar) for frame in frames]
        rows = [_row(loaded.material, loaded.source, f.base) for loaded, f in zip(avatars, frames, strict=True)]
        cached = [loaded.latents[row] for loaded, row in zip(avatars, rows, strict=True)]  # (8, 32, 32) each
        with torch.inference_mode():
            tokens = self._nets.add_positions(tokens_of(self._nets, heard))  # (B, 50, 384)
            predicted = self._nets.predict_latents(tokens, torch.stack(cached))  # (B, 4, 32, 32)
            pictures = self._nets.decode(predicted)  # (B, 256, 256, 3) uint8 BGR
            flat = pictures.flatten(1)  # (B, 196608)
            drawn = predicted.isfinite().flatten(1).all(dim=1) & (flat.amax(1) - flat.amin(1) >= _FLAT_LEVELS)  # (B,)
            composed = self._composed(pictures, frames, rows, [sound.weight for sound in heard])
        faces, usable = _to_host(pictures), drawn.tolist()
        self.fallback_frames += usable.count(False)
        mouths = []
        for position, frame in enumerate(frames):
            shown_on, picture = (frame.avatar.name, frame.base), composed.get(position)
            mouth = GeneratedMouth(faces[position], heard[position].weight, picture, shown_on)
            mouths.append(mouth if usable[position] else _UNTOUCHED)
        return mouths

    def _composed(
        self, faces: torch.Tensor, frames: Sequence[SpeechFrame], rows: Sequence[int], weights: Sequence[float]
    ) -> dict[int, Picture]:
        """The finished pictures of the frames whose avatars are on the device, by their place in the batch."""
        found = self._pictures.of_batch([frame.avatar.name for frame in frames])
        here = [(position, resident) for position, resident in enumerate(found) if resident is not None]
        if not here:
            return {}
        places = [position for position, _ in here]
        composed = compose(
            faces[places],
            torch.stack([resident.boxes[rows[position]] for position, resident in here]),  # (C, 4)
            torch.stack([resident.masks[rows[position]] for position, resident in here]),  # (C, 512, 512)
            torch.stack([resident.pictures[rows[position]] for position, resident in here]),  # (C, 768, 512)
            torch.tensor([weights[position] for position in places], device=faces.device),  # (C,)
        )
        return dict(zip(places, _to_host(composed), strict=True))

    def _loaded(self, avatar: PreparedAvatar) -> _LoadedAvatar:
        loaded = self._avatars.get(avatar.name)
        if loaded is None:
            raise ModelError(f"avatar {avatar.name!r} is not loaded")
        return loaded


def _row(material: AvatarMaterial, avatar: PreparedAvatar, base: BaseFrame) -> int:
    try:
        return material.row(base)
    except ModelError as error:
        raise ModelError(f"avatar {avatar.name!r}: {error}") from None


def _to_host(pictures: torch.Tensor) -> NDArray[np.uint8]:
    """The pictures in host memory; from a GPU in pinned memory, which torch uses again once they are gone."""
    if pictures.device.type == "cpu":
        return pictures.numpy()
    on_host = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
    on_host.copy_(pictures, non_blocking=True)
    torch.cuda.current_stream(pictures.device).synchronize()
    return on_host.numpy()


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
