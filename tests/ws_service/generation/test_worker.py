"""The engine's own thread."""

import queue
import threading

import numpy as np
import pytest

from models.interface import BaseFrame, SpeechFrame
from tests.fakes.avatars import make_avatar
from tests.fakes.engine import FUTURE_SAMPLES, PAST_SAMPLES, FakeEngine, FakeVoice
from ws_service.generation.worker import EngineWorker


def frame() -> SpeechFrame:
    window = np.zeros(PAST_SAMPLES + 640 + FUTURE_SAMPLES, np.float32)
    return SpeechFrame(FakeVoice(), window, make_avatar(), BaseFrame("idle_1", 0))


def test_batches_are_computed_in_order_on_one_thread_that_is_not_the_callers():
    engine, answers = FakeEngine(), queue.SimpleQueue()
    worker = EngineWorker(engine)
    worker.start()
    batches = [[frame()], [frame(), frame()], [frame()]]
    for batch in batches:
        worker.post(batch, answers.put)
    results = [answers.get(timeout=10) for _ in batches]
    worker.stop()
    assert [len(result) for result in results] == [1, 2, 1]
    assert engine.batches == batches
    assert engine.threads == {"engine"}
    assert threading.current_thread().name != "engine"


def test_what_the_engine_raises_is_handed_back_once_and_the_thread_lives_on():
    engine, answers = FakeEngine(), queue.SimpleQueue()
    worker = EngineWorker(engine)
    worker.start()
    engine.failure = ValueError("bad window")
    worker.post([frame()], answers.put)
    assert answers.get(timeout=10) is engine.failure
    engine.failure = None
    worker.post([frame()], answers.put)
    assert len(answers.get(timeout=10)) == 1
    worker.stop()
    assert answers.empty()


def test_stop_finishes_what_is_queued():
    engine, answers = FakeEngine(), queue.SimpleQueue()
    worker = EngineWorker(engine)
    worker.start()
    for _ in range(20):
        worker.post([frame()], answers.put)
    worker.stop()
    assert answers.qsize() == 20


def test_a_worker_that_never_started_can_be_stopped():
    EngineWorker(FakeEngine()).stop()


class _Odd(FakeEngine):
    """Answers with too few mouths, or asks the process to exit."""

    def __init__(self, leaves: bool) -> None:
        super().__init__()
        self.leaves = leaves

    def generate(self, frames):  # type: ignore[no-untyped-def]
        if self.leaves:
            raise SystemExit(3)
        return []


@pytest.mark.parametrize("leaves", [False, True])
def test_an_engine_that_answers_oddly_fails_its_batch_and_the_thread_goes_on(leaves: bool) -> None:
    import queue

    results: queue.Queue[object] = queue.Queue()
    worker = EngineWorker(_Odd(leaves))
    worker.start()
    for _ in range(2):
        worker.post([None], results.put)  # type: ignore[list-item]
        assert isinstance(results.get(timeout=5), RuntimeError)
    worker.stop()


def test_it_says_since_when_it_is_busy_and_that_it_is_not() -> None:
    from time import monotonic

    results: queue.Queue[object] = queue.Queue()
    engine = FakeEngine()
    engine.gate.clear()
    worker = EngineWorker(engine)
    worker.start()
    assert worker.busy_since_s is None
    before_s = monotonic()
    worker.post([frame()], results.put)
    while worker.busy_since_s is None:
        assert monotonic() - before_s < 10
    assert before_s <= worker.busy_since_s <= monotonic()
    engine.gate.set()
    results.get(timeout=5)
    assert worker.busy_since_s is None
    worker.stop()
