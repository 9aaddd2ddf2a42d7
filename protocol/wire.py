"""Bytes and text to messages: the only way in. Returns a message or raises `ProtocolViolation`, never anything else.

Owns no socket and no state; must not import the service. What a message asks for, the service judges.

Refusing costs little whatever was sent: of a long text from a client, all but a little has to be one string, its audio.
"""

import re

from pydantic import TypeAdapter, ValidationError

from protocol.binary import AudioUpload, MediaMessage, unpack_media, unpack_upload
from protocol.client_messages import CLIENT_MESSAGE_TYPES, ClientMessage
from protocol.server_messages import SERVER_MESSAGE_TYPES, ServerMessage
from protocol.violation import ProtocolViolation, schema_violation

__all__ = ["ProtocolViolation", "parse_binary", "parse_server_binary", "parse_server_text", "parse_text"]

MAX_PLAIN_BYTES = 64 * 1024  # a text up to this is read whatever it holds
MAX_AROUND_BYTES = 32 * 1024  # what a longer one may hold besides one string
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+("|\Z)', re.DOTALL)

_CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)
_SERVER: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def parse_text(text: str) -> ClientMessage:
    """A text frame from a client. Raises `ProtocolViolation`, its `details` naming the fields by their path.

    Longer than 64 KiB only with audio: one string of any length and 32 KiB of everything else.
    """
    data = _utf8(text)
    if len(data) > MAX_PLAIN_BYTES and not _is_one_string_and_little_else(data):
        raise ProtocolViolation(
            f"a message longer than {MAX_PLAIN_BYTES} bytes holds one string (audio) and at most {MAX_AROUND_BYTES} "
            "bytes besides",
            {"path": ""},
        )
    try:
        return _CLIENT.validate_json(data)
    except ValidationError as error:
        raise schema_violation(error, CLIENT_MESSAGE_TYPES) from None


def parse_binary(data: bytes) -> AudioUpload:
    """A binary frame from a client. Raises `ProtocolViolation`."""
    return unpack_upload(data)


def parse_server_text(text: str) -> ServerMessage:
    """A text frame from a server, for clients. Raises `ProtocolViolation`."""
    try:
        return _SERVER.validate_json(_utf8(text))
    except ValidationError as error:
        raise schema_violation(error, SERVER_MESSAGE_TYPES) from None


def parse_server_binary(data: bytes) -> MediaMessage:
    """A binary frame from a server, for clients. Raises `ProtocolViolation`."""
    return unpack_media(data)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ProtocolViolation("not JSON: the text holds a lone surrogate", {"path": ""}) from None


def _is_one_string_and_little_else(data: bytes) -> bool:
    # longer than twice what may be around it, so the string lies across the middle; base64 holds no quote
    middle = len(data) // 2
    start = data.rfind(b'"', 0, middle) + 1
    end = data.find(b'"', middle)
    if end < 0 or len(data) - (end - start) > MAX_AROUND_BYTES:
        return False
    inside = False  # whether the quote before it opens a string, or closes one
    for string in _STRING.finditer(data, 0, start):
        inside = not string.group(1)
    return inside
