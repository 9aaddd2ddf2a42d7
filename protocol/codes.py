"""The wire's closed lists: error codes, close codes, reasons. Owns no behaviour; imports the standard library only."""

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


class CloseCode(IntEnum):
    """Status with which the server closes the WebSocket; 4000 and up are ours (RFC 6455, section 7.4.2)."""

    NORMAL = 1000
    GOING_AWAY = 1001  # the server shuts down
    INVALID_TEXT = 1007  # a text frame that is not UTF-8; closed below the application
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SLOW_READER = 4408
    AT_CAPACITY = 4429


class CloseReason(StrEnum):
    """`reason` of a CLOSE_ACK message."""

    CLIENT_REQUEST = "client_request"
    SERVER_SHUTDOWN = "server_shutdown"
    TIMEOUT = "timeout"
    ERROR = "error"
