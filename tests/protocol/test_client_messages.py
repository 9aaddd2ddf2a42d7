import json
from base64 import b64encode
from typing import Any, get_args

import pytest

from protocol.client_messages import (
    CLIENT_MESSAGE_TYPES,
    Action,
    ActionData,
    AudioChunk,
    ClientMessage,
    ClientPing,
    Close,
    Generate,
    GenerateData,
    Init,
    Interrupt,
    SpeakEnd,
    StateChange,
)
from protocol.wire import ProtocolViolation, parse_text


def parse(**message: Any) -> Any:
    return parse_text(json.dumps(message))


def refused(**message: Any) -> ProtocolViolation:
    with pytest.raises(ProtocolViolation) as caught:
        parse(**message)
    return caught.value


def chunk(size: int, **fields: Any) -> dict[str, Any]:
    return {"format": "pcm_s16le", "data": b64encode(bytes(size)).decode(), "duration_ms": 40} | fields


def test_a_1_1_clients_init_is_understood() -> None:
    message = parse(
        type="INIT",
        session_id="8b2f9c4e-0a44-4e5d-a3ad-0a39a2f3b5f7",
        data={"user_id": "user_1", "auth_token": "t", "video_config": {"resolution": "512x512", "fps": 25}},
    )
    assert isinstance(message, Init)
    assert message.data.user_id == "user_1"
    assert message.data.auth_token == "t"
    assert not message.data.video_config.all_intra
    assert not message.data.audio_out
    assert message.data.avatar_id is None


def test_inits_own_options_are_there_from_the_start() -> None:
    data = {"user_id": "u", "avatar_id": "anna", "audio_out": True, "video_config": {"all_intra": True}}
    message = parse(type="INIT", data=data)
    assert message.session_id is None
    assert message.data.video_config.all_intra
    assert message.data.audio_out
    assert message.data.avatar_id == "anna"


@pytest.mark.parametrize("size", [0, 1, 639, 640, 641, 1280, 2048, 320_000])
def test_any_number_of_bytes_is_40_ms_to_some_client(size: int) -> None:
    message = parse(type="GENERATE", data={"audio_chunk": chunk(size, sample_rate=16000, channels=1)})
    assert isinstance(message, Generate)
    assert message.data.audio_chunk.data == bytes(size)


def test_rate_and_channels_default_to_16_khz_mono() -> None:
    audio = parse(type="GENERATE", data={"audio_chunk": {"data": "AAA="}}).data.audio_chunk
    assert (audio.sample_rate, audio.channels, audio.format) == (16000, 1, "pcm_s16le")


@pytest.mark.parametrize("remark", [None, 0, -1, 1e300, 39.9])
def test_the_duration_is_a_remark(remark: float | None) -> None:
    assert parse(type="GENERATE", data={"audio_chunk": chunk(2, duration_ms=remark)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate", 7999),
        ("sample_rate", 48001),
        ("sample_rate", "16000"),
        ("channels", 0),
        ("channels", 3),
        ("channels", True),
        ("format", "mp3"),
        ("data", None),
        ("data", "not base64"),
        ("data", 7),
    ],
)
def test_a_wrong_chunk_is_refused_by_the_field(field: str, value: Any) -> None:
    violation = refused(type="GENERATE", data={"audio_chunk": chunk(2, **{field: value})})
    assert violation.details["path"] == f"data.audio_chunk.{field}"


def test_a_video_state_may_name_any_video_or_none() -> None:
    state = {"type": "speaking", "base_video": "idle_0"}
    data = parse(type="GENERATE", data={"audio_chunk": chunk(2), "video_state": state, "utterance_id": "u1"}).data
    assert data.video_state.base_video == "idle_0"
    assert data.utterance_id == "u1"
    assert parse(type="GENERATE", data={"audio_chunk": chunk(2), "video_state": {"type": "idle"}})
    assert parse(type="GENERATE", data={"audio_chunk": chunk(2), "video_state": None})


def test_a_state_change_names_a_state_and_a_video() -> None:
    message = parse(type="STATE_CHANGE", data={"target_state": "idle", "base_video": "idle_1"})
    assert isinstance(message, StateChange)
    assert refused(type="STATE_CHANGE", data={"target_state": "flying", "base_video": "x"}).details["path"] == (
        "data.target_state"
    )
    assert refused(type="STATE_CHANGE", data={"target_state": "idle"}).details["path"] == "data.base_video"


def test_both_action_dialects_are_understood() -> None:
    newer = parse(type="ACTION", data={"action_index": 2})
    older = parse(type="ACTION", data={"action_type": "action_1", "audio_chunk": chunk(640)})
    assert isinstance(newer, Action)
    assert newer.data.action_index == 2
    assert older.data.action_type == "action_1"
    assert older.data.audio_chunk.data == bytes(640)


@pytest.mark.parametrize("data", [{}, {"action_index": 1, "action_type": "action_1"}, {"action_index": None}])
def test_an_action_is_said_in_exactly_one_dialect(data: dict[str, Any]) -> None:
    assert "exactly one" in refused(type="ACTION", data=data).message


@pytest.mark.parametrize("index", [0, -1, True, "1", 1.5, 10**400])
def test_an_action_index_is_a_number_from_1(index: Any) -> None:
    assert refused(type="ACTION", data={"action_index": index}).details["path"] == "data.action_index"


@pytest.mark.parametrize(
    ("kind", "model"), [("INTERRUPT", Interrupt), ("FLUSH", Interrupt), ("SPEAK_END", SpeakEnd), ("CLOSE", Close)]
)
def test_messages_without_data_may_leave_it_out(kind: str, model: type) -> None:
    for message in ({}, {"data": {}}, {"data": None}, {"data": {"more": 1}}, {"session_id": None}):
        assert isinstance(parse(type=kind, **message), model)
    assert refused(type=kind, data=[]).details["path"] == "data"


def test_a_ping_is_taken_whatever_it_carries() -> None:
    for message in ({}, {"session_id": 5}, {"data": [1]}):
        assert isinstance(parse(type="PING", **message), ClientPing)


def test_unknown_fields_are_ignored_everywhere() -> None:
    audio = chunk(2, future={"a": 1})
    message = parse(type="GENERATE", extra=1, data={"audio_chunk": audio, "video_state": {"z": 0}, "more": []})
    assert message == Generate(data=message.data)


def test_a_client_can_build_messages_with_the_same_models() -> None:
    built = Generate(session_id="s", data=GenerateData(audio_chunk=AudioChunk(data=b"\x01\x02\x03")))
    assert parse_text(built.model_dump_json()) == built
    action = Action(data=ActionData(action_index=1))
    assert parse_text(action.model_dump_json(exclude_none=True)) == action


def test_the_list_of_types_is_the_unions() -> None:
    union = get_args(ClientMessage)[0]
    types = [name for model in get_args(union) for name in get_args(model.model_fields["type"].annotation)]
    assert tuple(types) == CLIENT_MESSAGE_TYPES
