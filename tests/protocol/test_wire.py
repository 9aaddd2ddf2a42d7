import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from protocol.client_messages import CLIENT_MESSAGE_TYPES, Generate
from protocol.wire import (
    ProtocolViolation,
    parse_binary,
    parse_server_binary,
    parse_server_text,
    parse_text,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELD_NAMES = st.sampled_from(
    [
        "user_id",
        "audio_chunk",
        "data",
        "sample_rate",
        "channels",
        "format",
        "video_state",
        "base_video",
        "target_state",
        "action_index",
        "action_type",
        "video_config",
        "fps",
        "utterance_id",
        "duration_ms",
        "type",
    ]
)
NEAR_MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(CLIENT_MESSAGE_TYPES)},
    optional={
        "session_id": JSON_VALUES,
        "data": st.dictionaries(
            FIELD_NAMES, JSON_VALUES | st.dictionaries(FIELD_NAMES, JSON_VALUES, max_size=4), max_size=4
        ),
    },
)


def survives(text: str) -> None:
    """Either a message, or a violation that can itself be sent."""
    for parse in (parse_text, parse_server_text):
        try:
            assert parse(text).type
            continue
        except ProtocolViolation as violation:
            message, details = violation.message, violation.details
        assert "path" in details
        assert len(json.dumps({"message": message, "details": details}).encode("ascii")) < 5000


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
@example("\ud800")
@example("﻿{}")
@example("")
def test_no_text_crashes_the_parser(text: str) -> None:
    survives(text)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(NEAR_MESSAGES)
def test_no_near_message_crashes_the_parser(message: dict[str, Any]) -> None:
    survives(json.dumps(message, ensure_ascii=True))


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        '{"type":"ACTION","data":{"action_index":NaN}}',
        '{"type":"ACTION","data":{"action_index":-Infinity}}',
        '{"type":"ACTION","data":{"action_index":1e999}}',
        '{"type":"ACTION","data":{"action_index":' + "9" * 10_000 + "}}",
        '{"type":"GENERATE","data":{"audio_chunk":{"data":"","duration_ms":' + "9" * 4_000 + "}}}",
        "[" * 200_000,
        '{"type":' * 100_000,
        '{"type":"INIT","data":' + '{"data":' * 190 + "1" + "}" * 190 + "}",
        '{"type":"' + "x" * 1_000_000 + '"}',
        '{"type":"INIT","data":{"user_id":"' + "x" * 1_000_000 + '"}}',
        '{"' + "k" * 1_000_000 + '":1}',
        '{"type":"INIT","session_id":"\\ud800","data":{"user_id":"a"}}',
        '{"type":"INIT","data":{"user_id":"\\ud83d\\ude00"}}',
        '{"type":"INIT","type":"CLOSE"}',
        '{"type":"GENERATE","data":{"audio_chunk":{"data":"\\u0000\\u00ff"}}}',
    ],
    ids=lambda text: text[:40],
)
def test_cruel_texts_are_survived(text: str) -> None:
    survives(text)


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    for parse in (parse_binary, parse_server_binary):
        try:
            assert parse(data)
            continue
        except ProtocolViolation as violation:
            details = violation.details
        assert details["path"]


@given(st.binary(max_size=4000), st.integers(8000, 48000), st.sampled_from([1, 2]))
def test_speech_comes_through_as_it_was_sent(pcm: bytes, sample_rate_hz: int, channels: int) -> None:
    chunk = {"data": b64encode(pcm).decode(), "sample_rate": sample_rate_hz, "channels": channels}
    message = parse_text(json.dumps({"type": "GENERATE", "data": {"audio_chunk": chunk}}))
    assert isinstance(message, Generate)
    audio = message.data.audio_chunk
    assert (audio.data, audio.sample_rate, audio.channels) == (pcm, sample_rate_hz, channels)
