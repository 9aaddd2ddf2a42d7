"""Runs the audio encoder for the frames of a batch and lays their windows of hidden states out as tokens.

Owns the batching over voices, the copies of their features on the device and the encoded rows of segments that are
settled. What each frame needs is decided in `voice`.
"""

from collections.abc import Sequence
from typing import Protocol

import torch

from models.musetalk.audio_features import WINDOW_ROWS, normalised
from models.musetalk.positional_encoding import FRAME_TOKENS, TOKEN_CHANNELS
from models.musetalk.voice import HeardFrame, Segment
from models.musetalk.whisper_encoder import HIDDEN_STATES

_MAX_SEGMENTS = 32  # in one pass of the encoder; a batch of frames rarely needs more segments than it has frames


class AudioEncoder(Protocol):
    """What of the nets is needed here."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of its results."""
        ...

    def hidden_states(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel of 30 s segments `(B, 80, 3000)` -> `(B, 1500, 5, 384)`; may be written over by the next call."""
        ...


def tokens_of(nets: AudioEncoder, frames: Sequence[HeardFrame]) -> torch.Tensor:
    """The frames' tokens `(B, 50, 384)` on the nets' device, without positions; token = 5 * row + layer."""
    rows = _encode(nets, [segment for frame in frames for segment, _ in frame.pieces])
    windows = torch.zeros(
        (len(frames), WINDOW_ROWS, HIDDEN_STATES, TOKEN_CHANNELS), device=nets.device, dtype=nets.dtype
    )
    for position, frame in enumerate(frames):
        for segment, piece in frame.pieces:
            hidden = rows[segment][piece.start : piece.start + piece.length]  # (length, 5, 384)
            windows[position, piece.target : piece.target + piece.length] = hidden
    return windows.view(len(frames), FRAME_TOKENS, TOKEN_CHANNELS)


def _encode(nets: AudioEncoder, segments: Sequence[Segment]) -> dict[Segment, torch.Tensor]:
    """Each segment's rows `(rows, 5, 384)`; those of settled segments are computed once and kept with the segment."""
    rows = {segment: segment.hidden for segment in segments if segment.hidden is not None}
    waiting = [segment for segment in dict.fromkeys(segments) if segment.hidden is None]
    for start in range(0, len(waiting), _MAX_SEGMENTS):
        batch = waiting[start : start + _MAX_SEGMENTS]
        mel = normalised(torch.stack([_on_device(segment, nets.device) for segment in batch]))  # (E, 80, 3000)
        several = len(waiting) > _MAX_SEGMENTS
        for segment, hidden in zip(batch, nets.hidden_states(mel), strict=True):  # (1500, 5, 384) each
            rows[segment] = hidden.clone() if several else hidden
            if segment.settled:
                rows[segment] = segment.hidden = hidden[: segment.rows].clone()
                segment.on_device = None
    return rows


def _on_device(segment: Segment, device: torch.device) -> torch.Tensor:
    """The segment's log-mel `(80, 3000)` on the device; after the first time only what has changed is copied."""
    if device.type == "cpu":
        return segment.mel.log_mel
    changed = segment.mel.take_changed()
    if segment.on_device is None:
        segment.on_device = segment.mel.log_mel.to(device)
    else:
        on_device, segment.on_device = segment.on_device, None  # after an error all of it is copied again
        on_device[:, changed] = segment.mel.log_mel[:, changed].to(device)
        segment.on_device = on_device
    return segment.on_device
