"""The one error that parsing raises, and how it is told: which field, what was wrong, what is allowed.

Owns the wording of refusals. Whatever a peer sent is quoted cut short, so an answer never grows with the question.
Must not import the service.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from protocol.codes import ErrorCode

MAX_PROBLEMS = 8
MAX_QUOTE_CHARS = 60
MAX_PATH_CHARS = 200


class ProtocolViolation(Exception):
    """A message that is not of the protocol. `details["path"]` names the field, `""` the message as a whole."""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = ErrorCode.INVALID_MESSAGE
        self.message = message
        self.details = dict(details or {})


def field_violation(path: str, message: str, **details: object) -> ProtocolViolation:
    """A violation at one field."""
    return ProtocolViolation(f"{path}: {message}", {"path": path, **details})


def schema_violation(error: ValidationError, message_types: Sequence[str]) -> ProtocolViolation:
    """The violation that tells what pydantic found, every wrong field with its path (at most `MAX_PROBLEMS`)."""
    found = error.errors(include_url=False, include_context=True, include_input=True)
    problems = [_problem(one, message_types) for one in found[:MAX_PROBLEMS]]
    first = problems[0]
    details: dict[str, Any] = dict(first)
    if len(problems) > 1:
        details["problems"] = problems
    where = f"{first['path']}: " if first["path"] else ""
    return ProtocolViolation(f"{where}{first['message']}", details)


def quote(value: object) -> str:
    """What the peer sent, as text that is safe to send back: short, printable ASCII."""
    if isinstance(value, str | bytes):
        text = ascii(value[: MAX_QUOTE_CHARS + 1])
    elif isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if value.bit_length() < 128 else "a huge number"
    else:
        text = ascii(value)
    return text if len(text) <= MAX_QUOTE_CHARS else text[: MAX_QUOTE_CHARS - 3] + "..."


def _problem(error: ErrorDetails, message_types: Sequence[str]) -> dict[str, Any]:
    kind, given = error["type"], error["input"]
    path = _path(error["loc"], message_types)
    if kind == "union_tag_invalid":
        return {"path": "type", "message": "unknown message type", "allowed": list(message_types)}
    if kind == "union_tag_not_found":
        return {"path": "type", "message": "a message needs a type", "allowed": list(message_types)}
    if kind == "json_invalid":
        # jiter's own words name line and column, which is all that helps
        return {"path": "", "message": _sendable(f"not JSON: {error.get('ctx', {}).get('error', 'unreadable')}")}
    if kind in ("model_attributes_type", "model_type", "dict_type") and not path:
        return {"path": "", "message": "a message is a JSON object"}
    if kind == "missing":
        return {"path": path, "message": "is required"}
    message = error["msg"].removeprefix("Value error, ")
    message = _sendable(message[:1].lower() + message[1:])
    if isinstance(given, dict | list) and kind == "value_error":
        return {"path": path, "message": message}
    return {"path": path, "message": f"{message}, got {quote(given)}"}


def _path(location: tuple[int | str, ...], message_types: Sequence[str]) -> str:
    steps = list(location)
    if steps and steps[0] in message_types:
        steps = steps[1:]  # pydantic puts the union's tag first
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return _sendable(path)


def _sendable(text: str) -> str:
    # a library's sentence may quote the peer: bound it, and keep it to characters that can be sent
    return text[:MAX_PATH_CHARS].encode("ascii", "backslashreplace").decode("ascii")
