"""JSON schemas of the messages, as they look on the wire. Owns what pydantic's own schemas say less exactly."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from protocol.client_messages import CLIENT_MESSAGE_TYPES

Json = dict[str, Any]


def schemas(client: Sequence[type[BaseModel]], server: Sequence[type[BaseModel]]) -> Json:
    """By the names of the models, for `#/components/schemas`.

    A client must name the type of its message; all other defaults it may leave out. The server leaves out what would be
    null, and sends everything else.
    """
    heard, said = _definitions(client, "validation"), _definitions(server, "serialization")
    for schema in heard.values():
        if schema.get("properties", {}).get("type", {}).get("default") in CLIENT_MESSAGE_TYPES:
            schema["required"] = ["type", *schema.get("required", [])]
    for schema in said.values():
        _say_what_is_sent(schema)
    return {name: _plain(schema) for name, schema in (heard | said).items()}


class _Untitled(GenerateJsonSchema):
    """A field's title would be its name once more."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never."""
        return False


def _definitions(models: Iterable[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Json]:
    template = "#/components/schemas/{model}"
    _, found = models_json_schema([(m, mode) for m in models], ref_template=template, schema_generator=_Untitled)
    return dict(found["$defs"])


def _say_what_is_sent(schema: Json) -> None:
    fields = schema.get("properties", {})
    sent = []
    for name, field in fields.items():
        if field.pop("default", ...) is None:
            (only,) = (one for one in field.pop("anyOf") if one != {"type": "null"})
            fields[name] = only | field
        else:
            sent.append(name)
    if sent:
        schema["required"] = sent


def _plain(schema: object) -> object:
    """Without defaults that say nothing; and a reference stands alone, as JSON Schema draft 7 wants it."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items() if not (key == "default" and value in (None, {}))}
    if "$ref" in plain and len(plain) > 1:
        plain = {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain
