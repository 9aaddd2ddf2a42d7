"""The files under `/static`: the page's parts and the JavaScript client. Knows their names and types; no route."""

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("static")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".ts": "text/plain"}


class StaticFile(NamedTuple):
    """What is served."""

    content: bytes
    media_type: str


def static_file(name: str) -> StaticFile | None:
    """The file of that name; None when there is none. A name with a folder in it never is one."""
    found = {path.name: path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}.get(name)
    return None if found is None else StaticFile(found.read_bytes(), MEDIA_TYPES[found.suffix])
