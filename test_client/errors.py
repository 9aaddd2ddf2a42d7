"""Everything the client raises. Owns no behaviour; imports nothing of the project."""

from collections.abc import Mapping


class ClientError(Exception):
    """Base of all errors of this package; `str(error)` is a sentence for a person."""


class ConnectionRefused(ClientError):
    """The server was not there, or did not want this connection.

    `code` is the HTTP status or the WebSocket close code that said so, None where nothing answered at all.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ConnectionLost(ClientError):
    """An open conversation ended without having been asked to. `code` is the WebSocket close code (1006: none came)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The connection ended with {code}{f' ({reason})' if reason else ''}.")
        self.code = code
        self.reason = reason


class NotConnected(ClientError):
    """A method was called before the connection was opened or after it was closed."""


class ServerError(ClientError):
    """The server answered a request with ERROR. The stream goes on."""

    def __init__(self, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = dict(details or {})


class ReplyTimeout(ClientError):
    """A request got no answer in time."""


class BadServerMessage(ClientError):
    """The server said something that is not of the protocol."""


class AudioFileError(ClientError):
    """A file holds no sound that can be read."""


class RecordingError(ClientError):
    """What was received cannot be saved."""


class MissingExtra(ClientError):
    """An optional package is not installed."""
