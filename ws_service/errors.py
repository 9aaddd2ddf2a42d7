"""The service's errors: one tree, each class carries what the wire and the figures need.

Exceptions of Starlette, PyAV and the engines do not leave the module that called them; they become one of these.
"""

from typing import Any, ClassVar

from protocol.codes import CloseCode, ErrorCode


class ServiceError(Exception):
    """An error the client is told of: by ERROR with `code`, or by an HTTP answer with `http_status`.

    `close_code` is set when the connection cannot go on.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR
    http_status: ClassVar[int] = 500
    close_code: ClassVar[CloseCode | None] = None

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}


class InvalidMessage(ServiceError):
    """The message cannot be followed; nothing has changed."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 400


class InvalidSession(ServiceError):
    """The message names another session than this connection's."""

    code = ErrorCode.INVALID_SESSION


class SessionNotFound(ServiceError):
    """No open session is meant, or it has just ended."""

    code = ErrorCode.INVALID_SESSION
    http_status = 404


class SessionAmbiguous(ServiceError):
    """Several open sessions are meant."""

    code = ErrorCode.INVALID_SESSION
    http_status = 409


class NoVoice(ServiceError):
    """No voice is installed; the message says how to get one."""

    code = ErrorCode.SERVICE_NOT_READY
    http_status = 503


class VoiceNotFound(ServiceError):
    """There is no voice of that name."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 404


class VoiceFailed(ServiceError):
    """The voice gave no sound, or not all of it."""

    code = ErrorCode.PROCESSING_ERROR
    http_status = 502


class VoiceTimeout(VoiceFailed):
    """The voice was silent for too long."""

    http_status = 504


class AvatarNotFound(ServiceError):
    """No avatar of that name, and the service was told not to answer with the default one."""

    code = ErrorCode.MODEL_NOT_FOUND
    http_status = 404


class AvatarInUse(ServiceError):
    """The avatar is shown, or always kept, so that this cannot be done to it."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 409


class AvatarExists(ServiceError):
    """An avatar of that name is there already and is not to be replaced."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 409


class AvatarBusy(ServiceError):
    """An avatar of that name is being prepared."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 409


class JobNotFound(ServiceError):
    """There is no such job, or it ended long ago."""

    code = ErrorCode.INVALID_MESSAGE
    http_status = 404


class JobsFull(ServiceError):
    """As many recordings wait to be prepared as may."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    http_status = 429


class DiskFull(ServiceError):
    """There is no room for the recording."""

    http_status = 507


class ProcessingFailed(ServiceError):
    """The engine or the encoder failed on this speech; the base video goes on."""

    code = ErrorCode.PROCESSING_ERROR


class EngineUnavailable(ProcessingFailed):
    """There is no engine now, or it failed in an unexpected way; the same may work later."""

    http_status = 503


class AvatarDamaged(ProcessingFailed):
    """What lies on the disk under that name cannot be used; the message says which file is wrong."""

    http_status = 409


class QueueFull(ServiceError):
    """More speech was pushed than may wait; what was taken is played."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    http_status = 429


class SpeakersFull(ServiceError):
    """As many sessions speak as the engine carries; this utterance is dropped, the video goes on in idle."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    http_status = 429


class AtCapacity(ServiceError):
    """The session limit is reached."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    close_code = CloseCode.AT_CAPACITY


class NotReady(ServiceError):
    """The service is still warming up, or is about to stop."""

    code = ErrorCode.SERVICE_NOT_READY
    http_status = 503
    close_code = CloseCode.SERVICE_RESTART


class SlowReader(ServiceError):
    """The client stopped reading its stream."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    close_code = CloseCode.SLOW_READER


class PeerGone(Exception):
    """The other end of the socket is gone; there is nobody left to tell."""


class StartError(Exception):
    """The service cannot start: one sentence for the person who started it. The command exits with code 2."""
