import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.musetalk.silence_gate import (
    CLOSING_DBFS,
    FADE_FRAMES,
    HOLD_FRAMES,
    OPENING_DBFS,
    SilenceGate,
    loudness_dbfs,
)

FRAME = 640


def tone(dbfs: float, samples: int = FRAME) -> np.ndarray:
    """A sine of this root mean square."""
    amplitude = 10 ** (dbfs / 20) * np.sqrt(2)
    return (amplitude * np.sin(2 * np.pi * 200 / 16_000 * np.arange(samples))).astype(np.float32)


def test_loudness_is_that_of_the_loudest_20_ms() -> None:
    assert abs(loudness_dbfs(tone(-20)) + 20) < 0.1
    quiet_then_loud = np.concatenate([tone(-60), tone(-30, 320)])
    assert abs(loudness_dbfs(quiet_then_loud) + 30) < 0.1
    assert loudness_dbfs(np.zeros(FRAME, np.float32)) == -np.inf
    assert loudness_dbfs(np.zeros(0, np.float32)) == -np.inf


def test_silence_and_noise_below_the_threshold_never_open_the_gate() -> None:
    gate = SilenceGate()
    for level in (-np.inf, -80.0, OPENING_DBFS - 1):
        assert [gate.step(tone(level)) for _ in range(50)] == [0.0] * 50


def test_it_opens_in_steps_holds_through_a_short_pause_and_closes_in_steps() -> None:
    gate, silence = SilenceGate(), np.zeros(FRAME, np.float32)
    assert [round(gate.step(tone(-25)), 2) for _ in range(4)] == [0.33, 0.67, 1, 1]
    assert [gate.step(silence) for _ in range(HOLD_FRAMES)] == [1.0] * HOLD_FRAMES
    assert [round(gate.step(silence), 2) for _ in range(4)] == [0.67, 0.33, 0, 0]


def test_a_level_between_the_thresholds_keeps_the_gate_as_it_is() -> None:
    between = tone((OPENING_DBFS + CLOSING_DBFS) / 2)
    gate = SilenceGate()
    assert gate.step(between) == 0
    for _ in range(FADE_FRAMES):
        gate.step(tone(-20))
    assert [gate.step(between) for _ in range(30)] == [1.0] * 30


@given(st.lists(st.floats(-90, 0), max_size=60))
def test_the_weight_never_jumps(levels) -> None:
    gate, before = SilenceGate(), 0.0
    for level in levels:
        weight = gate.step(tone(level))
        assert 0 <= weight <= 1
        assert abs(weight - before) <= 1 / FADE_FRAMES + 1e-9
        before = weight
