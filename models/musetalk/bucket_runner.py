"""Runs one function of a batch in batches of constant sizes, on a GPU as CUDA graphs.

A net of a thousand small kernels is launched by the CPU more slowly than a GPU computes it; a graph starts at once, but
only for the shapes it was recorded with. So a batch is filled up to the next size of `BUCKETS`, on every device
alike. Inputs lie in buffers that stay where they are; rows beyond the batch hold what earlier batches left there, which
is harmless, since no row of these nets looks at another.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch

BUCKETS = (1, 2, 4, 8, 16, 32)

Outputs = tuple[torch.Tensor, ...]
Step = Callable[..., Outputs]


def bucket_of(count: int) -> int:
    """The smallest bucket that holds so many rows. Raises `ValueError` where none does."""
    for bucket in BUCKETS:
        if bucket >= count > 0:
            return bucket
    raise ValueError(f"a batch has 1 to {BUCKETS[-1]} rows, not {count}")


class Recorder(Protocol):
    """Makes a piece of work repeatable at once: the outputs are written anew, in place, by every call of the first."""

    def record(self, work: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        """Raises what the work raises, and errors of its own where it cannot be recorded."""
        ...


class BucketRunner:
    """`step` over batches of up to 32 rows. One thread at a time."""

    def __init__(self, step: Step, rows: Sequence[tuple[tuple[int, ...], torch.dtype]], device: torch.device) -> None:
        """`rows`: shape and type of one row of each input. `step`: inputs (N, ..) -> outputs (N, ..), row by row."""
        self._step = step
        self._inputs = tuple(torch.zeros((BUCKETS[-1], *shape), dtype=dtype, device=device) for shape, dtype in rows)
        self._recorded: dict[int, tuple[Callable[[], None], Outputs]] = {}

    @property
    def recorded(self) -> tuple[int, ...]:
        """The buckets that run as graphs."""
        return tuple(sorted(self._recorded))

    def run(self, *batch: torch.Tensor) -> Outputs:
        """The outputs of 1 to 32 rows; valid until the next run, which may write over them."""
        count = len(batch[0])
        bucket = bucket_of(count)
        with torch.inference_mode():
            for buffer, given in zip(self._inputs, batch, strict=True):
                buffer[:count].copy_(given, non_blocking=True)
            if bucket in self._recorded:
                replay, outputs = self._recorded[bucket]
                replay()
            else:
                outputs = self._step(*self._filled(bucket))
        return tuple(output[:count] for output in outputs)

    def record(self, bucket: int, recorder: Recorder) -> None:
        """From now on run this bucket as a graph. Raises what the recorder raises; then it runs as before."""
        with torch.inference_mode():
            self._recorded[bucket] = recorder.record(lambda: self._step(*self._filled(bucket)))

    def forget(self) -> None:
        """Give all graphs up."""
        self._recorded.clear()

    def _filled(self, bucket: int) -> Outputs:
        return tuple(buffer[:bucket] for buffer in self._inputs)


class CudaGraphs:
    """Records CUDA graphs that share one pool of memory: at most one of them runs at a time.

    Largest first: the later ones then fit into the memory of the first. Outputs of one may be written over by another.

    All graphs of one `CudaGraphs` are to be given up together. cuBLAS' workspace belongs to the stream that they were
    recorded on, and when one of them is destroyed torch frees it under the others (pytorch issue 193402). It may belong
    to the recording thread, too (pytorch issue 192061), so that stream and thread are this object's own.
    """

    _WARM_UPS = 3  # kernels are built and convolutions' algorithms are chosen before anything is recorded

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device, priority=-1)  # kernels keep the priority they were recorded with
        self._pool = torch.cuda.graph_pool_handle()
        self._thread = ThreadPoolExecutor(1, "cuda-graphs")

    def record(self, work: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        """See `Recorder`."""
        return self._thread.submit(self._record, work).result()

    @torch.inference_mode()
    def _record(self, work: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        # the stream is set around it all: an error in `torch.cuda.graph` would leave another one set
        with torch.cuda.stream(self._stream), torch.backends.cudnn.flags(enabled=True, benchmark=True):
            for _ in range(self._WARM_UPS):
                work()
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # thread_local: other threads may copy pictures to the device meanwhile
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                outputs = work()
        return graph.replay, outputs
