"""Engines that break on purpose, behind one that lasts. The rebuild runs on a real thread; nothing here sleeps."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import structlog

from models.errors import EngineFailure, EngineLost, ModelError
from models.interface import BaseFrame, SpeechFrame
from models.prepared_avatar import PreparedAvatar
from tests.fakes.avatars import make_avatar
from tests.fakes.engine import FUTURE_SAMPLES, PAST_SAMPLES, FakeEngine
from ws_service.generation.lasting_engine import LastingEngine
from ws_service.generation.rebuild_plan import RebuildPlan


class Workshop:
    """Makes engines; `spoil` is done to each new one. `failures`: raised instead of the next engines."""

    def __init__(self) -> None:
        self.engines: list[LoadingEngine] = []
        self.failures: list[Exception] = []
        self.kind = LoadingEngine
        self.spoil: Callable[[LoadingEngine], None] = lambda engine: None
        self.gate = threading.Event()
        self.gate.set()

    def make(self) -> "LoadingEngine":
        assert self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        engine = self.kind()
        self.spoil(engine)
        self.engines.append(engine)
        return engine


class LoadingEngine(FakeEngine):
    """Knows only the avatars it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: set[PreparedAvatar] = set()
        self.avatar_failure: Exception | None = None

    def load_avatar(self, avatar: PreparedAvatar) -> int:
        if self.avatar_failure is not None:
            raise self.avatar_failure
        self.loaded.add(avatar)
        return 7

    def unload_avatar(self, avatar: PreparedAvatar) -> None:
        self.loaded.discard(avatar)


