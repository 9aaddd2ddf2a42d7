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
    """`data` of INIT_SUCCESS."""

    model_loaded: bool = Field(description="always true; there for clients of dialect 1.0")
    available_videos: list[str] = Field(description="base videos of the avatar: `idle_n`, `speaking_n`, `action_n`")
    default_video: str = Field(description="the one that is shown now")
    streaming_started: bool = True
    codec: str | None = Field(None, description="for `VideoDecoder.configure`, like `avc1.42C01E`")
    sample_rates: list[int] | None = Field(None, description="the usual ones of all that are taken, in Hz")
    limits: dict[str, Any] | None = Field(
        None,
        description="`max_queued_audio_s` and `max_queued_utterances` of unspoken speech, `max_chunk_bytes` of PCM in "
        "one message, `actions`: how many the avatar has",
    )
    engine: dict[str, Any] | None = Field(None, description="`name` and `device` of what moves the lips")


class VideoFrameData(WireModel):
    """One H.264 access unit (Annex B)."""

    frame_data: MediaBytes = Field(description="the access unit, with its start codes, in base64")
    frame_timestamp: int = Field(description="ms since connect; 40 more with each frame, whatever it shows")
    keyframe: bool | None = Field(None, description="an IDR with its SPS and PPS: a decoder can start here")
    state: str | None = Field(None, description="`idle`, `speaking` or `action`")
    audio_ms: int | None = Field(
        None, description="where in the utterance the audio starts that it shows; absent where it shows none"
    )
    generated: bool | None = Field(None, description="it shows 640 samples of speech, or the last few of an utterance")


class ActionFrameData(VideoFrameData):
    """The same, of an action that a 1.0 client asked for."""

    action_progress: float = Field(ge=0, le=1, description="how much of the action has been shown")


class AudioFrameData(WireModel):
    """The 640 samples (s16le) that the video frame of the same timestamp shows."""

    format: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = SAMPLE_RATE_HZ
    data: MediaBytes = Field(description="640 signed 16-bit little-endian samples, in base64")
    audio_ms: int = Field(description="as in the frame that follows")
    frame_timestamp: int = Field(description="as in the frame that follows")


class StateChangedData(WireModel):
    """`data` of STATE_CHANGED."""

    current_state: str = Field(description="the `target_state` that was asked for")
    current_video: str


class ActionTriggeredData(WireModel):
    """`data` of ACTION_TRIGGERED."""

    action_index: int
    inserted: bool = True


class SpeakStartedData(WireModel):
    """`data` of SPEAK_STARTED."""

    utterance_id: str = Field(description="GENERATE's, or one that the service made")
    text: str | None = Field(None, description="the words, where the service itself voices them")


class SpeakEndedData(WireModel):
    """`data` of SPEAK_ENDED."""

    utterance_id: str
    position_ms: int = Field(description="the audio of the generated frames that were sent of this utterance")
    interrupted: bool = Field(description="it was cut off; the rest is dropped")


class InterruptedData(WireModel):
    """`data` of INTERRUPTED."""

    position_ms: int = Field(description="as in SPEAK_ENDED; 0 when nobody was speaking")


class CloseAckData(WireModel):
    """`data` of CLOSE_ACK."""

    reason: CloseReason


class ErrorData(WireModel):
    """`data` of ERROR."""

    code: ErrorCode
    message: str = Field(description="a sentence for people")
    details: dict[str, Any] = Field(
        default_factory=dict,
        description="`path` names the field that is wrong, `allowed` what it may hold, `problems` all of several",
    )


class InitSuccess(_Enveloped):
    """Answers INIT: the avatar is loaded, and all messages carry this `session_id` from now on."""

    type: Literal["INIT_SUCCESS"] = "INIT_SUCCESS"
    session_id: str
    data: InitSuccessData


class VideoFrame(_Enveloped):
    """One encoded picture, 25 a second from connect to close.

    Each is sent once, in order, one access unit per message. An IDR comes at least once a second.
    """

    type: Literal["VIDEO_FRAME"] = "VIDEO_FRAME"
    session_id: str
    data: VideoFrameData


class ActionFrame(_Enveloped):
    """One encoded picture of an action that an ACTION with `action_type` asked for, in place of VIDEO_FRAME."""

    type: Literal["ACTION_FRAME"] = "ACTION_FRAME"
    session_id: str
    data: ActionFrameData


class AudioFrame(_Enveloped):
    """The sound of the video frame that follows, for clients whose INIT said `audio_out`."""

    type: Literal["AUDIO_FRAME"] = "AUDIO_FRAME"
    session_id: str
    data: AudioFrameData


class StateChanged(_Enveloped):
    """Answers STATE_CHANGE. Never comes unasked."""

    type: Literal["STATE_CHANGED"] = "STATE_CHANGED"
    session_id: str
    data: StateChangedData


class ActionTriggered(_Enveloped):
    """Answers an ACTION with `action_index`; frames keep coming as VIDEO_FRAME."""

    type: Literal["ACTION_TRIGGERED"] = "ACTION_TRIGGERED"
    session_id: str
    data: ActionTriggeredData


class SpeakStarted(_Enveloped):
    """The first generated frame of an utterance is here."""

    type: Literal["SPEAK_STARTED"] = "SPEAK_STARTED"
    session_id: str
    data: SpeakStartedData


class SpeakEnded(_Enveloped):
    """The last generated frame of an utterance was here. Comes exactly once for each SPEAK_STARTED."""

    type: Literal["SPEAK_ENDED"] = "SPEAK_ENDED"
    session_id: str
    data: SpeakEndedData


class Interrupted(_Enveloped):
    """Answers INTERRUPT: nothing of the speech before it will be shown any more."""

    type: Literal["INTERRUPTED"] = "INTERRUPTED"
    session_id: str
    data: InterruptedData


class CloseAck(_Enveloped):
    """The last message before the server closes."""

    type: Literal["CLOSE_ACK"] = "CLOSE_ACK"
    session_id: str
    data: CloseAckData


class ErrorMessage(_Enveloped):
    """Something was refused or failed. The stream goes on, unless a close follows."""

    type: Literal["ERROR"] = "ERROR"
    session_id: str
    data: ErrorData


class Ping(WireModel):
    """Sent every 30 s, exactly like this, without an envelope. Needs no answer."""

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
