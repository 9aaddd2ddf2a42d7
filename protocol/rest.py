"""Bodies of HTTP requests and answers, as `openapi.yaml` describes them. Owns their fields; imports pydantic only."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.fields import AvatarName, SessionId

_ACTION = r"action_[1-9][0-9]{0,2}=[0-9]{1,4}(\.[0-9]{1,3})?-[0-9]{1,4}(\.[0-9]{1,3})?"
ACTIONS_PATTERN = f"^({_ACTION}(,{_ACTION})*)?$"

MAX_TEXT_CHARS = 10_000  # of one POST /speak: some ten minutes of speech


class RestModel(BaseModel):
    """An answer's body. Clients must ignore fields they do not know."""

    model_config = ConfigDict(frozen=True)


class Health(RestModel):
    """GET /health: the process is alive. Which engine and video encoder run, and why; empty until chosen."""

    status: Literal["ok"] = "ok"
    engine: str = ""
    engine_reason: str = ""
    h264_encoder: str = ""
    h264_encoder_reason: str = ""


class Ready(RestModel):
    """GET /ready: 200 when `ready`, else 503 with the reasons.

    A `ready` service may tell one, too: DEFAULT_AVATAR is damaged, and the other avatars are served.
    """

    ready: bool
    reasons: list[str] = Field(default_factory=list)
    engine: dict[str, Any] = Field(default_factory=dict)


class SessionFigures(RestModel):
    """One open connection."""

    session_id: str
    user_id: str
    avatar: str
    state: Literal["idle", "speaking", "action"]
    base_video: str
    connected_s: float = Field(ge=0)
    frames_sent: int = Field(ge=0)
    frames_late: int = Field(ge=0)  # deadlines missed for good
    frames_dropped: int = Field(ge=0)  # packets a slow reader did not get
    generated: int = Field(ge=0)  # frames that consumed speech


class ServiceFigures(RestModel):
    """The process as a whole, since it started."""

    uptime_s: float = Field(ge=0)
    version: str = ""
    engine: dict[str, Any] = Field(default_factory=dict)
    sessions_total: int = Field(0, ge=0)
    frames_sent_total: int = Field(0, ge=0)
    frames_generated_total: int = Field(0, ge=0)
    frames_late_total: int = Field(0, ge=0)
    frames_dropped_total: int = Field(0, ge=0)


class Sessions(RestModel):
    """GET /sessions."""

    active: int = Field(ge=0)
    limit: int = Field(ge=1)
    speaking: int = Field(ge=0)
    draining: bool = False
    sessions: list[SessionFigures] = Field(default_factory=list)
    service: ServiceFigures


class Avatar(RestModel):
    """One avatar that a client may name as `avatar_id` in INIT. `frames`: of each base video, 25 a second."""

    avatar_id: str
    base_videos: list[str]
    frames: dict[str, int]
    same_pose: bool
    engines: list[str]
    size_bytes: int = Field(ge=0)
    prepared_at: str
    preview_picture: str
    preview_video: str


class DamagedAvatar(RestModel):
    """One avatar that cannot be shown, and why."""

    avatar_id: str
    reason: str


class Avatars(RestModel):
    """GET /avatars. `default`: the one that is shown to clients that name none, whether it is among them or not."""

    default: str
    avatars: list[Avatar] = Field(default_factory=list)
    damaged: list[DamagedAvatar] = Field(default_factory=list)


class CachedAvatar(RestModel):
    """One avatar in memory. `replaced`: another has come under its name, or it was removed; goes with its last user."""

    avatar_id: str
    size_bytes: int = Field(ge=0)
    users: int = Field(ge=0)
    unused_s: float = Field(ge=0)
    replaced: bool


class Cache(RestModel):
    """GET /cache: avatars in memory. Counts are since the start."""

    budget_bytes: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    pinned_bytes: int = Field(ge=0)
    ttl_s: float = Field(ge=0)
    hits: int = Field(ge=0)
    misses: int = Field(ge=0)
    evictions: int = Field(ge=0)
    expirations: int = Field(ge=0)
    avatars: list[CachedAvatar] = Field(default_factory=list)


class SpeakRequest(BaseModel):
    """POST /speak. `session_id` and `user_id` say where; without either the only open session is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARS)
    voice: str | None = Field(None, min_length=1, max_length=128)
    session_id: SessionId | None = None
    user_id: AvatarName | None = None
    interrupt: bool = False


class SpeakAccepted(RestModel):
    """202 of POST /speak: the first sound is queued. SPEAK_STARTED and SPEAK_ENDED carry the same `utterance_id`.

    `interrupted`: all speech of the session was dropped before the first sound; the text will not be heard.
    """

    session_id: str
    utterance_id: str
    voice: str
    interrupted: bool = False


class Voice(RestModel):
    """One voice."""

    name: str
    language: str = ""
    description: str = ""


class Voices(RestModel):
    """GET /voices. Not `complete`: others may be asked for, as `remark` says. None: `reason` says how to get one."""

    synthesizer: str
    default: str
    voices: list[Voice] = Field(default_factory=list)
    complete: bool = True
    remark: str = ""
    reason: str = ""


class PrepareForm(BaseModel):
    """The texts in the form of POST /avatars/prepare; its file comes beside them. Numbers are written as text.

    `actions`: "action_1=12.5-15,action_2=20-22", seconds of a long recording. The last three: what is done against a
    shaking camera.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    avatar_id: AvatarName
    batch_size: int | None = Field(None, ge=1, le=1024)
    bbox_shift: int | None = Field(None, ge=-512, le=512)
    force_recreate: bool = False
    actions: str | None = Field(None, pattern=ACTIONS_PATTERN)
    box_filter: bool = True
    scale_lock: bool = True
    tracking: bool = True


class Job(RestModel):
    """One preparation. `jobs_ahead`: how many wait before it, while it waits itself."""

    job_id: str
    avatar_id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    percent: float = Field(ge=0, le=100)
    frames_per_second: float | None = Field(None, ge=0)
    jobs_ahead: int | None = Field(None, ge=0)
    waited_s: float = Field(ge=0)
    running_s: float = Field(ge=0)
    peak_memory_mb: float | None = Field(None, ge=0)
    error: str | None = None
    remarks: list[str] = Field(default_factory=list)


class Jobs(RestModel):
    """GET /jobs, the oldest first."""

    jobs: list[Job] = Field(default_factory=list)
    waiting_limit: int = Field(ge=1)


class JobThumbnail(RestModel):
    """What a job works on: the server-sent event `thumbnail`."""

    job_id: str
    data_url: str


class Problem(RestModel):
    """An error's body, `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = ""
