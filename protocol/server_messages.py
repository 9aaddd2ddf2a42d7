"""Everything the server says, as pydantic models in a union that `type` tells apart, and their JSON.

`to_json` leaves out what is None: an optional field that does not apply is absent. Video of the text dialect is sent
25 times a second and session; `video_frame_json` writes it without a model and without encoding base64 again.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from protocol.codes import CloseReason, ErrorCode
from protocol.fields import MediaBytes, WireModel
from protocol.timing import SAMPLE_RATE_HZ


class _Enveloped(WireModel):
    def to_json(self) -> str:
        """The message as it goes out."""
        return self.model_dump_json(exclude_none=True)


class InitSuccessData(WireModel):
    """`data` of INIT_SUCCESS. `codec` is RFC 6381's; `sample_rates` are the usual ones of all that are taken, in Hz."""

    model_loaded: bool
    available_videos: list[str]
    default_video: str
    streaming_started: bool = True
    codec: str | None = None
    sample_rates: list[int] | None = None
    limits: dict[str, Any] | None = None
    engine: dict[str, Any] | None = None


class VideoFrameData(WireModel):
    """One H.264 access unit (Annex B). `audio_ms` is where in the utterance the shown audio starts; absent in idle."""

    frame_data: MediaBytes
    frame_timestamp: int
    keyframe: bool | None = None
    state: str | None = None
    audio_ms: int | None = None
    generated: bool | None = None


class ActionFrameData(VideoFrameData):
    """The same, of an action that a 1.0 client asked for."""

    action_progress: float = Field(ge=0, le=1)


class AudioFrameData(WireModel):
    """The 640 samples (s16le) that the video frame of the same timestamp shows."""

    format: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = SAMPLE_RATE_HZ
    data: MediaBytes
    audio_ms: int
    frame_timestamp: int


class StateChangedData(WireModel):
    """`data` of STATE_CHANGED."""

    current_state: str
    current_video: str


class ActionTriggeredData(WireModel):
    """`data` of ACTION_TRIGGERED."""

    action_index: int
    inserted: bool = True


class SpeakStartedData(WireModel):
    """`data` of SPEAK_STARTED. `text` is there when the server itself voices it."""

    utterance_id: str
    text: str | None = None


class SpeakEndedData(WireModel):
    """`data` of SPEAK_ENDED. `position_ms` is the audio of the generated frames sent in this utterance."""

    utterance_id: str
    position_ms: int
    interrupted: bool


class InterruptedData(WireModel):
    """`data` of INTERRUPTED; `position_ms` is 0 when nobody was speaking."""

    position_ms: int


class CloseAckData(WireModel):
    """`data` of CLOSE_ACK."""

    reason: CloseReason


class ErrorData(WireModel):
    """`data` of ERROR. `details["path"]` names the field when a message was malformed."""

    code: ErrorCode
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class InitSuccess(_Enveloped):
    """Answers INIT."""

    type: Literal["INIT_SUCCESS"] = "INIT_SUCCESS"
    session_id: str
    data: InitSuccessData


class VideoFrame(_Enveloped):
    """One encoded picture."""

    type: Literal["VIDEO_FRAME"] = "VIDEO_FRAME"
    session_id: str
    data: VideoFrameData


class ActionFrame(_Enveloped):
    """One encoded picture of an action (dialect 1.0)."""

    type: Literal["ACTION_FRAME"] = "ACTION_FRAME"
    session_id: str
    data: ActionFrameData


class AudioFrame(_Enveloped):
    """The sound of the video frame that follows."""

    type: Literal["AUDIO_FRAME"] = "AUDIO_FRAME"
    session_id: str
    data: AudioFrameData


class StateChanged(_Enveloped):
    """Answers STATE_CHANGE."""

    type: Literal["STATE_CHANGED"] = "STATE_CHANGED"
    session_id: str
    data: StateChangedData


class ActionTriggered(_Enveloped):
    """Answers ACTION in dialect 1.1."""

    type: Literal["ACTION_TRIGGERED"] = "ACTION_TRIGGERED"
    session_id: str
    data: ActionTriggeredData


class SpeakStarted(_Enveloped):
    """Comes with the first generated frame of an utterance."""

    type: Literal["SPEAK_STARTED"] = "SPEAK_STARTED"
    session_id: str
    data: SpeakStartedData


class SpeakEnded(_Enveloped):
    """Comes once per utterance, with its last generated frame."""

    type: Literal["SPEAK_ENDED"] = "SPEAK_ENDED"
    session_id: str
    data: SpeakEndedData


class Interrupted(_Enveloped):
    """Answers INTERRUPT."""

    type: Literal["INTERRUPTED"] = "INTERRUPTED"
    session_id: str
    data: InterruptedData


class CloseAck(_Enveloped):
    """The last message before the server closes."""

    type: Literal["CLOSE_ACK"] = "CLOSE_ACK"
    session_id: str
    data: CloseAckData


class ErrorMessage(_Enveloped):
    """Something was refused or failed; the stream goes on unless a close follows."""

    type: Literal["ERROR"] = "ERROR"
    session_id: str
    data: ErrorData


class Ping(WireModel):
    """Sent every 30 s; the one message without an envelope."""

    type: Literal["PING"] = "PING"

    def to_json(self) -> str:
        """Exactly `{"type":"PING"}`."""
        return '{"type":"PING"}'


ServerMessage = Annotated[
    InitSuccess
    | VideoFrame
    | ActionFrame
    | AudioFrame
    | StateChanged
    | ActionTriggered
    | SpeakStarted
    | SpeakEnded
    | Interrupted
    | CloseAck
    | ErrorMessage
    | Ping,
    Field(discriminator="type"),
]

SERVER_MESSAGE_TYPES = (
    "INIT_SUCCESS", "VIDEO_FRAME", "ACTION_FRAME", "AUDIO_FRAME", "STATE_CHANGED", "ACTION_TRIGGERED",
    "SPEAK_STARTED", "SPEAK_ENDED", "INTERRUPTED", "CLOSE_ACK", "ERROR", "PING",
)  # fmt: skip


_BOOL = ("false", "true")


def video_frame_json(
    session_id: str,
    frame_base64: str,
    timestamp_ms: int,
    *,
    keyframe: bool,
    state: str,
    generated: bool,
    audio_ms: int | None = None,
    action_progress: float | None = None,
) -> str:
    """VIDEO_FRAME, or ACTION_FRAME when `action_progress` is given, from text that is base64 already.

    `session_id` and `state` are the server's own plain ASCII and are not escaped.
    """
    kind = "VIDEO_FRAME" if action_progress is None else "ACTION_FRAME"
    shown = "" if audio_ms is None else f',"audio_ms":{audio_ms}'
    progress = "" if action_progress is None else f',"action_progress":{action_progress:.6f}'
    return (
        f'{{"type":"{kind}","session_id":"{session_id}","data":{{"frame_data":"{frame_base64}",'
        f'"frame_timestamp":{timestamp_ms},"keyframe":{_BOOL[keyframe]},"state":"{state}"{shown},'
        f'"generated":{_BOOL[generated]}{progress}}}}}'
    )
