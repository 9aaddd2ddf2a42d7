"""The socket as an AsyncAPI 3.0 document, made from the messages, the binary header and the codes.

Owns the words around them. Must not know how the document is written down or served.
"""

from collections.abc import Sequence
from struct import calcsize
from typing import get_args

from pydantic import BaseModel

from protocol.binary import HEADER, HEADER_BYTES, MediaFlag, MediaKind, UploadFlag
from protocol.client_messages import CLIENT_MESSAGE_TYPES, ClientMessage
from protocol.codes import CLOSE_MEANINGS, ERROR_MEANINGS
from protocol.examples import CLIENT_EXAMPLES, SERVER_EXAMPLES, Example, binary_examples
from protocol.message_schemas import Json, schemas
from protocol.server_messages import SERVER_MESSAGE_TYPES, ServerMessage
from protocol.timing import BINARY_SUBPROTOCOL, SOCKET_PATH

_CHANNEL = "conversation"
_BINARY = "application/octet-stream"

_INTRODUCTION = f"""\
One WebSocket is one conversation. **Video flows from connect**, before any message: a face that listens. Push speech
with GENERATE, and it speaks.

**Messages** are JSON text, `{{"type", "session_id", "data"}}`, media in base64. With the subprotocol
`{BINARY_SUBPROTOCOL}` media are binary messages instead, in both directions, and all else stays JSON. Fields may be
added to any message; ignore those you do not know.

**Time is a count.** A frame is 40 ms is 640 samples at 16 kHz. `frame_timestamp` counts 40 ms per frame over the whole
connection; `audio_ms` counts from 0 in each utterance. N samples of an utterance (at 16 kHz) give ceil(N / 640)
generated frames. Without `audio_out` no sound comes back: play your own so that sample `audio_ms` is heard when that
frame is shown.

**Video** is H.264 baseline, 512 x 512, 25 frames a second, no B-frames, one access unit per message, an IDR with SPS
and PPS at least every 25 frames. A reader too slow for it loses whole groups up to the next IDR, and sees the gap in
`frame_timestamp`.

**Errors** never end the stream, except where a close code says so. A message that cannot be followed gets an ERROR that
names the field and what is allowed, and changes nothing.
"""

_DOWN_HEADER = (
    ("kind", f"{MediaKind.VIDEO:d}: an H.264 access unit; {MediaKind.AUDIO:d}: its sound, s16le mono 16 kHz"),
    (
        "flags",
        f"{MediaFlag.KEYFRAME:d}: an IDR; {MediaFlag.GENERATED:d}: generated, it shows speech; "
        f"{MediaFlag.ACTION:d}: of an action. Ignore others",
    ),
    ("action_progress", "how much of the action has been shown, in 1/65535"),
    ("sequence", "counts media messages, modulo 2**32"),
    ("frame_timestamp", "ms since connect"),
    ("audio_ms", "where in the utterance the audio starts that the frame shows; 0xFFFFFFFF: it shows none"),
)
_UP_HEADER = (
    ("kind", f"{MediaKind.AUDIO_UPLOAD:d}: audio, s16le"),
    ("flags", f"{UploadFlag.END_OF_UTTERANCE:d}: the utterance ends with it, as SPEAK_END says"),
    ("channels", "1 or 2"),
    ("sample_rate", "Hz, 8000 to 48000"),
    ("reserved", "0"),
    ("reserved", "0"),
)
_BINARY_MESSAGES = {
    MediaKind.AUDIO_UPLOAD: (
        "AUDIO_UPLOAD",
        "Speech, as GENERATE brings it: PCM of any length, none for the end alone.",
    ),
    MediaKind.VIDEO: ("VIDEO", "One encoded picture, as VIDEO_FRAME brings it."),
    MediaKind.AUDIO: ("AUDIO", "The 640 samples of the picture that follows, as AUDIO_FRAME brings them."),
}

# what may follow each message of a client, ERROR aside; what is not here is answered by nothing
_REPLIES = {
    "INIT": ("INIT_SUCCESS",),
    "GENERATE": ("SPEAK_STARTED", "SPEAK_ENDED"),
    "STATE_CHANGE": ("STATE_CHANGED",),
    "ACTION": ("ACTION_TRIGGERED", "ACTION_FRAME"),
    "INTERRUPT": ("SPEAK_ENDED", "INTERRUPTED"),
    "SPEAK_END": ("SPEAK_ENDED",),
    "CLOSE": ("CLOSE_ACK",),
    "AUDIO_UPLOAD": ("SPEAK_STARTED", "SPEAK_ENDED"),
}


