import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import PreparationError
from models.preparation.loop_plan import FADE_FRAMES, LoopFrame, plan_loop

_RNG = np.random.default_rng(5)
FACE = (_RNG.uniform(0, 200, (468, 2)) + 100).astype(np.float32)
FACE[234], FACE[454] = (100, 200), (300, 200)


def _clip(shift: np.ndarray) -> np.ndarray:
    """A face that is moved as a whole, (N, 2) pixels."""
    return FACE[None] + shift[:, None].astype(np.float32)


def _sway(count: int, period: float, size: float = 12) -> np.ndarray:
    angle = 2 * np.pi * np.arange(count) / period
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * size


def _shown(points: np.ndarray, loop: list[LoopFrame]) -> np.ndarray:
    return np.stack([points[f.main] * (1 - f.share) + points[f.faded] * f.share for f in loop])


def test_a_clip_that_comes_back_is_cut_where_it_does():
    points = _clip(_sway(200, 100))
    loop = plan_loop(points, "clip.mp4")
    assert len(loop) == 100
    assert sum(frame.share > 0 for frame in loop) == FADE_FRAMES
    assert [frame.main for frame in loop] == list(range(loop[0].main, loop[0].main + 100))


def test_a_clip_that_never_comes_back_goes_to_and_fro():
    points = _clip(np.stack([np.arange(120.0), np.zeros(120)], axis=1))
    loop = plan_loop(points, "clip.mp4")
    mains = [frame.main for frame in loop]
    assert len(mains) == 200
    assert mains[:101] == list(range(mains[0], mains[0] + 101))
    assert mains[101:] == mains[99:0:-1]
    assert all(frame.share == 0 for frame in loop)


def test_a_still_clip_gives_the_longest_loop():
    assert len(plan_loop(_clip(np.zeros((250, 2))), "clip.mp4")) == 225


@settings(max_examples=40)
@given(count=st.integers(26, 250), period=st.floats(20, 400), size=st.floats(0, 40), drift=st.floats(-0.5, 0.5))
def test_every_loop_is_whole_seconds_inside_the_clip_and_without_a_jump(count, period, size, drift):
    points = _clip(_sway(count, period, size) + np.arange(count)[:, None] * [drift, 0])
    loop = plan_loop(points, "clip.mp4")
    assert loop
    assert len(loop) % 25 == 0
    assert all(0 <= index < count for frame in loop for index in (frame.main, frame.faded))
    shown = _shown(points, loop)
    steps = np.linalg.norm(np.roll(shown, -1, axis=0) - shown, axis=-1).mean(axis=-1)
    normal = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(axis=-1).max()
    assert steps.max() <= normal + 0.008 * 200  # what a cross-fade may add


def test_the_cross_fade_ends_just_before_the_first_frame():
    points = _clip(_sway(200, 100) + np.arange(200)[:, None] * [0.01, 0])
    loop = plan_loop(points, "clip.mp4")
    last = loop[-1]
    assert last.faded == loop[0].main - 1
    assert last.share > 0.9
    shares = [frame.share for frame in loop[-FADE_FRAMES:]]
    assert shares == sorted(shares)


@pytest.mark.parametrize("count", [1, 10, 25])
def test_a_clip_too_short_is_refused_by_name(count):
    with pytest.raises(PreparationError, match=rf"^short\.mp4: {count} frames? .* at least 26"):
        plan_loop(_clip(np.zeros((count, 2))), "short.mp4")
