import json

import pytest
from pydantic import TypeAdapter, ValidationError

from protocol.client_messages import CLIENT_MESSAGE_TYPES, ClientMessage
from protocol.codes import ErrorCode
from protocol.violation import MAX_PROBLEMS, ProtocolViolation, field_violation, quote, schema_violation

ADAPTER: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


def violation_of(text: str) -> ProtocolViolation:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_json(text)
    return schema_violation(caught.value, CLIENT_MESSAGE_TYPES)


def test_a_violation_names_the_field_and_the_allowed_values() -> None:
    text = '{"type":"GENERATE","data":{"audio_chunk":{"data":"AAA=","sample_rate":7999}}}'
    violation = violation_of(text)
    assert violation.code == ErrorCode.INVALID_MESSAGE
    assert violation.details["path"] == "data.audio_chunk.sample_rate"
    assert "8000" in violation.message
    assert "7999" in violation.message


def test_every_wrong_field_is_listed() -> None:
    violation = violation_of('{"type":"INIT","data":{"user_id":7,"video_config":{"fps":30,"resolution":"1x1"}}}')
    paths = [problem["path"] for problem in violation.details["problems"]]
    assert paths == ["data.user_id", "data.video_config.resolution", "data.video_config.fps"]
    assert len(paths) <= MAX_PROBLEMS


def test_a_missing_field_is_said_to_be_required() -> None:
    assert violation_of('{"type":"GENERATE","data":{}}').message == "data.audio_chunk: is required"


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    for text in ('{"type":"SING"}', '{"type":5}', "{}", '{"type":null}'):
        violation = violation_of(text)
        assert violation.details["path"] == "type"
        assert "GENERATE" in violation.details["allowed"]


def test_what_is_no_object_is_said_to_be_none() -> None:
    for text in ("[]", "3", '"x"', "null"):
        assert violation_of(text).message == "a message is a JSON object"


def test_a_long_question_gets_a_short_answer() -> None:
    long = "x" * 1_000_000
    for message in (
        {"type": long},
        {"type": "INIT", "data": {"user_id": long}},
        {"type": "INIT", "session_id": long, "data": {"user_id": "a", "video_config": {"resolution": long}}},
        {"type": "GENERATE", "data": {"audio_chunk": {"data": long, "format": long, "sample_rate": long}}},
        {"type": "ACTION", "data": {"action_type": long, "action_index": long}},
    ):
        violation = violation_of(json.dumps(message))
        assert len(violation.message) + len(json.dumps(violation.details)) < 3000


def test_quotes_are_short_ascii_and_free_of_surprises() -> None:
    assert quote("é\ud800") == "'\\xe9\\ud800'"
    assert quote(10**5000) == "a huge number"
    assert quote({"a": 1}) == "an object"
    assert quote([1]) == "an array"
    assert quote(True) == "True"
    assert len(quote("x" * 500)) <= 60


def test_a_field_violation_carries_its_path_and_more() -> None:
    violation = field_violation("header.kind", "unknown kind 9", allowed=[16])
    assert violation.message == "header.kind: unknown kind 9"
    assert violation.details == {"path": "header.kind", "allowed": [16]}
    assert str(violation) == violation.message
