"""Speech as the service hands it to an engine: one window a frame, cut from one utterance."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.interface import BaseFrame, SpeechFrame
from models.musetalk.audio_features import FRAME_SAMPLES, LOOK_AHEAD_SAMPLES
from models.musetalk.voice import PAST_SAMPLES

BASE = BaseFrame("idle_0", 0)


def window(pcm: np.ndarray, index: int) -> np.ndarray:
    """The window of frame `index`; zero outside the utterance."""
    start = index * FRAME_SAMPLES - PAST_SAMPLES
    cut = np.zeros(PAST_SAMPLES + FRAME_SAMPLES + LOOK_AHEAD_SAMPLES, np.float32)
    first, last = max(start, 0), min(len(pcm), start + len(cut))
    cut[first - start : max(first, last) - start] = pcm[first:last]
    return cut


def frame_of(
    voice: Any, pcm: np.ndarray, index: int, *, whole: bool = False, avatar: Any = None, base: BaseFrame = BASE
) -> SpeechFrame:
    """Frame `index`. Live: the utterance's length is known once the look-ahead reaches its end."""
    ended = whole or (index + 1) * FRAME_SAMPLES + LOOK_AHEAD_SAMPLES >= len(pcm)
    return SpeechFrame(
        voice,
        window(pcm, index),
        avatar,
        base,
        index=index,
        utterance=pcm if whole and index == 0 else None,
        utterance_samples=len(pcm) if ended else None,
    )


def frames_of(voice: Any, pcm: np.ndarray, *, whole: bool = False, avatar: Any = None) -> Iterator[SpeechFrame]:
    """All frames of an utterance, the last one padded."""
    for index in range(-(-len(pcm) // FRAME_SAMPLES)):
        yield frame_of(voice, pcm, index, whole=whole, avatar=avatar)
