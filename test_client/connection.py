"""Opens the WebSocket to a server and says in one sentence why it could not.

Owns the address and the handshake; knows no message. Must not import the service.
"""

import re
import ssl
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from protocol.timing import BINARY_SUBPROTOCOL, USER_ID_PATTERN
from test_client.errors import ClientError, ConnectionLost, ConnectionRefused

ENDPOINT = "/musetalk/v1/ws/"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
ABNORMAL_CLOSURE = 1006  # RFC 6455 7.1.5: the connection broke without a close frame
_ENDED_AS_ASKED = (1000, 1001)
_REFUSALS = (4401, 4403, 4429)


def endpoint(url: str, user_id: str) -> str:
    """The socket's address: `url` is the server's (`ws://host:port`), or a whole address that has the path already.

    Raises:
        ConnectionRefused: no WebSocket address, or a `user_id` that no server takes.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ConnectionRefused(f"{url!r} is no WebSocket address; one looks like ws://127.0.0.1:8000.")
    if not re.fullmatch(USER_ID_PATTERN, user_id):
        raise ConnectionRefused(f"The user id {user_id!r} is not 1 to 64 letters, digits, '-' or '_'.")
    if ENDPOINT in parts.path:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}{ENDPOINT}{user_id}{query}"


async def open_socket(
    url: str, user_id: str, *, binary: bool, token: str | None = None, open_timeout_s: float = 10.0
) -> ClientConnection:
    """Connects; returns an open socket that speaks the dialect asked for.

    Raises:
        ConnectionRefused: nobody answers, it is not whom its certificate says, or the handshake is refused.
    """
    address = endpoint(url, user_id)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        socket = await connect(
            address,
            subprotocols=[Subprotocol(BINARY_SUBPROTOCOL)] if binary else None,
            additional_headers=headers,
            compression=None,  # H.264 does not shrink
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=open_timeout_s,
        )
    except InvalidStatus as error:
        raise _refused_by_http(address, error) from error
    except TimeoutError as error:
        raise ConnectionRefused(f"{address} did not answer within {open_timeout_s:g} s.") from error
    except (InvalidURI, InvalidHandshake) as error:
        raise ConnectionRefused(f"{address} did not answer as a WebSocket server: {error}.") from error
    except ssl.SSLCertVerificationError as error:
        raise ConnectionRefused(
            f"{address} has a certificate that is not trusted here ({error.verify_message}); "
            "SSL_CERT_FILE names a file of the authorities to trust."
        ) from error
    except ssl.SSLError as error:
        raise ConnectionRefused(f"{address} does not speak TLS ({error.reason}); is it ws:// instead?") from error
    except OSError as error:
        raise ConnectionRefused(f"Nobody answers at {address}: {error.strerror or error}.") from error
    if binary and socket.subprotocol != BINARY_SUBPROTOCOL:
        await socket.close()
        raise ConnectionRefused(f"{address} does not speak {BINARY_SUBPROTOCOL}; try text mode.")
    return socket


def closing_error(closed: ConnectionClosed, last_error: str | None = None, *, began: bool = True) -> ClientError | None:
    """Why a conversation ended: None when in order, else an error.

    `last_error` is what the server said before; `began` False when no picture had come.
    """
    code = closed.rcvd.code if closed.rcvd else ABNORMAL_CLOSURE
    reason = closed.rcvd.reason if closed.rcvd else ""
    if code in _ENDED_AS_ASKED:
        return None
    if code in _REFUSALS or (last_error is not None and not began):
        return ConnectionRefused(f"The server refused the conversation: {last_error or reason or code}.", code)
    return ConnectionLost(code, reason or last_error or "")


def _refused_by_http(address: str, error: InvalidStatus) -> ConnectionRefused:
    status = error.response.status_code
    body = (error.response.body or b"")[:300].decode("utf-8", "replace").strip()
    return ConnectionRefused(
        f"{address} refused the connection with HTTP {status}{f': {body}' if body else ''}.", status
    )
