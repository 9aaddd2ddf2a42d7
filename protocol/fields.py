"""Field types that client and server messages share. Owns the base64 of media; imports pydantic only."""

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from protocol.timing import MAX_CHUNK_BYTES, USER_ID_PATTERN

_MAX_CHUNK_CHARS = -(-MAX_CHUNK_BYTES // 3) * 4


class WireModel(BaseModel):
    """Unknown fields are ignored: each side may know more than the other. Numbers must be numbers, not text."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def _decode_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise ValueError(f"is not base64 ({str(error).lower()})") from None


def _decode_chunk(value: object) -> object:
    # refused by its length before the work of decoding it
    if isinstance(value, str) and len(value) > _MAX_CHUNK_CHARS:
        raise ValueError(f"holds more than {MAX_CHUNK_BYTES} bytes of audio")
    return _decode_base64(value)


def _encode_base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")


_AS_BASE64 = (
    PlainSerializer(_encode_base64, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
)

MediaBytes = Annotated[bytes, BeforeValidator(_decode_base64), *_AS_BASE64]
"""Bytes in Python, base64 text in JSON (RFC 4648, section 4, padded, no line breaks)."""

ChunkBytes = Annotated[bytes, Field(max_length=MAX_CHUNK_BYTES), BeforeValidator(_decode_chunk), *_AS_BASE64]
"""The same, of at most `MAX_CHUNK_BYTES`."""

AvatarName = Annotated[str, Field(pattern=USER_ID_PATTERN)]
VideoName = Annotated[str, Field(min_length=1, max_length=128)]
UtteranceId = Annotated[str, Field(min_length=1, max_length=128)]
SessionId = Annotated[str, Field(max_length=128)]
