"""One message of every kind, as it looks on the wire, for the description of the socket.

Media are cut short: four samples, the first bytes of an access unit. Owns no rule; the tests parse them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from protocol.binary import AudioUpload, MediaFlag, MediaHeader, MediaKind
from protocol.timing import MAX_CHUNK_BYTES

SESSION = "8b2f9c4e-0a44-4e5d-a3ad-0a39a2f3b5f7"
UTTERANCE = "52f1a5c8-7a0f-4a5e-9d86-0d9a4e1a5b11"
VIDEOS = ["action_1", "action_2", "idle_0", "speaking_0"]

_PCM = bytes.fromhex("0000010002000100")
_PCM_BASE64 = "AAABAAIAAQA="
_ACCESS_UNIT = bytes.fromhex("000000016742c01e")  # the start of an SPS
_ACCESS_UNIT_BASE64 = "AAAAAWdCwB4="


class Example(NamedTuple):
    """`data` of a message and when one says it. `whole`: the message is only its type."""

    type: str
    summary: str
    data: Mapping[str, Any]
    whole: bool = False

    @property
    def message(self) -> dict[str, Any]:
        """As JSON."""
        return {"type": self.type} if self.whole else {"type": self.type, "session_id": SESSION, "data": self.data}


_CHUNK = {"format": "pcm_s16le", "sample_rate": 16000, "channels": 1, "duration_ms": 40, "data": _PCM_BASE64}

CLIENT_EXAMPLES = (
    Example("INIT", "the shortest", {"user_id": "anna"}),
    Example(
        "INIT", "another avatar, and its sound too", {"user_id": "anna", "avatar_id": "grandma", "audio_out": True}
    ),
    Example("GENERATE", "speech", {"audio_chunk": _CHUNK, "utterance_id": UTTERANCE}),
    Example(
        "GENERATE",
        "speech over a base video of the client's choice",
        {"audio_chunk": _CHUNK, "video_state": {"type": "speaking", "base_video": "speaking_0"}},
    ),
    Example("STATE_CHANGE", "listen", {"target_state": "idle", "base_video": "idle_0"}),
    Example("ACTION", "dialect 1.1", {"action_index": 1}),
    Example("ACTION", "dialect 1.0, with speech", {"action_type": "action_1", "audio_chunk": _CHUNK}),
    Example("INTERRUPT", "stop now", {}),
    Example("FLUSH", "the same by its other name", {}, whole=True),
    Example("SPEAK_END", "that was all", {}),
    Example("CLOSE", "goodbye", {}),
    Example("PING", "the server's own, sent back", {}, whole=True),
)

SERVER_EXAMPLES = (
    Example(
        "INIT_SUCCESS",
        "the built-in avatar",
        {
            "model_loaded": True,
            "available_videos": VIDEOS,
            "default_video": "idle_0",
            "streaming_started": True,
            "codec": "avc1.42C01E",
            "sample_rates": [8000, 16000, 22050, 24000, 32000, 44100, 48000],
            "limits": {
                "max_queued_audio_s": 60.0,
                "max_queued_utterances": 64,
                "max_chunk_bytes": MAX_CHUNK_BYTES,
                "actions": 2,
            },
            "engine": {"name": "light", "device": "cpu"},
        },
    ),
    Example(
        "VIDEO_FRAME",
        "while it listens",
        {
            "frame_data": _ACCESS_UNIT_BASE64,
            "frame_timestamp": 4000,
            "keyframe": True,
            "state": "idle",
            "generated": False,
        },
    ),
    Example(
        "VIDEO_FRAME",
        "while it speaks",
        {
            "frame_data": _ACCESS_UNIT_BASE64,
            "frame_timestamp": 4520,
            "keyframe": False,
            "state": "speaking",
            "audio_ms": 520,
            "generated": True,
        },
    ),
    Example(
        "ACTION_FRAME",
        "a quarter of the action is over",
        {
            "frame_data": _ACCESS_UNIT_BASE64,
            "frame_timestamp": 6000,
            "keyframe": False,
            "state": "action",
            "generated": False,
            "action_progress": 0.25,
        },
    ),
    Example(
        "AUDIO_FRAME",
        "the sound of the frame with the same timestamp",
        {
            "format": "pcm_s16le",
            "sample_rate": 16000,
            "data": _PCM_BASE64,
            "audio_ms": 520,
            "frame_timestamp": 4520,
        },
    ),
    Example("STATE_CHANGED", "it listens", {"current_state": "idle", "current_video": "idle_0"}),
    Example("ACTION_TRIGGERED", "it begins", {"action_index": 1, "inserted": True}),
    Example("SPEAK_STARTED", "speech that the client sent", {"utterance_id": UTTERANCE}),
    Example("SPEAK_STARTED", "a text, by POST /speak", {"utterance_id": UTTERANCE, "text": "Hello! How are you?"}),
    Example("SPEAK_ENDED", "all is said", {"utterance_id": UTTERANCE, "position_ms": 2480, "interrupted": False}),
    Example("INTERRUPTED", "in mid-speech", {"position_ms": 1240}),
    Example("CLOSE_ACK", "after CLOSE", {"reason": "client_request"}),
    Example(
        "ERROR",
        "a video that the avatar does not have",
        {
            "code": "INVALID_MESSAGE",
            "message": "Unknown base_video 'dancing_0'",
            "details": {"path": "data.base_video", "allowed": VIDEOS},
        },
    ),
    Example("PING", "every 30 s", {}, whole=True),
)


def binary_examples() -> dict[MediaKind, bytes]:
    """One binary message of every kind."""
    shown = MediaFlag.KEYFRAME | MediaFlag.GENERATED
    return {
        MediaKind.VIDEO: MediaHeader(MediaKind.VIDEO, shown, 0.0, 114, 4520, 520).pack() + _ACCESS_UNIT,
        MediaKind.AUDIO: MediaHeader(MediaKind.AUDIO, MediaFlag.GENERATED, 0.0, 113, 4520, 520).pack() + _PCM,
        MediaKind.AUDIO_UPLOAD: AudioUpload(_PCM, 48_000, 1, end_of_utterance=True).pack(),
    }
