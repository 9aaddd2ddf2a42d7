"""Parts of an answer: what players ask for when somebody jumps in a film (RFC 9110, 14). The content is in memory."""

import re
import zlib
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_ONE_PART = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def whole_or_part(content: bytes, request: Request, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """All of `content`, or the one part that the request asks for. Raises `HTTPException` where there is no such part.

    What asks for several parts, for one of another content (If-Range), or in another way, gets all.
    """
    etag = f'"{zlib.crc32(content):08x}"'
    told = {**headers, "accept-ranges": "bytes", "etag": etag}
    part = _part(request.headers.get("range", ""), len(content))
    if part is None or request.headers.get("if-range", etag) != etag:
        return Response(content, headers=told, media_type=media_type)
    if not part:
        told = {"content-range": f"bytes */{len(content)}"}
        raise HTTPException(416, f"Range: there are {len(content)} bytes, counted from 0", told)
    told["content-range"] = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
    return Response(content[part.start : part.stop], 206, told, media_type)


def _part(asked: str, size_bytes: int) -> range | None:
    """Which bytes a Range header means; None where it means none that is known."""
    found = _ONE_PART.fullmatch(asked)
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        return None
    if not first:
        return range(max(size_bytes - int(last), 0), size_bytes)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size_bytes) if last else size_bytes)
