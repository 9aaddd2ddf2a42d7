"""The network along an utterance gives what it gives for each window by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.light.mouth_net import Convolution, MouthNet
from models.light.streaming import Memory, StreamingNet
from tests.models.light.test_mouth_net import clip

NET = MouthNet.load()
STREAMING = StreamingNet(NET)


def windows(samples: np.ndarray, count: int) -> list[np.ndarray]:
    """Successive windows from the beginning of an utterance on, zero before it."""
    padded = np.concatenate([np.zeros(NET.past_samples, np.float32), samples])
    return [padded[640 * n : 640 * n + NET.window_samples].copy() for n in range(count)]


@pytest.fixture(scope="module")
def speech() -> list[np.ndarray]:
    return windows(clip("espeak_f2_english").samples, 50)


def along(memory: Memory, stream: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([STREAMING.estimates([window], [memory]) for window in stream])


def test_an_utterance_heard_on_and_on_is_as_each_window_by_itself(speech):
    estimates = along(Memory(), speech)
    assert estimates.shape == (50, 6)
    assert estimates.dtype == np.float32
    np.testing.assert_allclose(estimates, NET.forward(np.stack(speech)), atol=2e-5)
    assert estimates[:, 0].max() > 0.3  # somebody speaks


@settings(max_examples=25)
@given(left_out=st.sets(st.integers(1, 19)))
def test_windows_may_be_left_out_anywhere(left_out):
    stream = [w for n, w in enumerate(windows(clip("espeak_f2_english").samples, 20)) if n not in left_out]
    np.testing.assert_allclose(along(Memory(), stream), NET.forward(np.stack(stream)), atol=2e-5)


def test_sound_that_came_after_its_window_is_heard_all_the_same(speech):
    late = [window.copy() for window in speech[:20]]
    late[9][-1280:] = 0  # its look-ahead was not there yet
    np.testing.assert_allclose(along(Memory(), late), NET.forward(np.stack(late)), atol=2e-5)


def test_the_same_window_twice_is_no_step_forward(speech):
    stream = [speech[10], speech[10], speech[11]]
    np.testing.assert_allclose(along(Memory(), stream), NET.forward(np.stack(stream)), atol=2e-5)


def test_utterances_that_begin_and_go_on_share_a_batch(speech):
    old, new = Memory(), Memory()
    along(old, speech[:10])
    both = STREAMING.estimates([speech[10], speech[30]], [old, new])
    np.testing.assert_allclose(both, NET.forward(np.stack([speech[10], speech[30]])), atol=2e-5)
    swapped = STREAMING.estimates([speech[31], speech[11]], [new, old])
    np.testing.assert_allclose(swapped, NET.forward(np.stack([speech[31], speech[11]])), atol=2e-5)


def test_memories_are_each_utterances_own(speech):
    one, other = Memory(), Memory()
    for window, later in zip(speech[:8], speech[20:28], strict=True):
        estimates = STREAMING.estimates([window, later], [one, other])
    np.testing.assert_allclose(estimates, NET.forward(np.stack([speech[7], speech[27]])), atol=2e-5)
    assert one.precedes(speech[8])
    assert not one.precedes(speech[28])
    assert other.precedes(speech[28])


def test_a_new_memory_precedes_nothing():
    assert not Memory().precedes(np.zeros(NET.window_samples, np.float32))


def test_a_network_that_cannot_be_cut_at_whole_pictures_is_refused():
    layer = NET.convolutions[0]
    odd = Convolution(layer.weight, layer.bias, layer.taps, 3, None)
    net = MouthNet([odd], NET._mixing, NET._output, 0)
    with pytest.raises(ModelError, match="strides"):
        StreamingNet(net)