def asyncapi_document() -> Json:
    """The whole document, as JSON."""
    client, server = _models(ClientMessage), _models(ServerMessage)
    heard = {_key(model, CLIENT_MESSAGE_TYPES): model for model in client}
    said = {_key(model, SERVER_MESSAGE_TYPES): model for model in server}
    messages = {
        **{key: _message(model, CLIENT_EXAMPLES) for key, model in heard.items()},
        **{key: _message(model, SERVER_EXAMPLES) for key, model in said.items()},
        **{_BINARY_MESSAGES[kind][0]: _binary_message(kind, data) for kind, data in binary_examples().items()},
    }
    upload = _BINARY_MESSAGES[MediaKind.AUDIO_UPLOAD][0]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "musetalk-stream: the socket",
            "version": "1.1",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "As `musetalk serve` starts it."},
            "tls": {
                "host": "{host}",
                "protocol": "wss",
                "description": "With `SSL_CERTFILE` and `SSL_KEYFILE`, or behind a proxy that has a certificate.",
                "variables": {"host": {"description": "Where the service runs.", "default": "localhost:8000"}},
            },
        },
        "channels": {_CHANNEL: _channel(messages)},
        "operations": {
            **{_name("take", key): _operation("receive", [key], _REPLIES.get(key, ())) for key in (*heard, upload)},
            "stream": {
                **_operation("send", ["VIDEO_FRAME", "ACTION_FRAME", "AUDIO_FRAME"]),
                "summary": "25 frames a second, each after its sound where that was asked for.",
            },
            "streamBinary": {
                **_operation("send", ["VIDEO", "AUDIO"]),
                "summary": f"The same under the subprotocol `{BINARY_SUBPROTOCOL}`.",
            },
            "tell": {
                **_operation("send", ["SPEAK_STARTED", "SPEAK_ENDED", "ERROR", "PING", "CLOSE_ACK"]),
                "summary": "What comes without being asked for.",
            },
        },
        "components": {"messages": messages, "schemas": schemas(client, server)},
    }


def _channel(messages: Json) -> Json:
    return {
        "address": SOCKET_PATH,
        "title": "One conversation with one avatar",
        "parameters": {
            "user_id": {
                "description": "Who speaks, `^[A-Za-z0-9_-]{1,64}$`. Also the name of the avatar to show, unless INIT "
                "names another; the default one answers where there is none of that name.",
                "examples": ["anna"],
            }
        },
        "servers": [{"$ref": "#/servers/local"}, {"$ref": "#/servers/tls"}],
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        "Sec-WebSocket-Protocol": {
                            "type": "string",
                            "enum": [BINARY_SUBPROTOCOL],
                            "description": "For binary media. Left out: base64 in JSON. Any other is refused with 400.",
                        },
                        "Origin": {
                            "type": "string",
                            "description": "Set by browsers; one that CORS_ORIGINS does not allow is refused with 403.",
                        },
                    },
                },
                "bindingVersion": "0.1.0",
            }
        },
        "x-close-codes": {str(int(code)): {"name": code.name, "description": m} for code, m in CLOSE_MEANINGS.items()},
        "x-error-codes": {code.value: meaning for code, meaning in ERROR_MEANINGS.items()},
    }


def _operation(action: str, keys: Sequence[str], replies: Sequence[str] = ()) -> Json:
    channel = f"#/channels/{_CHANNEL}"
    reply = {
        "reply": {
            "channel": {"$ref": channel},
            "messages": [{"$ref": f"{channel}/messages/{key}"} for key in (*replies, "ERROR")],
        }
    }
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{key}"} for key in keys],
        **(reply if replies else {}),
    }


def _message(model: type[BaseModel], examples: Sequence[Example]) -> Json:
    name, aliases = _types(model)[0], _types(model)
    summary, _, more = (model.__doc__ or "").partition("\n")
    more = "\n".join(line.strip() for line in more.strip().splitlines())
    return {
        "name": name,
        "title": name,
        "summary": summary,
        **({"description": more} if more else {}),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": [{"summary": e.summary, "payload": e.message} for e in examples if e.type in aliases],
    }


def _binary_message(kind: MediaKind, example: bytes) -> Json:
    key, summary = _BINARY_MESSAGES[kind]
    fields, offset = [], 0
    for code, (name, meaning) in zip(
        HEADER.format[1:], _UP_HEADER if kind is MediaKind.AUDIO_UPLOAD else _DOWN_HEADER, strict=True
    ):
        size = calcsize("<" + code)
        fields.append({"offset": offset, "bytes": size, "name": name, "description": meaning})
        offset += size
    return {
        "name": key,
        "title": f"{key}, kind {kind:d}",
        "summary": summary,
        "description": f"A header of {HEADER_BYTES} bytes, little-endian, then the media. Under the subprotocol only.",
        "contentType": _BINARY,
        "payload": {"type": "string", "format": "binary", "description": "The header of `x-header`, then the media."},
        "examples": [{"summary": "in hexadecimal, cut short", "payload": example.hex(" ")}],
        "x-header": fields,
    }


def _models(union: object) -> list[type[BaseModel]]:
    """The members of an annotated union."""
    return list(get_args(get_args(union)[0]))


def _types(model: type[BaseModel]) -> tuple[str, ...]:
    """What its `type` may be, the usual one first."""
    return get_args(model.model_fields["type"].annotation)


def _key(model: type[BaseModel], side: Sequence[str]) -> str:
    """Its `type`; a client's PING is another message than the server's."""
    name = _types(model)[0]
    return f"CLIENT_{name}" if side is CLIENT_MESSAGE_TYPES and name in SERVER_MESSAGE_TYPES else name


def _name(verb: str, key: str) -> str:
    return verb + key.title().replace("_", "")
