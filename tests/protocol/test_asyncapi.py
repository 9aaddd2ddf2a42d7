"""`asyncapi.yaml` is what the code says, a sound AsyncAPI document, and complete."""

import json
from copy import deepcopy
from pathlib import Path
from struct import unpack_from
from typing import Annotated, Union, get_args

import jsonschema_rs
import pytest
import yaml
from pydantic import Field

from protocol import asyncapi, client_messages
from protocol.asyncapi import asyncapi_document
from protocol.binary import HEADER_BYTES
from protocol.client_messages import CLIENT_MESSAGE_TYPES
from protocol.codes import CloseCode, ErrorCode
from protocol.fields import WireModel
from protocol.message_schemas import Json
from protocol.server_messages import SERVER_MESSAGE_TYPES
from tests.protocol.asyncapi_yaml import asyncapi_yaml

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "golden" / "asyncapi" / "schema-3.0.0.json"
ADVICE = "run `python -m tests.protocol.asyncapi_yaml > asyncapi.yaml`"


@pytest.fixture(scope="module")
def document() -> Json:
    return asyncapi_document()


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text()))


def drift() -> bool:
    return (ROOT / "asyncapi.yaml").read_text(encoding="utf-8") != asyncapi_yaml()


def test_the_file_is_what_the_code_says():
    assert not drift(), ADVICE


def test_a_change_of_a_message_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    class Close(client_messages.Close):
        """The client is done. CLOSE_ACK follows, and the close with 1000."""

        why: str = ""

    monkeypatch.setattr(asyncapi, "ClientMessage", with_member(Close))
    assert drift()


def test_the_same_messages_again_are_no_change(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asyncapi, "ClientMessage", with_member(client_messages.Close))
    assert not drift()


def with_member(model: type[WireModel]) -> object:
    """The client's messages, `model` in place of the one of its name."""
    members = get_args(get_args(client_messages.ClientMessage)[0])
    changed = [model if member.__name__ == model.__name__ else member for member in members]
    return Annotated[Union[*changed], Field(discriminator="type")]


def test_the_file_holds_the_document_and_nothing_else(document: Json):
    assert yaml.safe_load((ROOT / "asyncapi.yaml").read_text(encoding="utf-8")) == document


def test_it_is_an_asyncapi_document(document: Json, validator: jsonschema_rs.Draft7Validator):
    assert [str(error) for error in validator.iter_errors(document)] == []
    broken = deepcopy(document)
    broken["operations"]["stream"]["action"] = "shout"
    assert list(validator.iter_errors(broken)), "the schema can refuse"


def test_every_reference_leads_somewhere(document: Json):
    def references(part: object) -> list[str]:
        if isinstance(part, list):
            return [found for one in part for found in references(one)]
        if not isinstance(part, dict):
            return []
        here = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return here + [found for one in part.values() for found in references(one)]

    found = set(references(document))
    assert len(found) > 40
    for reference in found:
        target: object = document
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(target, dict)
            target = target[step]


def test_every_message_is_said_by_somebody_and_has_words_schema_and_examples(document: Json):
    messages = document["components"]["messages"]
    assert set(document["channels"]["conversation"]["messages"]) == set(messages)
    names = {*CLIENT_MESSAGE_TYPES, *SERVER_MESSAGE_TYPES, "VIDEO", "AUDIO", "AUDIO_UPLOAD"} - {"FLUSH"}
    assert {message["name"] for message in messages.values()} == names
    assert document["components"]["schemas"]["Interrupt"]["properties"]["type"]["enum"] == ["INTERRUPT", "FLUSH"]
    spoken = set()
    for operation in document["operations"].values():
        both = operation["messages"] + operation.get("reply", {}).get("messages", [])
        spoken |= {one["$ref"].rpartition("/")[2] for one in both}
    assert spoken == set(messages)
    for message in messages.values():
        assert message["summary"]
        assert message["examples"]


def test_every_example_is_valid_by_its_schema(document: Json):
    for message in document["components"]["messages"].values():
        schema = {**message["payload"], "components": document["components"]}
        for example in message["examples"]:
            jsonschema_rs.Draft7Validator(schema).validate(example["payload"])


def test_the_headers_fields_lie_where_the_table_says(document: Json):
    values = {
        "VIDEO": (1, 3, 0, 114, 4520, 520),
        "AUDIO": (2, 2, 0, 113, 4520, 520),
        "AUDIO_UPLOAD": (16, 1, 1, 48000, 0, 0),
    }
    formats = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
    for key, expected in values.items():
        message = document["components"]["messages"][key]
        data = bytes.fromhex(message["examples"][0]["payload"])
        fields = message["x-header"]
        assert sum(field["bytes"] for field in fields) == HEADER_BYTES
        assert tuple(unpack_from(formats[f["bytes"]], data, f["offset"])[0] for f in fields) == expected


def test_all_codes_are_there_with_their_meanings(document: Json):
    channel = document["channels"]["conversation"]
    assert {int(code) for code in channel["x-close-codes"]} == set(CloseCode)
    assert set(channel["x-error-codes"]) == set(ErrorCode)
