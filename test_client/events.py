"""What a client sees arrive: pictures, sound and control messages, one shape for text mode and binary mode alike.

Owns the decoding of received WebSocket messages into events. No socket, no clock: the arrival time is passed in.
Must not import the service.
"""

from dataclasses import dataclass

from protocol import wire
from protocol.binary import MediaFlag, MediaKind
from protocol.server_messages import (
    ActionFrame,
    ActionTriggered,
    AudioFrame,
    CloseAck,
    ErrorMessage,
    InitSuccess,
    Interrupted,
    Ping,
    SpeakEnded,
    SpeakStarted,
    StateChanged,
    VideoFrame,
)
from test_client.annexb import has_idr
from test_client.errors import BadServerMessage

ControlMessage = (
    InitSuccess
    | StateChanged
    | ActionTriggered
    | SpeakStarted
    | SpeakEnded
    | Interrupted
    | CloseAck
    | ErrorMessage
    | Ping
)


@dataclass(frozen=True, slots=True)
class VideoEvent:
    """One encoded picture. `received_s` is `time.monotonic()`. None stands for what the server did not say."""

    access_unit: bytes  # H.264, Annex B
    timestamp_ms: int
    received_s: float
    keyframe: bool | None = None
    generated: bool = False
    audio_ms: int | None = None  # where in its utterance the shown audio starts
    action_progress: float | None = None  # 0..1; only on frames of an action
    state: str | None = None  # text mode only
    session_id: str | None = None  # text mode only
    sequence: int | None = None  # binary mode only

    @property
    def begins_gop(self) -> bool:
        """True when a decoder can begin here; read from the bytes where the server did not mark it."""
        return has_idr(self.access_unit) if self.keyframe is None else self.keyframe


@dataclass(frozen=True, slots=True)
class AudioEvent:
    """The sound that the picture of the same timestamp shows: 16 kHz mono s16le. Only with `audio_out`."""

    pcm: bytes
    timestamp_ms: int
    audio_ms: int
    received_s: float
    session_id: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """Any other message, as `protocol.server_messages` models it."""

    message: ControlMessage
    received_s: float


Event = VideoEvent | AudioEvent | ControlEvent


def decode(raw: str | bytes, received_s: float) -> Event:
    """Turns one WebSocket message into an event.

    Raises:
        BadServerMessage: it is not of the protocol.
    """
    try:
        return _from_binary(raw, received_s) if isinstance(raw, bytes) else _from_text(raw, received_s)
    except wire.ProtocolViolation as violation:
        raise BadServerMessage(f"The server sent what is not of the protocol: {violation}.") from violation


def _from_binary(raw: bytes, received_s: float) -> VideoEvent | AudioEvent:
    header, payload = wire.parse_server_binary(raw)
    if header.kind == MediaKind.AUDIO:
        return AudioEvent(payload, header.timestamp_ms, header.audio_ms or 0, received_s, sequence=header.sequence)
    return VideoEvent(
        payload,
        header.timestamp_ms,
        received_s,
        keyframe=header.keyframe,
        generated=header.generated,
        audio_ms=header.audio_ms,
        action_progress=header.action_progress if MediaFlag.ACTION in header.flags else None,
        sequence=header.sequence,
    )


def _from_text(raw: str, received_s: float) -> Event:
    message = wire.parse_server_text(raw)
    if isinstance(message, VideoFrame | ActionFrame):
        data = message.data
        return VideoEvent(
            data.frame_data,
            data.frame_timestamp,
            received_s,
            keyframe=data.keyframe,
            generated=bool(data.generated),
            audio_ms=data.audio_ms,
            action_progress=message.data.action_progress if isinstance(message, ActionFrame) else None,
            state=data.state,
            session_id=message.session_id,
        )
    if isinstance(message, AudioFrame):
        sound = message.data
        return AudioEvent(sound.data, sound.frame_timestamp, sound.audio_ms, received_s, session_id=message.session_id)
    return ControlEvent(message, received_s)
