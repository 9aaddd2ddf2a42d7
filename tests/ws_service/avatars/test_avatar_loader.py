"""One avatar on its way from the disk into memory, and what stops it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import EngineFailure, EngineLost, ModelError
from models.prepared_avatar import PreparedAvatar
from tests.fakes.engine import FakeEngine
from tests.ws_service.avatars.test_store import put_avatar
from ws_service.avatars.avatar_loader import AvatarLoader, ResidentAvatar
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarDamaged, AvatarNotFound, EngineUnavailable, ProcessingFailed
from ws_service.video.encoder import X264, EncodingError


class Engine(FakeEngine):
    """Takes 1000 bytes for an avatar, or fails. `known`: the avatars it has now."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[str] = []
        self.failure: ModelError | None = None

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        if self.failure:
            raise self.failure
        self.known.append(avatar.name)
        return 1000

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        self.known.remove(avatar.name)


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    put_avatar(tmp_path, "anna")
    return AvatarStore(tmp_path)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def load(store: AvatarStore, engine: Engine) -> Iterator[Callable[[], ResidentAvatar]]:
    """What comes of loading anna."""
    loader = AvatarLoader(store, engine, encoder_name=X264)
    stamp = store.stamp("anna")
    assert stamp is not None
    yield lambda: loader.load("anna", stamp, all_intra=False).result(20)
    loader.close()


def test_it_comes_with_its_loops_and_with_what_the_engine_takes(
    load: Callable[[], ResidentAvatar], engine: Engine
) -> None:
    resident = load()
    assert resident.loops[False].keys() == {"idle_0", "speaking_0"}
    packets = sum(loop.size_bytes for loop in resident.loops[False].values())
    assert resident.size_bytes == resident.avatar.size_bytes + 1000 + int(packets * 7 / 3)
    assert engine.known == ["anna"]


def test_what_the_engine_cannot_use_is_damaged_until_it_is_looked_at_again(
    load: Callable[[], ResidentAvatar], engine: Engine, store: AvatarStore
) -> None:
    engine.failure = ModelError("its latents have another shape")
    with pytest.raises(AvatarDamaged, match="'anna' cannot be used: its latents"):
        load()
    assert "another shape" in store.describe("anna").damage
    engine.failure = None
    load()
    assert store.describe("anna").damage == ""


def test_what_the_engine_refused_is_not_tried_at_each_request(store: AvatarStore, engine: Engine) -> None:
    now_s = 0.0
    loader = AvatarLoader(store, engine, encoder_name=X264, clock_s=lambda: now_s)
    stamp = store.stamp("anna")
    assert stamp is not None
    engine.failure = ModelError("its latents have another shape")
    loader.refuse_damaged("anna", stamp)
    with pytest.raises(AvatarDamaged):
        loader.load("anna", stamp, all_intra=False).result(20)
    now_s = 59.0
    with pytest.raises(AvatarDamaged, match="'anna' cannot be used: its latents"):
        loader.refuse_damaged("anna", stamp)
    loader.refuse_damaged("anna", replace(stamp, modified_ns=0))
    now_s = 61.0
    loader.refuse_damaged("anna", stamp)
    now_s = 59.0
    loader.look_again("anna")
    loader.refuse_damaged("anna", stamp)
    loader.close()


@pytest.mark.parametrize("failure", [EngineLost("fell off the bus"), EngineFailure("is being made anew")])
def test_an_engine_that_fails_by_itself_is_not_the_avatars_fault(
    load: Callable[[], ResidentAvatar], engine: Engine, store: AvatarStore, failure: EngineFailure
) -> None:
    engine.failure = failure
    with pytest.raises(EngineUnavailable, match=f"'anna' cannot be used: {failure}"):
        load()
    assert store.describe("anna").damage == ""


def test_what_cannot_be_encoded_leaves_nothing_in_the_engine(
    load: Callable[[], ResidentAvatar], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EncodingError("no memory")

    monkeypatch.setattr("ws_service.avatars.avatar_loader.avatar_loops", refuse)
    with pytest.raises(ProcessingFailed, match="'anna' cannot be encoded: no memory"):
        load()
    assert engine.known == []


def test_what_was_removed_meanwhile_is_not_found(load: Callable[[], ResidentAvatar], store: AvatarStore) -> None:
    store.remove("anna")
    with pytest.raises(AvatarNotFound):
        load()
