"""Bytes and text to messages: the only way in. Returns a message or raises `ProtocolViolation`, never anything else.

Owns no socket and no state; must not import the service. What a message asks for, the service judges.
"""

from pydantic import TypeAdapter, ValidationError

from protocol.binary import AudioUpload, MediaMessage, unpack_media, unpack_upload
from protocol.client_messages import CLIENT_MESSAGE_TYPES, ClientMessage
from protocol.server_messages import SERVER_MESSAGE_TYPES, ServerMessage
from protocol.violation import ProtocolViolation, schema_violation

__all__ = ["ProtocolViolation", "parse_binary", "parse_server_binary", "parse_server_text", "parse_text"]

_CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)
_SERVER: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def parse_text(text: str) -> ClientMessage:
    """A text frame from a client. Raises `ProtocolViolation`, its `details` naming the fields by their path."""
    try:
        return _CLIENT.validate_json(_utf8(text))
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
