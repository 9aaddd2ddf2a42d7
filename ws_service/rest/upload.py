"""A multipart form as it comes in: files to the disk piece by piece, texts into memory, both bounded.

Owns the reading of such a body. What is sent as a file is stored under the field's own name, never under one that the
client chose.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ws_service.avatars.recordings import cannot_be_kept

_MAX_TEXT_BYTES = 1024
_MAX_OVERHEAD_BYTES = 65_536  # boundaries, headers and texts
_WRITTEN_AT_ONCE_BYTES = 1_048_576
_SILENCE_S = 30.0
_LEAST_BYTES_PER_S = 50_000  # on the whole, after the time that silence may last: a place in the queue is kept for it


@dataclass(frozen=True, slots=True)
class FormFields:
    """The fields that are taken: `files` and `texts` by name. All others are refused."""

    files: Collection[str]
    texts: Collection[str]


async def read_form(
    request: Request, fields: FormFields, folder: Path, max_bytes: int, silence_s: float = _SILENCE_S
) -> dict[str, str]:
    """Read the body; its files become files of the fields' names in `folder`, of at most `max_bytes` in all.

    Returns the texts by field. Raises `HTTPException` saying what is wrong, `DiskFull`, `ProcessingFailed`.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise HTTPException(415, "The body must be multipart/form-data")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes + _MAX_OVERHEAD_BYTES:
        raise _too_large(max_bytes)
    try:
        form = _Form(options[b"boundary"], fields, folder, max_bytes)
        try:
            async for block in _blocks(request, silence_s):
                await asyncio.to_thread(form.write, block)
        finally:
            form.close()
    except ClientDisconnect:
        raise HTTPException(400, "The connection was closed before the form had come whole") from None
    except FormParserError as error:
        raise HTTPException(400, f"The form is damaged: {error}") from None
    except OSError as error:
        raise cannot_be_kept(error) from error
    if not form.whole:
        raise HTTPException(400, "The form breaks off")
    return form.texts


async def _blocks(request: Request, silence_s: float) -> AsyncIterator[bytes]:
    """The body in blocks worth a trip to a thread. Each piece may take so long, all what their size allows."""
    waiting = bytearray()
    clock_s = asyncio.get_running_loop().time
    last_s = latest_s = clock_s() + silence_s
    pieces = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(min(last_s, latest_s)):
                piece = await anext(pieces)
        except StopAsyncIteration:
            break
        except TimeoutError:
            if last_s <= latest_s:
                raise HTTPException(408, f"Nothing of the form has come for {silence_s:.0f} s") from None
            least = f"{_LEAST_BYTES_PER_S // 1000} kB a second at least"
            raise HTTPException(408, f"The form comes too slowly; send {least}") from None
        waiting += piece
        latest_s += len(piece) / _LEAST_BYTES_PER_S
        last_s = clock_s() + silence_s
        if len(waiting) >= _WRITTEN_AT_ONCE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"The form holds more than {max_bytes} bytes (MAX_UPLOAD_MB)")


class _Form:
    """Takes the body in blocks. `texts` by field; `whole` once the last boundary has come. Blocking."""

    def __init__(self, boundary: bytes, fields: FormFields, folder: Path, max_bytes: int) -> None:
        self.texts: dict[str, str] = {}
        self.whole = False
        self._fields, self._folder, self._max_bytes = fields, folder, max_bytes
        self._bytes = 0
        self._seen: set[str] = set()
        self._field = ""
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._file: BinaryIO | None = None
        self._text: bytearray | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open_part,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def write(self, block: bytes) -> None:
        """Raises `HTTPException`, `FormParserError`, `OSError`."""
        self._bytes += len(block)
        if self._bytes > self._max_bytes + _MAX_OVERHEAD_BYTES:
            raise _too_large(self._max_bytes)
        self._parser.write(block)

    def close(self) -> None:
        """Close the file that is open, if any."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begin_part(self) -> None:
        self._header, self._disposition = (b"", b""), b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], self._header[1]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def _header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = b"", b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        if self._field not in self._fields.files and self._field not in self._fields.texts:
            known = ", ".join([*self._fields.texts, *self._fields.files])
            raise HTTPException(400, f"{self._field[:100]!r} is no field of this form; there are: {known}")
        if self._field in self._seen:
            raise HTTPException(400, f"{self._field}: given twice")
        self._seen.add(self._field)
        if self._field in self._fields.files:
            self._file = (self._folder / self._field).open("xb")
        else:
            self._text = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > _MAX_TEXT_BYTES:
                raise HTTPException(400, f"{self._field}: longer than {_MAX_TEXT_BYTES} bytes")

    def _end_part(self) -> None:
        self.close()
        text, self._text = self._text, None
        if text is not None:
            try:
                self.texts[self._field] = text.decode()
            except UnicodeDecodeError:
                raise HTTPException(400, f"{self._field}: is not UTF-8") from None

    def _end(self) -> None:
        self.whole = True
