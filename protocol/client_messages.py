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
    """PCM of any length: cut it as you like. An odd byte at its end waits for the next chunk."""

    data: ChunkBytes = Field(description="signed 16-bit little-endian samples, of two channels by turns, in base64")
    format: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = Field(
        SAMPLE_RATE_HZ, ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ, description="Hz; resampled where it is not 16000"
    )
    channels: int = Field(1, ge=1, le=2, description="2 are mixed to one")
    duration_ms: float | None = Field(None, description="not looked at: the bytes tell how long it is")


class VideoConfig(WireModel):
    """What the client expects of the video; only `all_intra` is a choice."""

    resolution: Literal["512x512"] = "512x512"
    fps: Literal[25] = 25
    all_intra: bool = Field(False, description="every frame is to be an IDR, for decoders that keep no state")


class VideoState(WireModel):
    """The base video that the speech should play over. A name that does not match the state is allowed."""

    type: StateName = "speaking"
    base_video: VideoName | None = Field(None, description="one of INIT_SUCCESS's `available_videos`")


class EmptyData(WireModel):
    """`data` of messages that say all by their type."""


class InitData(WireModel):
    """`data` of INIT. `avatar_id` names the avatar, else `user_id` does."""

    user_id: AvatarName = Field(description="the same as in the path")
    auth_token: Annotated[str, Field(max_length=8192)] | None = Field(None, description="taken, and not looked at yet")
    video_config: VideoConfig = VideoConfig()
    avatar_id: AvatarName | None = Field(None, description="the avatar to show, where it is not named like the user")
    audio_out: bool = Field(False, description="send the sound of each generated frame before it (AUDIO_FRAME)")


class GenerateData(WireModel):
    """`data` of GENERATE."""

    audio_chunk: AudioChunk
    video_state: VideoState | None = None
    utterance_id: UtteranceId | None = Field(
        None, description="comes back in SPEAK_STARTED and SPEAK_ENDED; the first one of an utterance counts"
    )


class StateChangeData(WireModel):
    """`data` of STATE_CHANGE."""

    target_state: StateName = Field(description="echoed in STATE_CHANGED; need not fit the video's name")
    base_video: VideoName = Field(description="one of INIT_SUCCESS's `available_videos`")


class ActionData(WireModel):
    """`data` of ACTION: `action_index` in dialect 1.1, `action_type` (with or without audio) in 1.0."""

    action_index: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="dialect 1.1: the n-th action, from 1 to INIT_SUCCESS's `limits.actions`"
    )
    action_type: VideoName | None = Field(None, description="dialect 1.0: the action's name, `action_1`")
    audio_chunk: AudioChunk | None = Field(None, description="speech to be queued with it")

    @model_validator(mode="after")
    def _one_dialect(self) -> Self:
        if (self.action_index is None) == (self.action_type is None):
            raise ValueError("an ACTION has exactly one of action_index and action_type")
        return self


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


NoData = Annotated[EmptyData, BeforeValidator(_nothing_is_empty)]


class Init(WireModel):
    """Open the conversation; said again, it starts over in idle.

    Video flows before it already, of the default avatar. INIT_SUCCESS comes when the avatar is loaded; until then later
    messages wait, INTERRUPT and CLOSE aside. A `session_id` that is a UUID and not in use becomes the connection's own,
    as it is written; without one the service's stands.
    """

    type: Literal["INIT"] = "INIT"
    session_id: SessionId | None = None
    data: InitData


class Generate(WireModel):
    """Speech to be spoken. No reply on success: frames follow.

    Send what you have when you have it. Live audio is spoken as it comes; a whole answer sent at once is queued and
    spoken at its own pace. Beyond the limits that INIT_SUCCESS names comes RATE_LIMIT_EXCEEDED, and what was taken is
    spoken. Works before INIT too.
    """

    type: Literal["GENERATE"] = "GENERATE"
    session_id: SessionId | None = None
    data: GenerateData


class StateChange(WireModel):
    """Another base video, from the next frame on. Queued speech goes on over it.

    A name that begins with `action_` is played once instead.
    """

    type: Literal["STATE_CHANGE"] = "STATE_CHANGE"
    session_id: SessionId | None = None
    data: StateChangeData


class Action(WireModel):
    """Play a short clip once, under the speech if there is any.

    A second one while it runs is refused with INVALID_MESSAGE.
    """

    type: Literal["ACTION"] = "ACTION"
    session_id: SessionId | None = None
    data: ActionData


class Interrupt(WireModel):
    """Drop all speech that has not been shown, now. FLUSH is the same.

    Answered by SPEAK_ENDED with `interrupted`, if somebody was speaking, and INTERRUPTED.
    """

    type: Literal["INTERRUPT", "FLUSH"] = "INTERRUPT"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class SpeakEnd(WireModel):
    """The utterance is complete: its last frames need not wait for more.

    Without it, 350 ms with nothing queued end the utterance.
    """

    type: Literal["SPEAK_END"] = "SPEAK_END"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class Close(WireModel):
    """The client is done. CLOSE_ACK follows, and the close with 1000."""

    type: Literal["CLOSE"] = "CLOSE"
    session_id: SessionId | None = None
    data: NoData = EmptyData()


class ClientPing(WireModel):
    """The server's PING, sent back as some clients do. It asks for nothing, whatever it carries."""

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
