"""Times what the engine does, stage by stage and whole, beside the reference's way with the same tokens and latents."""

import time
from pathlib import Path

import numpy as np
import torch

from models.interface import BaseFrame, SpeechFrame
from models.musetalk.bucket_runner import BucketRunner, CudaGraphs, Recorder, Step
from models.musetalk.compositing import Placement, place
from models.musetalk.engine import MuseTalkEngine, load_tools
from models.musetalk.listening import tokens_of
from models.musetalk.material import avatar_material
from models.musetalk.nets import VaeDecoder
from models.musetalk.picture_store import RowKey, RowSource
from models.musetalk.renderer import FrameToDraw
from models.musetalk.voice import MuseTalkVoice
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import PreparedAvatar, load_avatar
from ws_service.engine_bench.device_clock import DeviceClock
from ws_service.engine_bench.failure import BenchError
from ws_service.engine_bench.figures import Arithmetic, BucketFigures, Card, StartFigures
from ws_service.engine_bench.reference_way import ReferenceFrame, ReferenceWay, blend
from ws_service.generation.capacity import NoiseSource

AUDIO, UNET, DECODER, BLEND, COPY = "audio encoder", "UNet", "VAE decoder", "blend and YUV", "copy to the host"

_VIDEO = "speaking_0"
_NOT_THE_ENGINES = -1  # number of our own loading of the avatar, among the engine's
_CPU_PICTURE_BYTES = 2**28  # so that a CPU finishes pictures in the same way as a GPU


def measure_start(
    model_path: Path, device: torch.device, dtype: torch.dtype, decoder: VaeDecoder, avatar_folder: Path
) -> tuple[MuseTalkEngine, StartFigures]:
    """Load the engine and the avatar, draw the first frame. Raises `ModelError`."""
    free_before_bytes = _free_bytes(device)
    began_s = time.perf_counter()
    engine = MuseTalkEngine.load(model_path, str(device), dtype, vae_decoder=decoder)
    load_s = time.perf_counter() - began_s
    if device.type == "cpu":
        engine.renderer.pictures.budget_bytes = _CPU_PICTURE_BYTES
    avatar = load_avatar(avatar_folder)
    first_s, again_s = (_load_avatar_s(engine, avatar) for _ in range(2))
    frames = NoiseSource(engine, avatar).frames(1)
    began_s = time.perf_counter()
    engine.generate(frames)
    first_frame_ms = (time.perf_counter() - began_s) * 1000
    start = StartFigures(
        decoder=decoder,
        load_s=load_s,
        avatar_first_s=first_s,
        avatar_again_s=again_s,
        first_frame_ms=first_frame_ms,
        vram_bytes=free_before_bytes - _free_bytes(device),
        layers=engine.renderer.nets.layers,
        graph_batches=list(engine.renderer.graph_buckets),
        graphs_problem=engine.renderer.graphs_problem,
    )
    return engine, start


