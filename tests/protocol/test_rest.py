from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from protocol import rest
from protocol.rest import (
    Avatar,
    Avatars,
    Cache,
    CachedAvatar,
    DamagedAvatar,
    Health,
    Job,
    Jobs,
    JobThumbnail,
    PrepareForm,
    Problem,
    Ready,
    ServiceFigures,
    SessionFigures,
    Sessions,
    SpeakAccepted,
    SpeakRequest,
    Voice,
    Voices,
)

OPENAPI: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = OPENAPI["components"]["schemas"]
MODELS: list[type[BaseModel]] = [
    Health,
    Ready,
    Sessions,
    SessionFigures,
    ServiceFigures,
    Avatar,
    DamagedAvatar,
    Avatars,
    CachedAvatar,
    Cache,
    SpeakAccepted,
    Voice,
    Voices,
    Job,
    Jobs,
    JobThumbnail,
    Problem,
]

SESSION = SessionFigures(
    session_id="s",
    user_id="u",
    avatar="default",
    state="idle",
    base_video="idle_0",
    connected_s=1.5,
    frames_sent=37,
    frames_late=0,
    frames_dropped=0,
    generated=0,
)


def examples(content: dict[str, Any]) -> list[tuple[str, Any]]:
    """(name of the schema, example) of a response's content that has a schema of its own."""
    found = []
    for media in content.values():
        reference = media["schema"].get("$ref", "")
        values = [media["example"]] if "example" in media else [e["value"] for e in media.get("examples", {}).values()]
        found += [(reference.rpartition("/")[2], value) for value in values]
    return found


def test_health_says_ok_and_what_runs_once_that_is_chosen() -> None:
    assert {name for name, value in Health().model_dump().items() if value} == {"status"}
    body = Health(engine="light", engine_reason="no CUDA GPU", h264_encoder="libx264", h264_encoder_reason="no GPU")
    assert Health.model_validate_json(body.model_dump_json()) == body


def test_what_is_not_ready_says_why() -> None:
    body = Ready(ready=False, reasons=["the engine is loading"])
    assert Ready.model_validate_json(body.model_dump_json()) == body


def test_sessions_come_back_as_they_were() -> None:
    service = ServiceFigures(uptime_s=3.0, engine={"name": "light"})
    body = Sessions(active=1, limit=400, speaking=0, sessions=[SESSION], service=service)
    assert Sessions.model_validate_json(body.model_dump_json()) == body


def test_counts_are_not_negative_and_states_are_known() -> None:
    for wrong in ({"frames_sent": -1}, {"connected_s": -0.1}, {"state": "asleep"}):
        with pytest.raises(ValidationError):
            SessionFigures.model_validate(SESSION.model_dump() | wrong)


def test_a_problem_has_an_error_status() -> None:
    assert Problem(title="Not Found", status=404).type == "about:blank"
    with pytest.raises(ValidationError):
        Problem(title="fine", status=200)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_description_has_the_models_fields_with_their_types_and_bounds(model: type[BaseModel]) -> None:
    described, own = SCHEMAS[model.__name__], model.model_json_schema()["properties"]
    assert set(described["properties"]) == set(described["required"]) == set(own)
    for name, field in own.items():
        there = described["properties"][name]
        if "$ref" in there:
            there = SCHEMAS[there["$ref"].rpartition("/")[2]]
        if "$ref" in field:
            assert there is SCHEMAS[field["$ref"].rpartition("/")[2]]
            continue
        if "anyOf" in field:  # a value or null
            value, null = field["anyOf"]
            field = {**value, "type": [value["type"], null["type"]]}
        for word in ("type", "const", "enum", "minimum", "maximum"):
            assert there.get(word) == field.get(word), f"{name}: {word}"


def test_every_schema_is_a_model_and_every_model_is_described() -> None:
    bodies = {name for name, item in vars(rest).items() if isinstance(item, type) and issubclass(item, rest.RestModel)}
    described = set(SCHEMAS) - {"Engine", "SpeakRequest", "PrepareForm", "PrepareUserForm"}
    assert bodies - {"RestModel"} == described == {model.__name__ for model in MODELS}


def test_the_request_to_speak_is_described_with_its_fields_and_bounds() -> None:
    described, own = SCHEMAS["SpeakRequest"], SpeakRequest.model_json_schema()
    assert set(described["properties"]) == set(own["properties"])
    assert described["required"] == own["required"] == ["text"]
    for name, field in own["properties"].items():
        there = described["properties"][name]
        kinds = field.get("anyOf", [field])  # T | None
        assert there["type"] in (kinds[0]["type"], [kind["type"] for kind in kinds])
        for word in ("minLength", "maxLength", "pattern"):
            assert there.get(word) == kinds[0].get(word), f"{name}: {word}"
    for example in OPENAPI["paths"]["/speak"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].values():
        SpeakRequest.model_validate(example["value"])


@pytest.mark.parametrize(
    "wrong", [{}, {"text": ""}, {"text": 5}, {"text": "x" * 10_001}, {"text": "x", "user_id": "a b"}]
)
def test_a_request_to_speak_that_cannot_be_followed_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SpeakRequest.model_validate(wrong)


def test_the_form_of_a_recording_is_described_with_its_fields_and_bounds() -> None:
    described, own = SCHEMAS["PrepareForm"], PrepareForm.model_json_schema()
    files = {name for name, field in described["properties"].items() if field.get("format") == "binary"}
    assert set(described["properties"]) - files == set(own["properties"])
    assert described["required"] == own["required"] == ["avatar_id"]
    for name, field in own["properties"].items():
        value = field.get("anyOf", [field])[0]  # T | None: a form leaves out what is not there
        if value["type"] == "boolean":
            assert described["properties"][name]["enum"] == [True, False, 1, 0]
            continue
        for word in ("type", "pattern", "minimum", "maximum"):
            assert described["properties"][name].get(word) == value.get(word), f"{name}: {word}"


def test_the_texts_of_a_form_are_read_as_numbers_and_flags() -> None:
    form = PrepareForm.model_validate({"avatar_id": "anna", "batch_size": "8", "force_recreate": "true", "more": "x"})
    assert (form.batch_size, form.bbox_shift, form.force_recreate) == (8, None, True)
    for wrong in (
        {},
        {"avatar_id": "a b"},
        {"avatar_id": "a", "batch_size": "x"},
        {"avatar_id": "a", "batch_size": "0"},
    ):
        with pytest.raises(ValidationError):
            PrepareForm.model_validate(wrong)


def test_every_example_is_a_possible_answer() -> None:
    checked = 0
    operations = [operation for path in OPENAPI["paths"].values() for operation in path.values()]
    contents = [r["content"] for operation in operations for r in operation["responses"].values() if "content" in r]
    contents += [response["content"] for response in OPENAPI["components"]["responses"].values()]
    for content in contents:
        for name, value in examples(content):
            model: type[BaseModel] = getattr(rest, name)
            assert model.model_validate(value).model_dump() == value
            checked += 1
    assert checked == 30
