import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from protocol.client_messages import CLIENT_MESSAGE_TYPES, Generate
from protocol.timing import MAX_CHUNK_BYTES
from protocol.wire import (
    MAX_AROUND_BYTES,
    MAX_PLAIN_BYTES,
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
        "{" + ",".join(f'"k{n}":{{"a":[]}}' for n in range(100_000)) + "}",
        '{"type":"GENERATE","data":{"audio_chunk":[' + ",".join(["{}"] * 500_000) + "]}}",
        '{"type":"CLOSE"}' + " " * 1_000_000,
        '{"type":"' + '\\"' * 16_000 + "x" * 1_000_000,
        "9" * 1_000_000,
        '"' * 1_000_000,
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


LONG = st.integers(MAX_PLAIN_BYTES, 200_000)
EXTRAS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=6)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(size=LONG, before=EXTRAS, after=EXTRAS, escaped=st.booleans())
def test_long_audio_comes_through_whatever_little_is_around_it(
    size: int, before: dict[str, Any], after: dict[str, Any], escaped: bool
) -> None:
    pcm = bytes(range(256)) * (size // 256)
    text = b64encode(pcm).decode()
    audio = {"x": before, "data": text, "y": after, "more": '\\" "\\\\'}
    message = json.dumps({"before": before, "type": "GENERATE", "data": {"audio_chunk": audio}, "after": after})
    if escaped:
        message = message.replace("/", "\\/")  # some encoders write it so
    parsed = parse_text(message)
    assert isinstance(parsed, Generate)
    assert parsed.data.audio_chunk.data == pcm


def test_the_longest_chunk_comes_through_in_both_messages_that_carry_audio() -> None:
    chunk = {"data": b64encode(bytes(MAX_CHUNK_BYTES)).decode(), "duration_ms": 40}
    for kind, data in (("GENERATE", {}), ("ACTION", {"action_type": "action_1"})):
        message = parse_text(json.dumps({"type": kind, "data": data | {"audio_chunk": chunk}}))
        assert len(message.data.audio_chunk.data) == MAX_CHUNK_BYTES  # type: ignore[union-attr]


def junk(size: int) -> str:
    return "[" + ",".join(["{}"] * (size // 3)) + "]"


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"PING","data":' + junk(MAX_PLAIN_BYTES) + "}",
        '{"type":"PING","x":' + junk(MAX_AROUND_BYTES) + ',"data":"' + "x" * 1_000_000 + '"}',
        '{"type":"PING","data":["' + "x" * 1_000_000 + '","' + "x" * MAX_AROUND_BYTES + '"]}',
        '{"type":"PING","\\"":' + junk(1_000_000) + "}",
        '{"type":"PING","\\\\":' + junk(1_000_000) + ',"":0}',
        junk(1_000_000),
    ],
    ids=range(6),
)
def test_a_long_text_that_is_not_one_string_is_refused_unread(text: str) -> None:
    with pytest.raises(ProtocolViolation, match="longer than 65536 bytes") as caught:
        parse_text(text)
    assert caught.value.details == {"path": ""}


@pytest.mark.parametrize(
    ("data", "path"),
    [("data:audio/pcm;base64," + "A" * 100_000, "data.audio_chunk.data"), ("A" * 99_999, "data.audio_chunk.data")],
)
def test_long_audio_that_is_wrong_is_still_told_what_is_wrong(data: str, path: str) -> None:
    with pytest.raises(ProtocolViolation, match="base64") as caught:
        parse_text(json.dumps({"type": "GENERATE", "data": {"audio_chunk": {"data": data}}}))
    assert caught.value.details["path"] == path


def test_up_to_64_kib_anything_may_be_around() -> None:
    assert parse_text('{"type":"PING","data":' + junk(MAX_PLAIN_BYTES - 100) + "}").type == "PING"
