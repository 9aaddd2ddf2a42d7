"""Which pages may use the service from a browser. Imports the standard library only."""

from collections.abc import Collection
from urllib.parse import urlsplit


def may_come_from(origin: str, host: str, allowed: Collection[str]) -> bool:
    """`origin` is listed in CORS_ORIGINS, or it is the page that this very service served as `host`."""
    if "*" in allowed or origin.rstrip("/") in allowed:
        return True
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False
