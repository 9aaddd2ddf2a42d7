"""What INIT_SUCCESS tells a client: the avatar's videos, the codec, what may be sent and how much. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.server_messages import InitSuccess, InitSuccessData
from protocol.timing import MAX_CHUNK_BYTES
from ws_service.session.speech import MAX_UTTERANCES
from ws_service.session.timeline import Timeline

USUAL_RATES_HZ = (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # of all that are taken


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """`idle_timeout_s` 0: never."""

    max_queued_audio_s: float = 60.0
    idle_timeout_s: float = 0.0


def init_success(
    session_id: str, timeline: Timeline, codec: str, limits: SessionLimits, engine: Mapping[str, Any]
) -> InitSuccess:
    """The answer to INIT."""
    data = InitSuccessData(
        model_loaded=True,
        available_videos=timeline.videos,
        default_video=timeline.base_video,
        streaming_started=True,
        codec=codec,
        sample_rates=list(USUAL_RATES_HZ),
        limits={
            "max_queued_audio_s": limits.max_queued_audio_s,
            "max_queued_utterances": MAX_UTTERANCES,
            "max_chunk_bytes": MAX_CHUNK_BYTES,
            "actions": len(timeline.actions),
        },
        engine=dict(engine),
    )
    return InitSuccess(session_id=session_id, data=data)
