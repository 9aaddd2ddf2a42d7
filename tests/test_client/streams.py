"""Makes lists of events that keep all rules, for tests to break one at a time."""

from functools import cache

import av
import numpy as np

from protocol import server_messages as say
from protocol.codes import CloseReason
from protocol.timing import FRAME_MS, GOP_FRAMES
from test_client.events import AudioEvent, ControlEvent, ControlMessage, Event, VideoEvent
from tests.fakes.avatar_server import open_encoder

SESSION = "6f1b7e7e-58a5-4f0c-8a0e-5d3e0e9f9c11"


@cache
def access_units(count: int = 60) -> tuple[bytes, ...]:
    """Real x264 packets, an IDR every 25."""
    encoder = open_encoder()
    packets = []
    for index in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((768, 512), 60 + index, np.uint8), format="yuv420p")
        frame.pts = index
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(packets)


def frame(index: int, spoken: int | None = None, **changes: object) -> VideoEvent:
    """The picture of tick `index`; `spoken` counts the generated frames of its utterance from 0."""
    fields: dict[str, object] = {
        "access_unit": access_units()[index],
        "timestamp_ms": index * FRAME_MS,
        "received_s": index * FRAME_MS / 1000,
        "keyframe": index % GOP_FRAMES == 0,
        "generated": spoken is not None,
        "audio_ms": None if spoken is None else spoken * FRAME_MS,
        "session_id": SESSION,
    }
    return VideoEvent(**{**fields, **changes})  # type: ignore[arg-type]


def sound(index: int, spoken: int, size_bytes: int = 1280) -> AudioEvent:
    """The AUDIO_FRAME of tick `index`."""
    return AudioEvent(bytes(size_bytes), index * FRAME_MS, spoken * FRAME_MS, index * FRAME_MS / 1000, SESSION)


def control(message: ControlMessage) -> ControlEvent:
    """A message as it arrives."""
    return ControlEvent(message, 0.0)


def init_success(**changes: object) -> ControlEvent:
    """INIT_SUCCESS."""
    fields: dict[str, object] = {
        "model_loaded": True, "available_videos": ["idle_0", "speaking_0"], "default_video": "idle_0"
    }  # fmt: skip
    data = say.InitSuccessData(**{**fields, **changes})  # type: ignore[arg-type]
    return control(say.InitSuccess(session_id=SESSION, data=data))


def started(utterance_id: str = "one") -> ControlEvent:
    """SPEAK_STARTED."""
    return control(say.SpeakStarted(session_id=SESSION, data=say.SpeakStartedData(utterance_id=utterance_id)))


def ended(position_ms: int, utterance_id: str = "one", interrupted: bool = False) -> ControlEvent:
    """SPEAK_ENDED."""
    data = say.SpeakEndedData(utterance_id=utterance_id, position_ms=position_ms, interrupted=interrupted)
    return control(say.SpeakEnded(session_id=SESSION, data=data))


def interrupted(position_ms: int) -> ControlEvent:
    """INTERRUPTED."""
    return control(say.Interrupted(session_id=SESSION, data=say.InterruptedData(position_ms=position_ms)))


def close_ack(reason: CloseReason) -> ControlEvent:
    """CLOSE_ACK."""
    return control(say.CloseAck(session_id=SESSION, data=say.CloseAckData(reason=reason)))


def speech(first: int, count: int, utterance_id: str = "one") -> list[Event]:
    """An utterance of `count` generated frames from tick `first` on."""
    frames = [frame(first + spoken, spoken) for spoken in range(count)]
    return [started(utterance_id), *frames, ended(count * FRAME_MS, utterance_id)]
