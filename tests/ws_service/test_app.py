"""What the composition root decides itself: what stops the start, and what a failed service says."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.fakes.sink import RecordingSink
from tests.ws_service.test_service import settings
from ws_service.app import build_app, check_settings
from ws_service.errors import NotReady, StartError
from ws_service.video.encoder import NVENC, EncodingError
from ws_service.video.encoder_choice import check_encoder


def nvenc_is_here() -> bool:
    try:
        check_encoder(NVENC)
    except EncodingError:
        return False
    return True


def test_the_defaults_can_start(tmp_path: Path) -> None:
    check_settings(settings(tmp_path))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"engine": "musetalk"}, r"ENGINE=musetalk, .*musetalk\.json is missing"),
        ({"device": "cuda"}, r"ENGINE=auto, DEVICE=cuda: .*musetalk\.json is missing"),
        ({"engine": "light", "device": "cuda"}, "ENGINE=light, DEVICE=cuda: .*runs on the CPU"),
        ({"default_avatar": "nobody"}, "DEFAULT_AVATAR=nobody"),
    ],
)
def test_what_cannot_work_stops_the_start_with_the_setting(
    tmp_path: Path, values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(StartError, match=sentence):
        check_settings(settings(tmp_path, **values))


def test_nvenc_asked_for_by_name_must_be_there(tmp_path: Path) -> None:
    asked = settings(tmp_path, h264_encoder="h264_nvenc")
    if nvenc_is_here():
        check_settings(asked)
    else:
        with pytest.raises(StartError, match=r"H264_ENCODER=h264_nvenc: .*; use auto or libx264"):
            check_settings(asked)


async def test_a_failed_service_says_why_and_lets_nobody_in(tmp_path: Path) -> None:
    app = build_app(settings(tmp_path))
    service = app.state.service
    service.fail("the engine hangs")
    assert "the engine hangs; the service restarts" in service.not_ready()
    assert "the service is shutting down" not in service.not_ready()
    with pytest.raises(NotReady, match=r"^Not ready: .*the engine hangs"):
        service.open_session("anna", RecordingSink())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        ready, health = await asyncio.gather(client.get("/ready"), client.get("/health"))
    assert ready.status_code == 503
    assert "the engine hangs; the service restarts" in ready.json()["reasons"]
    assert health.status_code == 200


async def test_a_fault_is_told_without_its_insides_and_raised_for_the_server_to_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> list[str]:
        raise RuntimeError("/srv/secret")

    app = build_app(settings(tmp_path))
    monkeypatch.setattr(app.state.service, "not_ready", breaks)
    quiet = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=quiet, base_url="http://service") as client:
        answer = await client.get("/ready")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service has a fault here; its log says which",
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        with pytest.raises(RuntimeError, match="/srv/secret"):
            await client.get("/ready")
