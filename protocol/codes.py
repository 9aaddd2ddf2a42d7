"""The wire's closed lists: error codes, close codes, reasons, and what each means to a client.

Owns no behaviour; imports the standard library only.
"""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    """`code` of an ERROR message."""

    INVALID_MESSAGE = "INVALID_MESSAGE"
    INVALID_SESSION = "INVALID_SESSION"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_NOT_READY = "SERVICE_NOT_READY"
    UNAUTHORIZED = "UNAUTHORIZED"


ERROR_MEANINGS = {
    ErrorCode.INVALID_MESSAGE: "The message cannot be followed and has changed nothing; `details` names the field and "
    "what is allowed. Also for a video or an action that the avatar does not have.",
    ErrorCode.INVALID_SESSION: "The message names another `session_id` than this connection's.",
    ErrorCode.MODEL_NOT_FOUND: "There is no such avatar; the one that is shown stays.",
    ErrorCode.PROCESSING_ERROR: "The engine, the encoder or the voice failed on this speech. It is dropped; the "
    "video goes on in idle. Where the voice failed in mid-text, what it said is played; `details` has the "
    "`utterance_id`.",
    ErrorCode.RATE_LIMIT_EXCEEDED: "More than can be taken: of unspoken speech (`details` says how many bytes were "
    "taken and how many refused), of sessions that speak, of sessions at all, or of frames that nobody reads.",
    ErrorCode.INTERNAL_ERROR: "A fault of the service; a close follows.",
    ErrorCode.SERVICE_NOT_READY: "The service is starting or ending; a close follows. `GET /ready` says when it is "
    "ready.",
    ErrorCode.UNAUTHORIZED: "Kept for services that ask for a token; this one does not.",
}


class CloseCode(IntEnum):
    """Status with which the server closes the WebSocket; 4000 and up are ours (RFC 6455, section 7.4.2)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INVALID_TEXT = 1007  # closed below the application
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SLOW_READER = 4408
    AT_CAPACITY = 4429


CLOSE_MEANINGS = {
    CloseCode.NORMAL: "After CLOSE, or because the client said nothing for longer than the service allows.",
    CloseCode.GOING_AWAY: "The service shuts down.",
    CloseCode.INVALID_TEXT: "A text frame was not UTF-8.",
    CloseCode.INTERNAL_ERROR: "The session failed inside the service. Connect again.",
    CloseCode.SERVICE_RESTART: "The service is starting, or its engine failed and it restarts. Connect again, a little "
    "later each time.",
    CloseCode.UNAUTHORIZED: "Kept for services that ask for a token; this one does not.",
    CloseCode.FORBIDDEN: "Kept for services that ask for a token; this one does not.",
    CloseCode.SLOW_READER: "The client stopped reading its stream.",
    CloseCode.AT_CAPACITY: "As many sessions are open as the service takes. Try again later.",
}


class CloseReason(StrEnum):
    """`reason` of a CLOSE_ACK message."""

    CLIENT_REQUEST = "client_request"
    SERVER_SHUTDOWN = "server_shutdown"
    TIMEOUT = "timeout"
    ERROR = "error"
