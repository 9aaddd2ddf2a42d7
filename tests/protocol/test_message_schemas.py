"""The schemas agree with the parsers, in what must be there, what may be left out, and what is refused."""

import json
from typing import Any

import jsonschema_rs
import pytest

from protocol.client_messages import Action, Generate, Init, Interrupt
from protocol.message_schemas import Json, schemas
from protocol.server_messages import Ping, VideoFrame
from protocol.wire import ProtocolViolation, parse_text

FOUND = schemas([Init, Generate, Action, Interrupt], [VideoFrame, Ping])


def errors(name: str, message: Any) -> list[Any]:
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": FOUND}}
    return list(jsonschema_rs.Draft7Validator(document).iter_errors(message))


def test_a_client_names_the_type_and_what_has_no_default():
    assert FOUND["Init"]["required"] == ["type", "data"]
    assert FOUND["Interrupt"]["required"] == ["type"]
    assert FOUND["AudioChunk"]["required"] == ["data"]


def test_the_server_leaves_out_what_would_be_null_and_sends_all_else():
    data = FOUND["VideoFrameData"]
    assert data["required"] == ["frame_data", "frame_timestamp"]
    assert data["properties"]["audio_ms"]["type"] == "integer"
    assert "null" not in json.dumps(data)
    assert FOUND["Ping"]["required"] == ["type"]


def test_a_field_that_is_a_message_part_keeps_its_description_beside_the_reference():
    chunk = FOUND["ActionData"]["properties"]["audio_chunk"]
    assert chunk["description"]
    assert "$ref" not in chunk


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Init", {"type": "INIT", "data": {"user_id": "no spaces"}}),
        ("Init", {"type": "INIT", "data": {}}),
        ("Init", {"type": "INIT", "data": {"user_id": "a", "video_config": {"fps": 30}}}),
        ("Generate", {"type": "GENERATE", "data": {"audio_chunk": {"data": "", "sample_rate": 7999}}}),
        ("Generate", {"type": "GENERATE", "data": {"audio_chunk": {"data": "", "channels": "1"}}}),
        ("Interrupt", {"type": "INTERRUPT", "data": 3}),
    ],
)
def test_what_a_schema_refuses_the_parser_refuses(name: str, message: Json):
    assert errors(name, message)
    with pytest.raises(ProtocolViolation):
        parse_text(json.dumps(message))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Init", {"type": "INIT", "session_id": None, "data": {"user_id": "a", "avatar_id": None, "ours": 1}}),
        ("Generate", {"type": "GENERATE", "data": {"audio_chunk": {"data": "AAA="}, "video_state": {}}}),
        ("Interrupt", {"type": "FLUSH"}),
    ],
)
def test_what_a_schema_takes_the_parser_takes(name: str, message: Json):
    assert errors(name, message) == []
    parse_text(json.dumps(message))
