"""Times what the engine does, stage by stage and whole, beside the reference's way with the same tokens and latents."""

import time
from pathlib import Path

import numpy as np
import torch

from models.interface import SpeechFrame
from models.musetalk.compositing import PictureStore, compose
from models.musetalk.engine import MuseTalkEngine
from models.musetalk.listening import tokens_of
from models.musetalk.nets import VaeDecoder
from models.musetalk.voice import MuseTalkVoice
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import PreparedAvatar, load_avatar
from ws_service.engine_bench.arithmetic import Arithmetic
from ws_service.engine_bench.card import Card
from ws_service.engine_bench.device_clock import DeviceClock
from ws_service.engine_bench.failure import BenchError
from ws_service.engine_bench.figures import BucketFigures, StartFigures
from ws_service.engine_bench.reference_way import ReferenceFrame, ReferenceWay, blend
from ws_service.generation.capacity import NoiseSource

AUDIO, UNET, DECODER, BLEND, COPY = "audio encoder", "UNet", "VAE decoder", "blend + YUV", "copy to the host"


def measure_start(
    model_path: Path, device: torch.device, dtype: torch.dtype, decoder: VaeDecoder, avatar_folder: Path
) -> tuple[MuseTalkEngine, StartFigures]:
    """Load the engine and the avatar, draw the first frame. Raises `ModelError`."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    began_s = time.perf_counter()
    more = {} if decoder == "full" else {"vae_decoder": decoder}
    engine = MuseTalkEngine.load(model_path, str(device), dtype, **more)
    load_s = time.perf_counter() - began_s
    first_s, again_s = (_load_avatar_s(engine, avatar_folder) for _ in range(2))
    sessions = NoiseSource(engine, load_avatar(avatar_folder))
    engine.load_avatar(load_avatar(avatar_folder))
    began_s = time.perf_counter()
    engine.generate(sessions.frames(1))
    first_frame_ms = (time.perf_counter() - began_s) * 1000
    vram_bytes = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    return engine, StartFigures(decoder, load_s, first_s, again_s, first_frame_ms, vram_bytes)


def most_vram_bytes(device: torch.device) -> int:
    """The most memory that was in use since the start was measured."""
    return int(torch.cuda.max_memory_reserved(device)) if device.type == "cuda" else 0


class StageTimes:
    """One engine, measured batch size by batch size."""

    def __init__(
        self, engine: MuseTalkEngine, reference: ReferenceWay, avatar: PreparedAvatar, clock: DeviceClock
    ) -> None:
        self._engine = engine
        self._reference = reference
        self._avatar = avatar
        self._clock = clock
        self._nets = engine._nets
        engine.load_avatar(avatar)
        self._material = engine._loaded(avatar).material
        store = PictureStore(2**40, self._nets.device)
        store.add(avatar, self._material)
        self._resident = store.of_batch([avatar.name])[0]
        self._sessions = NoiseSource(engine, avatar)

    def bucket(self, batch: int, arithmetic: Arithmetic | None, card: Card | None) -> BucketFigures:
        """All figures of one batch size."""
        nets, reference = self._nets, self._reference
        rows = [number % len(self._material.masks) for number in range(batch)]
        latents = torch.from_numpy(self._material.latents[rows]).to(nets.device, nets.dtype)  # (B, 8, 32, 32)
        tokens = torch.randn(batch, 50, 384, device=nets.device).to(nets.dtype)
        frames = [self._reference_frame(row) for row in rows]
        faces = reference.faces(tokens, latents)
        heard = [_voice(frame).hear(frame) for frame in self._sessions.frames(batch)]
        placed = nets.add_positions(tokens)
        predicted = nets.predict_latents(placed, latents)
        drawn = nets.decode(predicted)
        composed = self._compose(drawn, rows)
        for _ in range(4):
            self._engine.generate(self._sessions.frames(batch))  # mouths open within three frames
        audio, unet, decoder, blending, copy = self._clock.medians_ms(
            lambda: tokens_of(nets, heard),
            lambda: nets.predict_latents(placed, latents),
            lambda: nets.decode(predicted),
            lambda: self._compose(drawn, rows),
            lambda: composed.cpu(),
        )
        path, theirs, blends, generate = self._clock.medians_ms(
            lambda: self._compose(nets.decode(nets.predict_latents(nets.add_positions(tokens), latents)), rows).cpu(),
            lambda: reference.pictures(tokens, latents, frames),
            lambda: [blend(face, frame) for face, frame in zip(faces, frames, strict=True)],
            lambda: self._engine.generate(self._sessions.frames(batch)),
        )
        gflop = arithmetic.frame_gflop(nets.vae_decoder) if arithmetic else 0.0
        return BucketFigures(
            decoder=nets.vae_decoder,
            batch=batch,
            stages_ms={AUDIO: audio, UNET: unet, DECODER: decoder, BLEND: blending, COPY: copy},
            path_ms=path,
            reference_ms=theirs,
            reference_blend_ms=blends,
            generate_ms=generate,
            peak_share=gflop * batch / path / card.peak_tflops if card else 0.0,
        )

    def _compose(self, faces: torch.Tensor, rows: list[int]) -> torch.Tensor:
        here = self._resident
        assert here is not None
        weights = torch.ones(len(rows), device=faces.device)
        return compose(faces, here.boxes[rows], here.masks[rows], here.pictures[rows], weights)

    def _reference_frame(self, row: int) -> ReferenceFrame:
        for name, rows in self._material.rows.items():
            found = np.flatnonzero(rows == row)
            if found.size:
                picture = self._avatar.videos[name].pictures[found[0]]
                return ReferenceFrame.of(i420_to_bgr(np.ascontiguousarray(picture)), self._material.masks[row])
        raise BenchError(f"the avatar has no picture of row {row}")


def _voice(frame: SpeechFrame) -> MuseTalkVoice:
    assert isinstance(frame.voice, MuseTalkVoice)
    return frame.voice


def _load_avatar_s(engine: MuseTalkEngine, folder: Path) -> float:
    avatar = load_avatar(folder)
    engine.unload_avatar(avatar.name)
    began_s = time.perf_counter()
    engine.load_avatar(avatar)
    return time.perf_counter() - began_s
