"""Binary mode: a 20-byte little-endian header and a payload. Owns the header's layout; imports no model of JSON.

Down: kind, flags, action progress in 1/65535, sequence, frame_timestamp in ms, audio_ms.
Up:   kind 16, flags, channels, sample rate in Hz, 0, 0.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

from protocol.timing import MAX_CHUNK_BYTES, MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ
from protocol.violation import ProtocolViolation, field_violation

HEADER = Struct("<BBHIQI")
HEADER_BYTES = HEADER.size  # 20
NO_AUDIO = 0xFFFFFFFF  # audio_ms of a frame that shows no audio
PROGRESS_ONE = 0xFFFF


class MediaKind(IntEnum):
    """What the payload is."""

    VIDEO = 1  # one H.264 access unit, Annex B
    AUDIO = 2  # s16le mono 16 kHz, of the video frame of the same timestamp
    AUDIO_UPLOAD = 16  # s16le from the client


class MediaFlag(IntFlag):
    """Flags of what the server sends."""

    NONE = 0
    KEYFRAME = 1
    GENERATED = 2
    ACTION = 4  # the frame belongs to an action; its progress counts


class UploadFlag(IntFlag):
    """Flags of what the client sends."""

    NONE = 0
    END_OF_UTTERANCE = 1


class MediaHeader(NamedTuple):
    """Header of one downward message. `action_progress` is 0..1, `sequence` counts media messages modulo 2**32."""

    kind: MediaKind
    flags: MediaFlag
    action_progress: float
    sequence: int
    timestamp_ms: int
    audio_ms: int | None

    @property
    def keyframe(self) -> bool:
        """A decoder can start here."""
        return MediaFlag.KEYFRAME in self.flags

    @property
    def generated(self) -> bool:
        """The frame consumed speech."""
        return MediaFlag.GENERATED in self.flags

    def pack(self) -> bytes:
        """The 20 bytes. Raises `ValueError` for a value outside its field."""
        if not 0 <= self.action_progress <= 1:
            raise ValueError(f"action_progress is 0..1, not {self.action_progress}")
        if self.audio_ms is not None and not 0 <= self.audio_ms < NO_AUDIO:
            raise ValueError(f"audio_ms is 0..{NO_AUDIO - 1}, not {self.audio_ms}")
        if not 0 <= self.timestamp_ms < 1 << 64:
            raise ValueError(f"timestamp_ms is 0..2**64-1, not {self.timestamp_ms}")
        return HEADER.pack(
            self.kind,
            self.flags,
            round(self.action_progress * PROGRESS_ONE),
            self.sequence & 0xFFFFFFFF,
            self.timestamp_ms,
            NO_AUDIO if self.audio_ms is None else self.audio_ms,
        )


class MediaMessage(NamedTuple):
    """One downward message."""

    header: MediaHeader
    payload: bytes


@dataclass(frozen=True, slots=True)
class AudioUpload:
    """One upward message: PCM of any length, none included when only the end is told."""

    pcm: bytes
    sample_rate: int = SAMPLE_RATE_HZ
    channels: int = 1
    end_of_utterance: bool = False

    def pack(self) -> bytes:
        """Header and PCM."""
        flags = UploadFlag.END_OF_UTTERANCE if self.end_of_utterance else UploadFlag.NONE
        return HEADER.pack(MediaKind.AUDIO_UPLOAD, flags, self.channels, self.sample_rate, 0, 0) + self.pcm


def unpack_media(data: bytes) -> MediaMessage:
    """What a client received. Flags this version does not know are dropped. Raises `ProtocolViolation`."""
    kind, flags, progress, sequence, timestamp_ms, audio_ms = _header(data)
    if kind not in (MediaKind.VIDEO, MediaKind.AUDIO):
        raise field_violation("header.kind", f"unknown kind {kind}", allowed=[MediaKind.VIDEO, MediaKind.AUDIO])
    known = MediaFlag(flags & (MediaFlag.KEYFRAME | MediaFlag.GENERATED | MediaFlag.ACTION))
    shown = None if audio_ms == NO_AUDIO else audio_ms
    header = MediaHeader(MediaKind(kind), known, progress / PROGRESS_ONE, sequence, timestamp_ms, shown)
    return MediaMessage(header, data[HEADER_BYTES:])


def unpack_upload(data: bytes) -> AudioUpload:
    """What the server received. Flags this version does not know are dropped. Raises `ProtocolViolation`."""
    kind, flags, channels, sample_rate_hz, _, _ = _header(data)
    if kind != MediaKind.AUDIO_UPLOAD:
        raise field_violation(
            "header.kind", f"unknown kind {kind}, audio is {MediaKind.AUDIO_UPLOAD:d}", allowed=[MediaKind.AUDIO_UPLOAD]
        )
    if channels not in (1, 2):
        raise field_violation("header.channels", f"1 or 2 channels, got {channels}", allowed=[1, 2])
    if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise field_violation(
            "header.sample_rate",
            f"{MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz, got {sample_rate_hz}",
            allowed=f"{MIN_SAMPLE_RATE_HZ}..{MAX_SAMPLE_RATE_HZ}",
        )
    size_bytes = len(data) - HEADER_BYTES
    if size_bytes > MAX_CHUNK_BYTES:
        raise field_violation("payload", f"at most {MAX_CHUNK_BYTES} bytes of audio, got {size_bytes}")
    ended = bool(flags & UploadFlag.END_OF_UTTERANCE)
    return AudioUpload(data[HEADER_BYTES:], sample_rate_hz, channels, ended)


def _header(data: bytes) -> tuple[int, int, int, int, int, int]:
    if len(data) < HEADER_BYTES:
        raise ProtocolViolation(
            f"a binary message has a header of {HEADER_BYTES} bytes, got {len(data)}", {"path": "header"}
        )
    return HEADER.unpack_from(data)
