"""The files under `/static`: the page's parts and the JavaScript client. Knows their names and types; no route."""

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("static")
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".txt": "text/plain",
}
_VERSIONED = re.compile(r"-\d+\.\d+\.\d+\.")
_KEPT = "public, max-age=31536000, immutable"  # another version has another name
_ASKED_ANEW = "no-cache"  # parts of two versions do not work together


class StaticFile(NamedTuple):
    """What is served."""

    content: bytes
    media_type: str
    cache_control: str


def static_file(name: str) -> StaticFile | None:
    """The file of that name, its folder (`vendor/`) included; None when there is none."""
    found = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*")}.get(name)
    if found is None or found.suffix not in MEDIA_TYPES:
        return None
    return StaticFile(found.read_bytes(), MEDIA_TYPES[found.suffix], _KEPT if _VERSIONED.search(name) else _ASKED_ANEW)