@pytest.fixture(autouse=True)
def _logs_as_the_service_writes_them() -> Iterator[None]:
    """structlog's own renderer of exceptions keeps their frames, and is slow."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def engine(workshop: Workshop) -> LastingEngine:
    return LastingEngine(workshop.make, RebuildPlan((0.0, 0.0), sound_batches=2))


def speech(engine: LastingEngine, voice: object = None) -> list[SpeechFrame]:
    window = np.zeros(PAST_SAMPLES + 640 + FUTURE_SAMPLES, np.float32)
    return [SpeechFrame(voice or engine.new_voice(), window, make_avatar(), BaseFrame("idle_1", 0))]


def until(condition: Callable[[], bool]) -> None:
    """Wait for the other thread."""
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it did not come")


def break_it(engine: LastingEngine, workshop: Workshop, failure: Exception) -> None:
    frames = speech(engine)
    workshop.engines[-1].failure = failure
    with pytest.raises(ModelError, match="broke"):
        engine.generate(frames)


def test_it_answers_as_the_engine_behind_it(engine: LastingEngine, workshop: Workshop) -> None:
    assert (engine.name, engine.past_samples, engine.future_samples) == ("fake", PAST_SAMPLES, FUTURE_SAMPLES)
    assert len(engine.generate(speech(engine))) == 1
    workshop.engines[0].max_batch = 2
    assert engine.max_batch == 2, "it may shrink"
    assert engine.describe() == {"name": "fake", "device": "none", "state": "running", "rebuilds": 0}


def test_an_engine_that_raises_is_made_anew_with_its_avatars_and_goes_on(
    engine: LastingEngine, workshop: Workshop
) -> None:
    anna, ben = make_avatar("anna"), make_avatar("ben")
    assert engine.load_avatar(anna) == 7
    engine.load_avatar(ben)
    engine.unload_avatar(ben)
    voice = engine.new_voice()
    break_it(engine, workshop, RuntimeError("illegal instruction"))
    until(lambda: engine.state == "running")
    assert len(workshop.engines) == 2
    assert workshop.engines[1].loaded == {anna}
    assert len(engine.generate(speech(engine, voice))) == 1, "the voice from before is good still"
    assert engine.describe()["rebuilds"] == 1
    assert engine.lost is None


def test_meanwhile_whatever_asks_is_told_so_at_once(engine: LastingEngine, workshop: Workshop) -> None:
    frames = speech(engine)
    mouth = engine.generate(frames)[0]
    workshop.gate.clear()
    break_it(engine, workshop, ValueError("?"))
    assert engine.state == "rebuilding"
    until(lambda: engine.rebuilding_since_s is not None)
    for ask in (
        engine.new_voice,
        lambda: engine.generate(frames),
        lambda: engine.paint(mouth, 1.0, make_avatar(), BaseFrame("idle_1", 0)),
        lambda: engine.load_avatar(make_avatar("late")),
    ):
        with pytest.raises(EngineFailure, match="made anew"):
            ask()
    engine.unload_avatar(make_avatar())
    assert engine.max_batch == 4, "as the last one had it"
    assert engine.describe()["state"] == "rebuilding"
    workshop.gate.set()
    until(lambda: engine.state == "running")
    assert engine.rebuilding_since_s is None


def test_an_avatar_forgotten_while_the_next_engine_is_made_is_not_in_it(
    engine: LastingEngine, workshop: Workshop
) -> None:
    anna = make_avatar("anna")
    engine.load_avatar(anna)
    loaded, forgotten = threading.Event(), threading.Event()

    class Slow(LoadingEngine):
        def load_avatar(self, avatar: PreparedAvatar) -> int:
            size_bytes = super().load_avatar(avatar)
            loaded.set()
            assert forgotten.wait(10)
            return size_bytes

    workshop.kind = Slow
    break_it(engine, workshop, RuntimeError("?"))
    assert loaded.wait(10)
    engine.unload_avatar(anna)
    forgotten.set()
    until(lambda: engine.state == "running" and not workshop.engines[-1].loaded)


@pytest.mark.parametrize("failure", [ModelError("this window is no good"), EngineLost("the context is lost")])
def test_what_is_said_of_one_input_breaks_nothing_and_a_lost_device_everything(
    engine: LastingEngine, workshop: Workshop, failure: ModelError
) -> None:
    frames = speech(engine)
    workshop.engines[0].failure = failure
    with pytest.raises(ModelError, match=str(failure)):
        engine.generate(frames)
    assert len(workshop.engines) == 1
    if isinstance(failure, EngineLost):
        assert (engine.state, engine.lost) == ("lost", "the context is lost")
        assert engine.describe()["lost"] == "the context is lost"
        with pytest.raises(EngineLost):
            engine.new_voice()
    else:
        assert engine.state == "running"


def test_an_engine_that_cannot_be_made_is_tried_again_and_given_up_in_the_end(
    engine: LastingEngine, workshop: Workshop
) -> None:
    workshop.failures = [ModelError("no memory"), OSError("no file")]
    break_it(engine, workshop, RuntimeError("?"))
    until(lambda: engine.lost is not None)
    assert engine.lost == "it could not be made anew: no file"
    assert not workshop.failures


def test_the_device_lost_while_making_ends_the_attempts(engine: LastingEngine, workshop: Workshop) -> None:
    workshop.failures = [EngineLost("no device"), RuntimeError("never raised")]
    break_it(engine, workshop, RuntimeError("?"))
    until(lambda: engine.lost is not None)
    assert engine.lost == "no device"
    assert len(workshop.failures) == 1


def test_a_new_engine_that_does_not_work_is_found_out_before_sessions_get_it(
    engine: LastingEngine, workshop: Workshop
) -> None:
    engine.load_avatar(make_avatar())
    workshop.spoil = lambda made: setattr(made, "failure", RuntimeError("broken from birth"))
    break_it(engine, workshop, RuntimeError("?"))
    until(lambda: engine.lost is not None)
    assert "broken from birth" in str(engine.lost)
    assert len(workshop.engines) == 3
    assert engine.describe()["rebuilds"] == 0


def test_an_engine_that_breaks_again_and_again_is_given_up(engine: LastingEngine, workshop: Workshop) -> None:
    for _ in range(2):
        break_it(engine, workshop, RuntimeError("?"))
        until(lambda: engine.state == "running")
    break_it(engine, workshop, RuntimeError("?"))
    assert engine.lost == "it broke again and again (2 times made anew)"


def test_an_engine_that_works_well_in_between_may_break_as_often_as_it_likes(
    engine: LastingEngine, workshop: Workshop
) -> None:
    for _ in range(5):
        break_it(engine, workshop, RuntimeError("?"))
        until(lambda: engine.state == "running")
        for _ in range(2):
            engine.generate(speech(engine))
    assert engine.describe()["rebuilds"] == 5


@pytest.mark.parametrize(
    ("failure", "told", "its_own"),
    [(MemoryError("at /home/me/x.py"), "in an unexpected way", False), (ModelError("no face"), "no face", True)],
)
def test_an_avatar_that_fails_is_refused_and_breaks_nothing(
    engine: LastingEngine, workshop: Workshop, failure: Exception, told: str, its_own: bool
) -> None:
    workshop.engines[0].avatar_failure = failure
    with pytest.raises(ModelError, match=f"^[^/]*{told}[^/]*$") as raised:
        engine.load_avatar(make_avatar())
    assert isinstance(raised.value, EngineFailure) != its_own, "what nobody foresaw is not the avatar's fault"
    assert engine.state == "running"
    assert len(workshop.engines) == 1


def test_a_device_lost_while_an_avatar_is_loaded_is_lost(engine: LastingEngine, workshop: Workshop) -> None:
    workshop.engines[0].avatar_failure = EngineLost("gone")
    with pytest.raises(EngineLost):
        engine.load_avatar(make_avatar())
    assert engine.lost == "gone"


def test_an_avatar_loaded_into_an_engine_that_broke_meanwhile_is_loaded_into_the_next(
    engine: LastingEngine, workshop: Workshop
) -> None:
    first = workshop.engines[0]
    frames = speech(engine)

    def break_while_loading(avatar: PreparedAvatar) -> None:
        first.failure = RuntimeError("?")
        with pytest.raises(ModelError):
            engine.generate(frames)
        until(lambda: engine.state == "running")

    first.load_avatar = break_while_loading  # type: ignore[method-assign]
    engine.load_avatar(make_avatar("anna"))
    assert [avatar.name for avatar in workshop.engines[1].loaded] == ["anna"]


def test_the_broken_engine_is_gone_before_the_next_is_made(engine: LastingEngine, workshop: Workshop) -> None:
    broken = weakref.ref(workshop.engines[0])
    frames = speech(engine)
    workshop.engines[0].failure = RuntimeError("?")
    workshop.gate.clear()
    try:
        engine.generate(frames)
    except ModelError as error:
        kept = error  # as the scheduler keeps it until the sessions are told
        workshop.engines.clear()
        until(lambda: gc.collect() >= 0 and broken() is None)  # at once, but where the other thread collects just now
        workshop.gate.set()
    until(lambda: engine.state == "running")
    assert "broke" in str(kept)


def test_after_close_no_engine_is_made(workshop: Workshop) -> None:
    engine = LastingEngine(workshop.make, RebuildPlan((3600.0,)))
    break_it(engine, workshop, RuntimeError("?"))
    engine.close()
    until(lambda: not any(thread.name == "engine-rebuild" for thread in threading.enumerate()))
    assert len(workshop.engines) == 1
