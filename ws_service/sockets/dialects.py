"""How media look on the wire: base64 in JSON, or binary messages under the subprotocol. Control is JSON in both."""

from typing import Protocol

from protocol.binary import MediaFlag, MediaHeader, MediaKind
from protocol.server_messages import AudioFrame, AudioFrameData, video_frame_json
from ws_service.session.interfaces import SentFrame


class Dialect(Protocol):
    """Media messages from frames and sound."""

    def frame(self, session_id: str, frame: SentFrame) -> str | bytes:
        """One video frame."""
        ...

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> str | bytes:
        """The sound of the next video frame."""
        ...


class TextDialect:
    """Base64 in JSON. A loop's base64 is made once and shared, so an idle frame costs one join."""

    def frame(self, session_id: str, frame: SentFrame) -> str:
        """VIDEO_FRAME, or ACTION_FRAME for an action that a 1.0 client asked for."""
        return video_frame_json(
            session_id,
            frame.packet.base64,
            frame.timestamp_ms,
            keyframe=frame.packet.keyframe,
            state=frame.state.value,
            generated=frame.generated,
            audio_ms=frame.audio_ms,
            action_progress=frame.progress if frame.as_action_frame else None,
        )

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> str:
        """AUDIO_FRAME."""
        data = AudioFrameData(data=pcm, audio_ms=audio_ms, frame_timestamp=timestamp_ms)
        return AudioFrame(session_id=session_id, data=data).to_json()


class BinaryDialect:
    """A 20-byte header and the payload."""

    def __init__(self) -> None:
        self._sequence = 0

    def frame(self, session_id: str, frame: SentFrame) -> bytes:
        """Kind 1: one access unit."""
        flags = MediaFlag.NONE
        if frame.packet.keyframe:
            flags |= MediaFlag.KEYFRAME
        if frame.generated:
            flags |= MediaFlag.GENERATED
        if frame.progress is not None:
            flags |= MediaFlag.ACTION
        header = self._header(MediaKind.VIDEO, flags, frame.progress or 0.0, frame.timestamp_ms, frame.audio_ms)
        return header + frame.packet.data

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> bytes:
        """Kind 2: s16le."""
        return self._header(MediaKind.AUDIO, MediaFlag.GENERATED, 0.0, timestamp_ms, audio_ms) + pcm

    def _header(
        self, kind: MediaKind, flags: MediaFlag, progress: float, timestamp_ms: int, audio_ms: int | None
    ) -> bytes:
        header = MediaHeader(kind, flags, progress, self._sequence, timestamp_ms, audio_ms)
        self._sequence += 1
        return header.pack()
