"""Forms as they come in, in pieces of any size: what becomes of the files, and a sentence for what is wrong."""

import asyncio
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.virtual_time import run_virtual
from ws_service.errors import DiskFull, ProcessingFailed
from ws_service.rest.upload import FormFields, _blocks, read_form

FIELDS = FormFields(files=("video_file", "image_file"), texts=("avatar_id",))


def part(name: str, body: bytes, more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + body + b"\r\n"


END = b"--b--\r\n"


def request(
    pieces: list[bytes], kind: str = "multipart/form-data; boundary=b", *, whole: bool = True, **headers: str
) -> Request:
    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or not whole}

    fields = [
        (b"content-type", kind.encode()),
        *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
    ]
    return Request({"type": "http", "method": "POST", "headers": fields}, receive)


async def read(folder: Path, body: bytes | list[bytes], max_bytes: int = 1_000_000, **how: Any) -> dict[str, str]:
    return await read_form(request(body if isinstance(body, list) else [body], **how), FIELDS, folder, max_bytes)


async def test_files_and_texts_come_out_as_they_went_in_however_they_are_cut(tmp_path: Path) -> None:
    rng = random.Random(5)
    video = rng.randbytes(70_000) + b"\r\n--bb\r\n--"
    body = part("avatar_id", b"anna") + part("video_file", video, '; filename="../../etc/x.mp4"') + END
    for index in range(20):
        cuts = sorted({0, len(body), *(rng.randrange(len(body)) for _ in range(rng.randrange(40)))})
        pieces = [body[a:b] for a, b in pairwise(cuts)]
        folder = tmp_path / str(index)
        folder.mkdir()
        assert await read(folder, pieces) == {"avatar_id": "anna"}
        assert [file.name for file in folder.iterdir()] == ["video_file"]
        assert (folder / "video_file").read_bytes() == video


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "breaks off"),
        (part("video_file", b"x" * 50), 400, "breaks off"),
        (b"hello", 400, "damaged"),
        (part("avatar_id", b"a") + part("avatar_id", b"b") + END, 400, "avatar_id: given twice"),
        (part("video_file", b"a") + part("video_file", b"b") + END, 400, "video_file: given twice"),
        (part("avatar_id", b"x" * 1025) + END, 400, "avatar_id: longer than 1024 bytes"),
        (part("avatar_id", b"\xff") + END, 400, "avatar_id: is not UTF-8"),
        (part("actoins", b"x") + END, 400, "'actoins' is no field of this form; there are: avatar_id, video_file, "),
        (b"--b\r\n\r\nx\r\n" + END, 400, "'' is no field"),
        (part("video_file", b"x" * 300_000) + END, 413, "more than 200000 bytes"),
    ],
)
async def test_what_is_wrong_with_a_form_is_said(tmp_path: Path, body: bytes, status: int, says: str) -> None:
    with pytest.raises(HTTPException) as refused:
        await read(tmp_path, body, 200_000)
    assert refused.value.status_code == status
    assert says in refused.value.detail


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=b"])
async def test_other_bodies_are_415(tmp_path: Path, kind: str) -> None:
    with pytest.raises(HTTPException) as refused:
        await read(tmp_path, END, kind=kind)
    assert refused.value.status_code == 415


async def test_what_announces_too_much_is_refused_before_it_comes(tmp_path: Path) -> None:
    with pytest.raises(HTTPException) as refused:
        await read(tmp_path, [], content_length="2000000")
    assert refused.value.status_code == 413


async def test_a_client_that_goes_away_or_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    begun = part("video_file", b"x")
    with pytest.raises(HTTPException, match="400: The connection was closed"):
        await read(tmp_path, begun, whole=False)

    async def silent() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    waiting = Request(
        {"type": "http", "method": "POST", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}, silent
    )
    with pytest.raises(HTTPException) as refused:
        await read_form(waiting, FIELDS, tmp_path, 1000, silence_s=0.01)
    assert refused.value.status_code == 408
    assert refused.value.detail.startswith("Nothing of the form")


@pytest.mark.parametrize(("bytes_a_second", "is_taken"), [(1, False), (40_000, False), (60_000, True)])
def test_a_form_that_trickles_in_is_given_up_however_often_something_comes(bytes_a_second: int, is_taken: bool) -> None:
    left = [b"x" * 10 * bytes_a_second] * 100

    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(10)
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    async def send() -> None:
        async for _ in _blocks(Request({"type": "http", "method": "POST", "headers": []}, trickle), 30.0):
            pass

    if is_taken:
        run_virtual(send())
    else:
        with pytest.raises(HTTPException, match="408: The form comes too slowly; send 50 kB"):
            run_virtual(send())


async def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", lambda *_: open("/dev/full", "wb"))  # noqa: SIM115
    with pytest.raises(DiskFull, match="no room"):
        await read(tmp_path, part("video_file", b"x" * 100) + END)


async def test_a_folder_that_is_gone_is_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(ProcessingFailed, match="cannot be kept: No such file or directory"):
        await read(tmp_path / "removed", part("video_file", b"x") + END)
