import socket

import pytest

from models.prepared_avatar import save_avatar
from tests.fakes.avatars import make_avatar
from ws_service.engine_bench.child_service import ChildService
from ws_service.engine_bench.failure import BenchError


def child(tmp_path, **settings: str) -> ChildService:
    return ChildService(tmp_path / "service.log", tmp_path, {"AVATARS_DIR": str(tmp_path / "avatars"), **settings})


def test_a_service_that_ends_is_told_with_its_last_words(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with child(tmp_path, PORT=str(port)) as service, pytest.raises(BenchError, match=r"ended with 2: .* in use"):
            service.wait_ready(60)


def test_a_service_that_gives_up_is_told_at_once_with_its_reason(tmp_path) -> None:
    faceless = make_avatar(lengths={"idle_0": 25, "speaking_0": 25})  # without what the engine needs
    save_avatar(faceless, tmp_path / "avatars" / "default")
    with child(tmp_path, ENGINE="light") as service:
        with pytest.raises(BenchError, match="cannot get ready: "):
            service.wait_ready(60)
        assert service.websocket.startswith("ws://127.0.0.1:")
        assert service.figures()["sessions_total"] == 0


def test_a_service_that_takes_too_long_is_given_up(tmp_path) -> None:
    with child(tmp_path) as service, pytest.raises(BenchError, match="not ready after 0 s: it does not listen"):
        service.wait_ready(0.0)
