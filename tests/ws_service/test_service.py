"""A service gets ready or says why not: engines that break, avatars that are damaged, voices that are not there."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from models.errors import EngineLost, ModelError
from models.interface import SpeechFrame
from models.prepared_avatar import PreparedAvatar
from tests.fakes.engine import FakeEngine, FakeMouth
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.errors import AvatarDamaged
from ws_service.rest.routes import Rest
from ws_service.service import Service
from ws_service.settings import Settings


def settings(folder: Path, **values: object) -> Settings:
    return Settings(_env_file=None, avatars_dir=folder, model_path=folder, **values)  # type: ignore[arg-type, call-arg]


class EngineOfOneSize(FakeEngine):
    """Measured in four batches; `in_batch` is called with the number of each, over all engines of a `Maker`."""

    def __init__(self, in_batch: Callable[[], None]) -> None:
        super().__init__(max_batch=1)
        self._in_batch = in_batch

    def generate(self, frames: Sequence[SpeechFrame]) -> list[FakeMouth]:
        self._in_batch()
        return super().generate(frames)


class Maker:
    """In place of `create_engine`. `loading`: raised instead; `fate`: what the batches of that number do."""

    def __init__(self) -> None:
        self.loading: Exception | None = None
        self.fate: Callable[[int], None] = lambda batch: None
        self.made = self.batches = 0

    def __call__(self, *_: object, **__: object) -> EngineOfOneSize:
        self.made += 1
        if self.loading is not None:
            raise self.loading
        return EngineOfOneSize(self._in_batch)

    def _in_batch(self) -> None:
        self.batches += 1
        self.fate(self.batches)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    maker = Maker()
    monkeypatch.setattr("ws_service.service.create_engine", maker)
    yield maker
    gc.unfreeze()  # a service that is ready freezes what there is


@asynccontextmanager
async def started(folder: Path, default_avatar: str = "default") -> AsyncIterator[Service]:
    """A service that has become ready, or said why it does not."""
    service = Service(settings(folder, engine="light", h264_encoder="libx264", default_avatar=default_avatar))
    service.start()
    try:
        async with asyncio.timeout(20):
            while (reasons := service.not_ready()) and service.failure is None and "is being" in reasons[0]:
                await asyncio.sleep(0.01)
        yield service
    finally:
        await service.stop()


async def warmed_up(folder: Path) -> Service:
    """The same, and stopped."""
    put_avatar(folder, "default")
    async with started(folder) as service:
        return service


async def test_a_default_voice_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    with capture_logs() as logs:
        service = Service(settings(tmp_path, default_voice="en-uss"))
        service.start()
        async with asyncio.timeout(20):
            while not logs:
                await asyncio.sleep(0.01)
        await service.stop()
    assert logs[0]["log_level"] == "warning"
    assert "'en-uss' (DEFAULT_VOICE); near it are en-us" in logs[0]["reason"]


async def test_an_engine_that_breaks_while_it_is_measured_is_made_anew_and_the_service_gets_ready(
    tmp_path: Path, maker: Maker
) -> None:
    def breaks_once(batch: int) -> None:
        if batch == 2:
            raise RuntimeError("CUDA error: transient")

    maker.fate = breaks_once
    service = await warmed_up(tmp_path)
    assert service.not_ready() == []
    assert service.failure is None
    assert maker.made == 2
    assert service.engine_figures()["rebuilds"] == 1


async def test_an_engine_that_hangs_while_it_is_measured_ends_the_service(
    tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def hangs(batch: int) -> None:
        if batch == 2:
            assert goes_on.wait(30)

    monkeypatch.setattr("ws_service.service.FIRST_BATCHES_MAY_TAKE", 0.01)
    maker.fate = hangs
    try:
        service = await warmed_up(tmp_path)
    finally:
        goes_on.set()
    assert service.failure is not None
    assert service.failure.startswith("the engine hangs")


async def test_a_device_that_is_lost_while_it_is_measured_ends_the_service(tmp_path: Path, maker: Maker) -> None:
    def lost(_: int) -> None:
        raise EngineLost("fell off the bus")

    maker.fate = lost
    assert (await warmed_up(tmp_path)).failure == "the engine is lost: fell off the bus"


async def test_a_device_that_is_lost_while_the_engine_loads_ends_the_service(tmp_path: Path, maker: Maker) -> None:
    maker.loading = EngineLost("not there any more")
    assert (await warmed_up(tmp_path)).failure == "the engine is lost: not there any more"


async def test_an_engine_that_cannot_be_had_is_said_and_the_process_stays(tmp_path: Path, maker: Maker) -> None:
    maker.loading = ModelError("unet.safetensors is missing")
    service = await warmed_up(tmp_path)
    assert service.failure is None
    assert service.not_ready() == ["unet.safetensors is missing"]


def spoil(folder: Path, position: int = 100_000) -> None:
    """One byte of a picture is another: sizes fit, checksums do not."""
    with (folder / "idle_0.pictures.npy").open("r+b") as file:
        file.seek(position)
        file.write(b"8")


@pytest.mark.parametrize("position", [60, 100_000], ids=["in the header", "in a picture"])
async def test_a_built_in_avatar_that_is_damaged_is_made_anew(
    tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    made = []

    def prepare(folder: Path) -> None:
        made.append(folder.name)
        put_avatar(folder.parent, folder.name)

    monkeypatch.setattr("ws_service.service.make_builtin", prepare)
    put_avatar(tmp_path, "default")
    spoil(tmp_path / "default", position)
    async with started(tmp_path) as service:
        assert service.not_ready() == service.warnings() == []
    async with started(tmp_path) as service:
        assert service.not_ready() == []
    assert made == ["default"], "once, and not where it is whole"


async def test_a_default_avatar_that_is_damaged_leaves_the_others_and_is_shown_once_it_is_replaced(
    tmp_path: Path, maker: Maker
) -> None:
    for name in ("default", "mine", "anna"):
        put_avatar(tmp_path, name)
    (tmp_path / "mine" / "material.npz").write_bytes(b"")
    async with started(tmp_path, default_avatar="mine") as service:
        assert service.not_ready() == []
        (warning,) = service.warnings()
        assert warning.startswith("Avatar 'mine' is damaged: mine/material.npz")
        ready = await Rest(service, 0.0).ready(Request({"type": "http"}))
        assert (ready.status_code, json.loads(ready.body)["reasons"]) == (200, [warning])
        library = service.library()
        assert library.default().avatar.name == "default", "what connections see before they name one"
        assert (await library.acquire("anna", strict=True, all_intra=False)).avatar.name == "anna"
        for asked, strict in (("mine", True), ("nobody", False)):
            with pytest.raises(AvatarDamaged, match="'mine' is damaged"):
                await library.acquire(asked, strict=strict, all_intra=False)
        put_avatar(tmp_path, "mine")
        async with asyncio.timeout(20):
            while service.warnings():
                await asyncio.sleep(0.01)
        assert library.default().avatar.name == "mine"


async def test_a_default_avatar_at_which_the_engine_fails_unexpectedly_leaves_the_others(
    tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(_: FakeEngine, avatar: PreparedAvatar) -> int:
        if avatar.name == "mine":
            raise MemoryError
        return 0

    monkeypatch.setattr(FakeEngine, "load_avatar", no_memory)
    for name in ("default", "mine"):
        put_avatar(tmp_path, name)
    async with started(tmp_path, default_avatar="mine") as service:
        assert service.not_ready() == []
        (warning,) = service.warnings()
        assert warning.startswith("Avatar 'mine' cannot be used: the engine failed on it in an unexpected way")
        assert service.library().default().avatar.name == "default"
        assert service.store.describe("mine").damage == "", "it may be all right"