class StageTimes:
    """One engine, measured batch size by batch size."""

    def __init__(
        self, engine: MuseTalkEngine, reference: ReferenceWay, avatar: PreparedAvatar, model_path: Path
    ) -> None:
        self._engine = engine
        self._renderer = engine.renderer
        self._reference = reference
        self._avatar = avatar
        engine.load_avatar(avatar)
        nets = engine.renderer.nets
        self._material = avatar_material(avatar, nets, load_tools(model_path, str(nets.device)))
        self._noise = NoiseSource(engine, avatar)

    def bucket(
        self, batch: int, clock: DeviceClock, arithmetic: Arithmetic | None = None, card: Card | None = None
    ) -> BucketFigures:
        """All figures of one batch size. Raises `BenchError` where the engine has shrunk below it."""
        if batch > self._engine.max_batch:
            raise BenchError(f"not enough memory: the engine makes at most {self._engine.max_batch} frames at once")
        reference, renderer, noise = self._reference, self._renderer, self._noise
        frames = [self._frame(number) for number in range(batch)]
        theirs = [self._reference_frame(frame) for frame in frames]
        latents = torch.from_numpy(np.stack([self._material.latents[frame.key.row] for frame in frames]))
        latents = latents.to(renderer.device, renderer.dtype)  # (B, 8, 32, 32)
        tokens = torch.randn(batch, 50, 384, device=renderer.device).to(renderer.dtype)
        faces = reference.faces(tokens, latents)
        stages_ms = self._stages_ms(clock, tokens, latents, frames)
        path_ms, reference_ms, blend_ms, generate_ms = clock.medians_ms(
            lambda: renderer.render(tokens, frames),
            lambda: reference.pictures(tokens, latents, theirs),
            lambda: [blend(face, frame) for face, frame in zip(faces, theirs, strict=True)],
            lambda: self._engine.generate(noise.frames(batch)),
        )
        decoder = renderer.nets.vae_decoder
        gflop = arithmetic.frame_gflop(decoder) * batch if arithmetic else 0.0
        return BucketFigures(
            decoder=decoder,
            batch=batch,
            stages_ms=stages_ms,
            path_ms=path_ms,
            reference_ms=reference_ms,
            reference_blend_ms=blend_ms,
            generate_ms=generate_ms,
            peak_share=gflop / path_ms / card.peak_tflops if card else 0.0,
        )

    def _stages_ms(
        self, clock: DeviceClock, tokens: torch.Tensor, latents: torch.Tensor, frames: list[FrameToDraw]
    ) -> dict[str, float]:
        """Each stage with what the one before it made; UNet and decoder as graphs where the engine's are."""
        renderer, nets = self._renderer, self._renderer.nets
        heard = [_voice(frame).hear(frame) for frame in self._noise.frames(len(frames))]
        graphs = CudaGraphs(renderer.device) if len(frames) in renderer.graph_buckets else None
        with torch.inference_mode(), renderer.on_stream():
            unet = _runner(
                lambda tokens, latents: (nets.predict_latents(nets.add_positions(tokens), latents),),
                graphs,
                tokens,
                latents,
            )
            predicted = unet.run(tokens, latents)[0].clone()  # (B, 4, 32, 32)
            decoder = _runner(lambda latents: (nets.decode(latents).contiguous(),), graphs, predicted)
            drawn, usable = (output.clone() for output in renderer.draw(tokens, latents))
            residents = [row for row in renderer.pictures.of_batch([(f.key, f.source) for f in frames]) if row]
            if len(residents) < len(frames):
                raise BenchError("not enough memory for the base pictures of one batch")
            placements = place([frame.placement for frame in frames], renderer.device)
            composed = renderer.compose(drawn, residents, placements)
            times_ms = clock.medians_ms(
                lambda: tokens_of(renderer, heard),
                lambda: unet.run(tokens, latents),
                lambda: decoder.run(predicted),
                lambda: renderer.compose(drawn, residents, placements),
                lambda: ([face.clone() for face in drawn], renderer.to_host(usable, composed)),  # faces stay there
            )
        return dict(zip((AUDIO, UNET, DECODER, BLEND, COPY), times_ms, strict=True))

    def _frame(self, number: int) -> FrameToDraw:
        base = BaseFrame(_VIDEO, number % len(self._avatar.videos[_VIDEO].pictures))
        row = self._material.row(base)
        mask = self._material.masks[row]
        source = RowSource(self._avatar, self._material, base)
        return FrameToDraw(RowKey(_NOT_THE_ENGINES, row), source, Placement(mask.box, mask.area, 1.0))

    def _reference_frame(self, frame: FrameToDraw) -> ReferenceFrame:
        base = frame.source.base
        picture = np.ascontiguousarray(self._avatar.videos[base.video].pictures[base.index])
        return ReferenceFrame.of(i420_to_bgr(picture), self._material.masks[frame.key.row])


def _runner(step: Step, recorder: Recorder | None, *inputs: torch.Tensor) -> BucketRunner:
    """Runs the step in batches of this size, as a graph where there is a recorder."""
    rows = [(tuple(given.shape[1:]), given.dtype) for given in inputs]
    runner = BucketRunner(step, rows, inputs[0].device)
    if recorder is not None:
        runner.record(len(inputs[0]), recorder)
    return runner


def _voice(frame: SpeechFrame) -> MuseTalkVoice:
    assert isinstance(frame.voice, MuseTalkVoice)
    return frame.voice


def _load_avatar_s(engine: MuseTalkEngine, avatar: PreparedAvatar) -> float:
    engine.unload_avatar(avatar)
    began_s = time.perf_counter()
    engine.load_avatar(avatar)
    return time.perf_counter() - began_s


def _free_bytes(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0
