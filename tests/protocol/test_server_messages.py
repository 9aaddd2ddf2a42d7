import json
from base64 import b64encode
from enum import StrEnum
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import server_messages as say
from protocol.codes import CloseReason, ErrorCode
from protocol.server_messages import SERVER_MESSAGE_TYPES, ServerMessage, video_frame_json
from protocol.wire import parse_server_text

MESSAGES: list[Any] = [
    say.InitSuccess(
        session_id="s",
        data=say.InitSuccessData(
            model_loaded=True,
            available_videos=["idle_0"],
            default_video="idle_0",
            codec="avc1.42C01E",
            sample_rates=[8000, 48000],
            limits={"max_chunk_bytes": 1},
            engine={"name": "light"},
        ),
    ),
    say.VideoFrame(session_id="s", data=say.VideoFrameData(frame_data=b"\0\0\0\1", frame_timestamp=40)),
    say.ActionFrame(
        session_id="s",
        data=say.ActionFrameData(frame_data=b"x", frame_timestamp=0, action_progress=0.5, audio_ms=0, generated=True),
    ),
    say.AudioFrame(session_id="s", data=say.AudioFrameData(data=bytes(1280), audio_ms=40, frame_timestamp=80)),
    say.StateChanged(session_id="s", data=say.StateChangedData(current_state="idle", current_video="idle_0")),
    say.ActionTriggered(session_id="s", data=say.ActionTriggeredData(action_index=1)),
    say.SpeakStarted(session_id="s", data=say.SpeakStartedData(utterance_id="u", text="héllo")),
    say.SpeakEnded(session_id="s", data=say.SpeakEndedData(utterance_id="u", position_ms=400, interrupted=False)),
    say.Interrupted(session_id="s", data=say.InterruptedData(position_ms=0)),
    say.CloseAck(session_id="s", data=say.CloseAckData(reason=CloseReason.CLIENT_REQUEST)),
    say.ErrorMessage(session_id="s", data=say.ErrorData(code=ErrorCode.INVALID_MESSAGE, message="no")),
    say.Ping(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_what_a_server_says_a_client_understands(message: Any) -> None:
    assert parse_server_text(message.to_json()) == message


def test_every_type_is_tried_above_and_listed() -> None:
    union = get_args(ServerMessage)[0]
    types = [name for model in get_args(union) for name in get_args(model.model_fields["type"].annotation)]
    assert tuple(types) == SERVER_MESSAGE_TYPES == tuple(message.type for message in MESSAGES)


def test_a_ping_is_exactly_this() -> None:
    assert say.Ping().to_json() == '{"type":"PING"}'


def test_what_does_not_apply_is_absent() -> None:
    assert json.loads(MESSAGES[1].to_json()) == {
        "type": "VIDEO_FRAME",
        "session_id": "s",
        "data": {"frame_data": "AAAAAQ==", "frame_timestamp": 40},
    }
    started = say.SpeakStarted(session_id="s", data=say.SpeakStartedData(utterance_id="u"))
    assert json.loads(started.to_json())["data"] == {"utterance_id": "u"}


def test_an_error_always_carries_its_three_fields() -> None:
    assert json.loads(MESSAGES[10].to_json())["data"] == {"code": "INVALID_MESSAGE", "message": "no", "details": {}}


def test_a_string_enum_is_a_string() -> None:
    class State(StrEnum):
        IDLE = "idle"

    message = say.StateChanged(session_id="s", data=say.StateChangedData(current_state=State.IDLE, current_video="v"))
    assert json.loads(message.to_json())["data"]["current_state"] == "idle"


@given(
    data=st.binary(max_size=300),
    timestamp_ms=st.integers(0, 2**50).map(lambda n: n * 40),
    keyframe=st.booleans(),
    state=st.sampled_from(["idle", "speaking", "action"]),
    generated=st.booleans(),
    audio_ms=st.none() | st.integers(0, 10**7),
    progress=st.none() | st.floats(0, 1),
)
def test_the_quick_way_says_the_same_as_the_model(
    data: bytes, timestamp_ms: int, keyframe: bool, state: str, generated: bool, audio_ms: int | None, progress: Any
) -> None:
    text = video_frame_json(
        "8b2f",
        b64encode(data).decode(),
        timestamp_ms,
        keyframe=keyframe,
        state=state,
        generated=generated,
        audio_ms=audio_ms,
        action_progress=progress,
    )
    fields = {"frame_data": data, "frame_timestamp": timestamp_ms, "keyframe": keyframe, "state": state}
    fields |= {"generated": generated, "audio_ms": audio_ms}
    parsed: Any = parse_server_text(text)
    if progress is None:
        assert parsed == say.VideoFrame(session_id="8b2f", data=say.VideoFrameData(**fields))
        assert text == parsed.to_json()
    else:
        assert parsed.data.action_progress == pytest.approx(progress, abs=1e-6)
        fields["action_progress"] = parsed.data.action_progress
        assert parsed == say.ActionFrame(session_id="8b2f", data=say.ActionFrameData(**fields))
