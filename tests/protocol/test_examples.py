"""The examples are messages that the parsers take, with no field that they do not know."""

import json
from base64 import b64decode

import pytest

from protocol import examples
from protocol.binary import MediaKind
from protocol.client_messages import CLIENT_MESSAGE_TYPES
from protocol.examples import CLIENT_EXAMPLES, SERVER_EXAMPLES, Example, binary_examples
from protocol.server_messages import SERVER_MESSAGE_TYPES
from protocol.wire import parse_binary, parse_server_binary, parse_server_text, parse_text


def test_every_message_has_an_example():
    assert {example.type for example in CLIENT_EXAMPLES} == set(CLIENT_MESSAGE_TYPES)
    assert {example.type for example in SERVER_EXAMPLES} == set(SERVER_MESSAGE_TYPES)
    assert set(binary_examples()) == set(MediaKind)


@pytest.mark.parametrize("example", CLIENT_EXAMPLES, ids=lambda e: f"{e.type}: {e.summary}")
def test_the_service_takes_what_a_client_says_in_an_example(example: Example):
    parsed = parse_text(json.dumps(example.message))
    said = {"type": parsed.type, **parsed.model_dump(mode="json", exclude_unset=True)}
    assert said == example.message, "nothing was ignored"


@pytest.mark.parametrize("example", SERVER_EXAMPLES, ids=lambda e: f"{e.type}: {e.summary}")
def test_an_example_of_the_server_is_what_the_server_writes(example: Example):
    parsed = parse_server_text(json.dumps(example.message))
    assert json.loads(parsed.to_json()) == example.message


def test_binary_examples_parse_as_their_kinds():
    found = binary_examples()
    video, sound = (parse_server_binary(found[kind]) for kind in (MediaKind.VIDEO, MediaKind.AUDIO))
    assert (video.header.kind, sound.header.kind) == (MediaKind.VIDEO, MediaKind.AUDIO)
    assert (video.header.timestamp_ms, video.header.audio_ms) == (sound.header.timestamp_ms, sound.header.audio_ms)
    assert sound.header.sequence < video.header.sequence, "the sound comes first"
    assert parse_binary(found[MediaKind.AUDIO_UPLOAD]).end_of_utterance


def test_media_are_the_same_in_text_and_binary():
    assert b64decode(examples._PCM_BASE64) == examples._PCM
    assert b64decode(examples._ACCESS_UNIT_BASE64) == examples._ACCESS_UNIT
