"""Everything a client says, as pydantic models in a union that `type` tells apart.

Two published dialects (1.0, 1.1) and this project's optional fields are one set of models: what a dialect does not
know, it leaves out. Which video or action exists, and whose session it is, the service checks, not the wire.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from protocol.fields import AvatarName, ChunkBytes, SessionId, UtteranceId, VideoName, WireModel
from protocol.timing import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ

StateName = Literal["idle", "speaking", "action"]


class AudioChunk(WireModel):
    """Client PCM of any length, an odd number of bytes included. The bytes count; `duration_ms` is a remark."""

    data: ChunkBytes
    format: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = Field(SAMPLE_RATE_HZ, ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)
    channels: int = Field(1, ge=1, le=2)
    duration_ms: float | None = None


class VideoConfig(WireModel):
    """What the client expects of the video; only `all_intra` is a choice."""

    resolution: Literal["512x512"] = "512x512"
    fps: Literal[25] = 25
    all_intra: bool = False


class VideoState(WireModel):
    """The base video that the speech should play over. A name that does not match the state is allowed."""

    type: StateName = "speaking"
    base_video: VideoName | None = None


class EmptyData(WireModel):
    """`data` of messages that say all by their type."""


class InitData(WireModel):
    """`data` of INIT. `avatar_id` names the avatar, else `user_id` does."""

    user_id: AvatarName
    auth_token: Annotated[str, Field(max_length=8192)] | None = None
    video_config: VideoConfig = VideoConfig()
    avatar_id: AvatarName | None = None
    audio_out: bool = False


class GenerateData(WireModel):
    """`data` of GENERATE."""

    audio_chunk: AudioChunk
    video_state: VideoState | None = None
    utterance_id: UtteranceId | None = None


class StateChangeData(WireModel):
    """`data` of STATE_CHANGE."""

    target_state: StateName
    base_video: VideoName


class ActionData(WireModel):
    """`data` of ACTION: `action_index` in dialect 1.1, `action_type` (with or without audio) in 1.0."""

    action_index: Annotated[int, Field(ge=1, le=10_000)] | None = None
    action_type: VideoName | None = None
    audio_chunk: AudioChunk | None = None

    @model_validator(mode="after")
    def _one_dialect(self) -> Self:
        if (self.action_index is None) == (self.action_type is None):
            raise ValueError("an ACTION has exactly one of action_index and action_type")
        return self


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


NoData = Annotated[EmptyData, BeforeValidator(_nothing_is_empty)]


class Init(WireModel):
    """Opens the conversation; said again, it starts over in idle."""

    type: Literal["INIT"] = "INIT"
    session_id: SessionId | None = None
    data: InitData


class Generate(WireModel):
    """Speech to be spoken. No reply on success: frames follow."""

    type: Literal["GENERATE"] = "GENERATE"
    session_id: SessionId | None = None
    data: GenerateData


class StateChange(WireModel):
    """Another base video."""

    type: Literal["STATE_CHANGE"] = "STATE_CHANGE"
    session_id: SessionId | None = None
    data: StateChangeData


class Action(WireModel):
    """Play a short clip once."""

    type: Literal["ACTION"] = "ACTION"
    session_id: SessionId | None = None
    data: ActionData


class Interrupt(WireModel):
    """Drop all speech that has not been shown."""

    type: Literal["INTERRUPT", "FLUSH"] = "INTERRUPT"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class SpeakEnd(WireModel):
    """The utterance is complete."""

    type: Literal["SPEAK_END"] = "SPEAK_END"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class Close(WireModel):
    """The client is done."""

    type: Literal["CLOSE"] = "CLOSE"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class ClientPing(WireModel):
    """Some clients send the server's PING back; it is taken and asks for nothing, whatever it carries."""

    type: Literal["PING"] = "PING"
    session_id: Any = None
    data: Any = None


ClientMessage = Annotated[
    Init | Generate | StateChange | Action | Interrupt | SpeakEnd | Close | ClientPing,
    Field(discriminator="type"),
]

CLIENT_MESSAGE_TYPES = (
    "INIT", "GENERATE", "STATE_CHANGE", "ACTION", "INTERRUPT", "FLUSH", "SPEAK_END", "CLOSE", "PING",
)  # fmt: skip
