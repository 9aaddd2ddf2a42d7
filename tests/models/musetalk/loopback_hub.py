"""A small hub on 127.0.0.1 that answers as the real one does: large files by redirect with their SHA-256, small ones
with git's hash of the blob, ranges served, errors with their code in a header. It can break off, lie, or ignore ranges.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE_BYTES = 1000  # files from this size on are served as the hub serves what git LFS holds


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Hub:
    """What the hub serves, how it misbehaves, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)  # "owner/repository/path": content
    endpoint: str = ""
    storage: str = ""  # where large files lie: another host's name, as at the real hub
    break_off_after: int | None = None  # bytes of the first body that is longer
    fail_then: bool = False  # and from then on be `down`
    down: bool = False
    spoil: bool = False  # send other bytes than the checksum was made of
    ranges: bool = True
    content_hashes: bool = True  # False: an ETag that says nothing of the content, as some mirrors give
    bodies: list[tuple[str, str | None]] = field(default_factory=list)  # (file, Range) of every GET of content


@contextmanager
def running_hub(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub on a free port until the block is left."""
    hub = Hub(dict(files))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: bool) -> None:
            if hub.down:
                self._head(503, {"Content-Length": "0"})
                return
            if self.path.startswith("/cdn/"):
                self._content(self.path.removeprefix("/cdn/"), body, {})
                return
            name = self.path.removeprefix("/").replace("/resolve/main/", "/", 1)
            content = hub.files.get(name)
            if content is None:
                self._head(404, {"X-Error-Code": "EntryNotFound", "Content-Length": "0"})
            elif len(content) < LARGE_BYTES:
                blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                self._content(name, body, {"ETag": f'"{blob if hub.content_hashes else "W/abc"}"'})
            else:
                etag = sha256(content) if hub.content_hashes else "abc"
                linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
                self._head(302, linked | {"Location": f"{hub.storage}/cdn/{name}", "Content-Length": "0"})

        def _content(self, name: str, body: bool, headers: dict[str, str]) -> None:
            content = hub.files[name]
            if hub.spoil:
                content = bytes(255 - byte for byte in content)
            asked = self.headers.get("Range")
            if body:
                hub.bodies.append((name, asked))
            if asked and hub.ranges:
                start = int(asked.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                content = content[start:]
            self._head(206 if asked and hub.ranges else 200, headers | {"Content-Length": str(len(content))})
            if not body:
                return
            if hub.break_off_after is None or len(content) <= hub.break_off_after:
                self.wfile.write(content)
                return
            sent, hub.break_off_after = content[: hub.break_off_after], None
            self.wfile.write(sent)
            self.wfile.flush()
            hub.down = hub.fail_then
            self.close_connection = True

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in ({"X-Repo-Commit": "0" * 40} | headers).items():
                self.send_header(key, value)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        hub.storage = f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
