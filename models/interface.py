"""What every lip-sync engine must do, with the shapes that cross the boundary.

A *picture* is planar YUV 4:2:0 (I420, BT.601 limited range), `(768, 512) uint8`: 512 rows of Y, 128 of U, 128 of V.
An engine works in two steps. `generate` turns windows of audio into mouths, batched over sessions, on the engine's
own thread. `paint` puts one mouth onto one base picture; it runs at the tick, on any thread, so that the base picture
is the one the session's timeline really shows.

This module holds no engine and imports none; `models.catalog` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.prepared_avatar import PreparedAvatar

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 640  # one 40 ms video frame
PICTURE_SIZE = 512
PICTURE_SHAPE = (PICTURE_SIZE * 3 // 2, PICTURE_SIZE)

Picture = NDArray[np.uint8]  # (768, 512) I420
Samples = NDArray[np.float32]  # (n,) 16 kHz mono, -1..1


@dataclass(frozen=True, slots=True)
class BaseFrame:
    """One picture of an avatar's base video."""

    video: str
    index: int


class Voice(Protocol):
    """An engine's memory of one utterance (its smoothing, say). Opaque to the service; changed by `generate` alone."""


class Mouth(Protocol):
    """What the engine made of one frame of speech. Opaque to the service; immutable."""


@dataclass(frozen=True, slots=True)
class SpeechFrame:
    """One frame to generate.

    `window` holds `past_samples + 640 + future_samples` samples; the frame's own 640 begin at `past_samples`.
    Before the utterance and past its end the window is zero. `base` is where the mouth will most likely be shown.
    `index`: the frame's number in its utterance; None: the one after the voice's last. Frames may be left out, as long
    as the windows of a voice leave no gap.
    `utterance`: all the utterance's samples, with its first frame and only where it was complete by then and the
    engine has `whole_utterances`: one that hears the whole before it speaks does better.
    `utterance_samples`: the utterance's length once it is known.
    """

    voice: Voice
    window: Samples
    avatar: PreparedAvatar
    base: BaseFrame
    index: int | None = None
    utterance: Samples | None = None
    utterance_samples: int | None = None


class LipSyncEngine(Protocol):
    """Audio in, mouths out, mouths onto pictures."""

    name: str
    past_samples: int
    future_samples: int  # the look-ahead
    whole_utterances: bool  # uses the `utterance` of a first frame; only such an engine is given one

    @property
    def max_batch(self) -> int:
        """The most frames that one `generate` takes; may shrink while the engine runs, so read it for each batch."""
        ...

    def new_voice(self) -> Voice:
        """The memory of a new utterance."""
        ...

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        """Make what painting on this avatar needs; idempotent, thread-safe. Raises `ModelError`.

        Returns the bytes of main memory that this takes. Two avatars of one name may be loaded at a time: the one that
        sessions still show, and the one that replaces it.
        """
        ...

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        """Forget what `load_avatar` made for this avatar."""
        ...

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """One mouth per frame, in order. At most one frame of each voice per call. Engine thread only."""
        ...

    def paint(self, mouth: Mouth, weight: float, avatar: PreparedAvatar, base: BaseFrame) -> Picture:
        """A new picture: the base with the mouth on it; weight 1 as generated, 0 the untouched base. Any thread."""
        ...

    def describe(self) -> dict[str, Any]:
        """Name, device and figures for `/sessions` and INIT_SUCCESS."""
        ...
