"""Tokens and latents in, faces and finished pictures in host memory out, on one device.

Owns the order of the work on the device: its stream, the batches of constant sizes and their graphs, the pictures that
lie in its memory, the copies to the host. The stages may be called one by one. What a batch is made of, and what
becomes of its faces, is the engine's business.

The host's pictures lie in pinned memory, one piece for each, which torch uses again once nobody holds the picture. One
copy is made of every frame: the finished picture (393 kB), or the face alone where no picture could be made here. The
face of a finished picture stays on the device, as long as its mouth lives: `face_on_host` fetches it for `paint` where
another base picture is shown than was expected, or a fading mouth.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import EngineLost, ModelError
from models.interface import PICTURE_SHAPE, Picture
from models.musetalk.bucket_runner import BUCKETS, BucketRunner, CudaGraphs, Recorder
from models.musetalk.compositing import Placement, Placements, compose, place
from models.musetalk.material import PREPARED_AT_ONCE
from models.musetalk.nets import MuseTalkNets
from models.musetalk.picture_store import PictureStore, ResidentRow, RowKey, RowSource

PICTURE_SHARE = 0.9  # of the memory that is left once everything else has been run; the rest is for what is not ours
_PINNED_BATCHES = 3
_FLAT_LEVELS = 8  # a face whose darkest and brightest value are nearer than this is none

Face = NDArray[np.uint8]  # (256, 256, 3) BGR


@dataclass(frozen=True, slots=True)
class FrameToDraw:
    """One frame of a batch: the base picture it is for, where the face goes there and how far it is seen."""

    key: RowKey
    source: RowSource
    placement: Placement


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFrame:
    """`face`: (256, 256, 3) uint8 BGR. `picture`: it on its base, where that could be done on the device.

    With a picture the face is a tensor on the device, for `Renderer.face_on_host`; else it is on the host already.
    `usable`: False where the face is not finite or flat, so that neither is to be shown.
    """

    face: Face | torch.Tensor
    picture: Picture | None
    usable: bool


class Renderer:
    """See the module. One thread at a time; any for `face_on_host`, `device_answers` and `pictures.upload_ahead`."""

    def __init__(self, nets: MuseTalkNets, *, max_batch: int = BUCKETS[-1], picture_budget_bytes: int = 0) -> None:
        """`picture_budget_bytes`: device memory for base pictures; without any, no picture is finished here."""
        self.nets = nets
        self.device, self.dtype = nets.device, nets.dtype
        self.max_batch = max_batch
        self.pictures = PictureStore(picture_budget_bytes, self.device, self.dtype)
        self.graphs_problem: str | None = None  # why batches run without graphs where they should have them
        self._recorder: Recorder | None = None
        self._stream = torch.cuda.Stream(self.device, priority=-1) if self.device.type == "cuda" else None
        # faces are fetched past the batches, and past the preparation of avatars, which is on the default stream
        self._fetching = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        tokens, latents = ((50, 384), self.dtype), ((8, 32, 32), self.dtype)
        # steps of the nets alone: through `self` this would be a cycle, and keep a given-up engine's memory
        self._hearing = BucketRunner(partial(_hear, nets), [((80, 3000), torch.float32)], self.device)
        self._drawing = BucketRunner(partial(_draw, nets), [tokens, latents], self.device)

    @property
    def graph_buckets(self) -> tuple[int, ...]:
        """Sizes of batches whose faces are drawn by a CUDA graph."""
        return self._drawing.recorded

    def on_stream(self) -> AbstractContextManager[None]:
        """All stages of a batch belong inside this; what they return is complete after `to_host` alone."""
        return _on(self._stream)

    def warm_up(self) -> None:
        """Record the graphs, run the largest batch, and give the pictures a share of the memory that is left then.

        Only on a GPU; elsewhere there is nothing to do. Raises `ModelError` where not even one frame fits.
        """
        if self._stream is None:
            return
        torch.cuda.synchronize(self.device)  # the weights came by another stream
        self.record_graphs(CudaGraphs(self.device))
        self._run_largest()
        torch.cuda.synchronize(self.device)
        free, _ = torch.cuda.mem_get_info(self.device)
        self.pictures.budget_bytes = int(free * PICTURE_SHARE)

    def record_graphs(self, recorder: Recorder) -> None:
        """Make all buckets up to `max_batch` run as graphs, the largest first; all of them, or none where one fails.

        Out of memory lowers `max_batch`. Raises `ModelError` where not even one frame fits.
        """
        self._recorder, full = recorder, None
        try:
            for bucket in sorted(BUCKETS, reverse=True):
                if bucket <= self.max_batch:
                    self._drawing.record(bucket, recorder)
                    self._hearing.record(bucket, recorder)
        except torch.OutOfMemoryError as error:
            full = str(error)  # the error itself holds on to the memory
        except Exception as error:  # of CUDA, cuDNN or Triton: what is not recorded still runs
            self.raise_if_lost(error)
            self._recorder, self.graphs_problem = None, _first_line(error)
            self._forget_graphs()
        if full is not None:
            self.halve_batch(full)

    def hidden_states(self, mel: torch.Tensor) -> torch.Tensor:
        """The audio encoder: `(B, 80, 3000)` -> `(B, 1500, 5, 384)`, valid until the next call."""
        first, *others = mel.split(self.max_batch)
        rows = self._hearing.run(first)[0]
        if not others:
            return rows
        return torch.cat([rows.clone(), *(self._hearing.run(part)[0].clone() for part in others)])

    def draw(self, tokens: torch.Tensor, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """UNet and VAE decoder: tokens (B, 50, 384) without positions, latents (B, 8, 32, 32), at most `max_batch`.

        -> faces (B, 256, 256, 3) uint8 BGR, usable (B,) bool; valid until the next call.
        """
        faces, usable = self._drawing.run(tokens, latents)
        return faces, usable

    def latents_of(self, frames: Sequence[FrameToDraw], residents: Sequence[ResidentRow | None]) -> torch.Tensor:
        """(B, 8, 32, 32) of the frames' base pictures, on the device."""
        rows = []
        for frame, resident in zip(frames, residents, strict=True):
            if resident is None:
                material = frame.source.material
                rows.append(torch.from_numpy(material.latents[frame.key.row]).to(self.device, self.dtype))
            else:
                rows.append(resident.latents)
        return torch.stack(rows)

    def compose(self, faces: torch.Tensor, residents: Sequence[ResidentRow], placements: Placements) -> torch.Tensor:
        """Faces (B, 256, 256, 3) on base pictures that are on the device: (B, 768, 512) uint8 I420."""
        masks = torch.stack([resident.mask for resident in residents])  # (B, 512, 512)
        pictures = torch.stack([resident.picture for resident in residents])  # (B, 768, 512)
        return compose(faces, masks, pictures, placements)

    def to_host(self, flags: torch.Tensor, *batches: Iterable[torch.Tensor]) -> tuple[NDArray, list[list[NDArray]]]:
        """Flags (B,) as one array, every row of the batches as one of its own; waits for all work on the stream."""
        if self._stream is None:
            return flags.numpy(), [[row.numpy() for row in batch] for batch in batches]
        hosts = [[_to_pinned(row) for row in batch] for batch in batches]
        host_flags = _to_pinned(flags)
        self._stream.synchronize()
        return host_flags.numpy(), [[row.numpy() for row in host] for host in hosts]

    def render(self, tokens: torch.Tensor, frames: Sequence[FrameToDraw]) -> list[DrawnFrame]:
        """All stages but hearing, for at most `max_batch` frames with their tokens (B, 50, 384)."""
        with torch.inference_mode(), self.on_stream():
            # held until everything is on the host: rows that are given up meanwhile stay where they are
            residents = self.pictures.of_batch([(frame.key, frame.source) for frame in frames])
            here = {position: resident for position, resident in enumerate(residents) if resident is not None}
            elsewhere = [position for position in range(len(frames)) if position not in here]
            placements = place([frames[position].placement for position in here], self.device) if here else None
            index = torch.tensor(list(here), device=self.device) if here and elsewhere else None
            faces, usable = self.draw(tokens, self.latents_of(frames, residents))
            kept = {position: faces[position].clone() for position in here}  # the next batch writes over `faces`
            composed: Iterable[torch.Tensor] = ()
            if placements is not None:
                chosen = faces if index is None else faces[index]
                composed = self.compose(chosen, list(here.values()), placements)
            good, (shown, fetched) = self.to_host(usable, composed, [faces[position] for position in elsewhere])
        pictures = dict(zip(here, shown, strict=True))
        found = kept | dict(zip(elsewhere, fetched, strict=True))
        return [
            DrawnFrame(found[position], pictures.get(position), bool(good[position])) for position in range(len(frames))
        ]

    def face_on_host(self, face: Face | torch.Tensor) -> Face:
        """A face of `render`, (256, 256, 3), in host memory; any thread, and faces of an earlier renderer, too.

        Raises `ModelError` where the device does not give it out. Whether it is lost, the next batch tells.
        """
        if not isinstance(face, torch.Tensor):
            return face
        try:
            # `render` waited until the face was complete, and this waits for the copy: no stream waits for another,
            # and the memory is free for the engine's stream as soon as the face is given up
            with torch.inference_mode(), _on(self._fetching):
                return face.cpu().numpy()
        except RuntimeError as error:
            raise ModelError(f"a face cannot be copied from the device: {_first_line(error)}") from error

    def save_memory(self, reason: str, *, again: bool) -> None:
        """After running out of memory: half of the pictures give way, and `again`, where that was too little, more.

        Raises `ModelError` where one frame does not fit beside no picture at all. To be called once the error is gone:
        its traceback holds on to the memory.
        """
        if self.pictures.size_bytes and not again:
            self.pictures.shrink(self.pictures.size_bytes // 2)
        else:
            self.halve_batch(reason)

    def halve_batch(self, reason: str) -> None:
        """Half of the pictures and of the batch, with new graphs; at one frame no pictures. Else as `save_memory`."""
        self._forget_graphs()
        held_bytes = self.pictures.size_bytes
        if self.max_batch > 1:
            self.pictures.shrink(held_bytes // 2)
            self.max_batch //= 2
        elif held_bytes:
            self.pictures.shrink(0)
        else:
            raise ModelError(f"not enough memory for one frame: {reason}")
        if self._recorder is not None:
            self.record_graphs(self._recorder)

    def _forget_graphs(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()
        for runner in (self._hearing, self._drawing):
            runner.forget()
        if self._stream is not None:
            torch.cuda.empty_cache()

    def raise_if_lost(self, error: Exception) -> None:
        """Raise `EngineLost` where the device does nothing any more since this error."""
        if not self.device_answers():
            raise EngineLost(f"the device {self.device} is lost: {_first_line(error)}") from error

    def device_answers(self) -> bool:
        """Whether the device still computes; after some errors CUDA refuses everything in this process."""
        try:
            return bool((torch.ones(1, device=self.device) + 1).item() == 2)
        except torch.OutOfMemoryError:
            return True
        except RuntimeError:
            return False

    def _run_largest(self) -> None:
        size, halves = self.max_batch, {"device": self.device, "dtype": self.dtype}
        with self.on_stream():
            self.hidden_states(torch.zeros((size, 80, 3000), device=self.device))
            faces, usable = self.draw(torch.zeros((size, 50, 384), **halves), torch.zeros((size, 8, 32, 32), **halves))
            pictures = torch.zeros((size, *PICTURE_SHAPE), dtype=torch.uint8, device=self.device)
            # pinned memory is slow to get: enough for what sessions hold while the next batch is copied
            held = [self.to_host(usable, faces, pictures) for _ in range(_PINNED_BATCHES)]
            del held
        # avatars are prepared beside the speech, by the default stream, which has the lower priority
        self.nets.encode_pictures(torch.zeros((PREPARED_AT_ONCE, 256, 256, 3), dtype=torch.uint8, device=self.device))


def _hear(nets: MuseTalkNets, mel: torch.Tensor) -> tuple[torch.Tensor]:
    return (nets.hidden_states(mel),)


def _draw(nets: MuseTalkNets, tokens: torch.Tensor, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    predicted = nets.predict_latents(nets.add_positions(tokens), latents)  # (B, 4, 32, 32)
    faces = nets.decode(predicted).contiguous()  # (B, 256, 256, 3) uint8 BGR
    flat = faces.flatten(1)  # (B, 196608)
    # the tiny decoder bounds infinite latents to a finite face; a face that is not finite itself is black, so flat
    usable = predicted.isfinite().flatten(1).all(dim=1) & (flat.amax(1) - flat.amin(1) >= _FLAT_LEVELS)  # (B,)
    return faces, usable


def _on(stream: torch.cuda.Stream | None) -> AbstractContextManager[None]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _to_pinned(row: torch.Tensor) -> torch.Tensor:
    return torch.empty(row.shape, dtype=row.dtype, pin_memory=True).copy_(row, non_blocking=True)
