"""The avatars' routes over a folder of small avatars: what they tell, and what damage and removal do."""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.preview import preview_video
from ws_service.avatars.store import AvatarStore
from ws_service.rest.avatars import REPORT_NAME, AvatarRoutes
from ws_service.rest.routes import problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("anna", "default"):
        put_avatar(tmp_path, name, shade=120)
    return tmp_path


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    routes = AvatarRoutes(AvatarStore(folder), "default", lambda _: None).routes()
    app = Starlette(routes=routes, exception_handlers={HTTPException: problem})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as running:
        yield running


async def test_an_avatar_is_told_by_itself_and_in_the_list(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/avatars")).json()
    assert [avatar["avatar_id"] for avatar in listed["avatars"]] == ["anna", "default"]
    assert listed["default"] == "default"
    anna = (await client.get("/avatars/anna")).json()
    assert anna == listed["avatars"][0]
    assert anna["frames"] == {"idle_0": 25, "speaking_0": 25}
    assert anna["engines"] == ["light"]
    assert anna["size_bytes"] > 2 * 25 * 768 * 512
    assert anna["prepared_at"].startswith("20")


async def test_a_damaged_avatar_is_named_apart_and_can_be_removed(client: httpx.AsyncClient, folder: Path) -> None:
    (folder / "anna" / "manifest.json").write_text("{")
    listed = (await client.get("/avatars")).json()
    assert [avatar["avatar_id"] for avatar in listed["avatars"]] == ["default"]
    (damaged,) = listed["damaged"]
    assert damaged["avatar_id"] == "anna"
    assert damaged["reason"].startswith("anna/manifest.json: is damaged")
    for path in ("", "/preview.jpg", "/preview.mp4"):
        answer = await client.get(f"/avatars/anna{path}")
        assert answer.status_code == 409
        assert "anna/manifest.json" in answer.json()["detail"]
        assert str(folder) not in answer.text
    assert (await client.delete("/avatars/anna")).status_code == 204
    assert (await client.get("/avatars")).json()["damaged"] == []


async def test_removing_leaves_nothing_and_spares_the_default_avatar(client: httpx.AsyncClient, folder: Path) -> None:
    assert (await client.delete("/avatars/anna")).status_code == 204
    assert (await client.delete("/avatars/anna")).status_code == 404
    refused = await client.delete("/avatars/default")
    assert (refused.status_code, "default one" in refused.json()["detail"]) == (409, True)
    assert os.listdir(folder) == ["default"]


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", "a%2fb", "x" * 65, "%00", ".anna"])
async def test_a_name_that_is_none_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    for path in ("", "/preview.jpg", "/preview.mp4"):
        assert (await client.get(f"/avatars/{name}{path}")).status_code == 404
    assert (await client.delete(f"/avatars/{name}")).status_code in (404, 405)


async def test_the_previews_show_the_idle_video(client: httpx.AsyncClient, folder: Path) -> None:
    picture = await client.get("/avatars/anna/preview.jpg")
    assert picture.headers["content-type"] == "image/jpeg"
    with av.open(io.BytesIO(picture.content)) as file:
        shown = next(file.decode(video=0)).to_ndarray(format="gray")
    assert shown.shape == (512, 512)
    assert abs(int(shown.mean()) - 121) < 3  # luma 120 is this grey in a JPEG's full range
    for _ in range(2):
        film = await client.get("/avatars/anna/preview.mp4")
        assert film.headers["content-type"] == "video/mp4"
        with av.open(io.BytesIO(film.content)) as file:
            frames = [frame.to_ndarray(format="yuv420p") for frame in file.decode(video=0)]
            assert file.streams.video[0].average_rate == 25
        assert len(frames) == 25
        assert abs(int(np.median(frames[24][:512])) - 120) < 3
    part = await client.get("/avatars/anna/preview.mp4", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, film.content[10:20])


async def test_what_lies_in_the_folder_as_a_preview_is_not_shown(client: httpx.AsyncClient, folder: Path) -> None:
    film = (await client.get("/avatars/anna/preview.mp4")).content
    (folder / "anna" / "preview.mp4").write_bytes(b"")
    assert (await client.get("/avatars/anna/preview.mp4")).content == film


async def test_an_avatar_that_goes_while_it_is_looked_at_is_shown_or_not_found(
    client: httpx.AsyncClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def film_and_remove(store: AvatarStore, name: str) -> object:
        film = preview_video(store, name)
        store.remove(name)
        return film

    monkeypatch.setattr("ws_service.rest.avatars.preview_video", film_and_remove)
    assert len((await client.get("/avatars/anna/preview.mp4")).content) > 1000

    def is_file_no_more(path: Path) -> bytes:
        raise FileNotFoundError

    (folder / "default" / REPORT_NAME).touch()
    monkeypatch.setattr(Path, "read_bytes", is_file_no_more)
    assert (await client.get("/avatars/default/report.html")).status_code == 404


async def test_a_report_is_shown_and_can_do_nothing(client: httpx.AsyncClient, folder: Path) -> None:
    (folder / "anna" / REPORT_NAME).write_text("<p>how it went</p>")
    answer = await client.get("/avatars/anna/report.html")
    assert (answer.status_code, answer.text) == (200, "<p>how it went</p>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    for missing in ("default", "nobody", "..%2Fanna"):
        assert (await client.get(f"/avatars/{missing}/report.html")).status_code == 404
