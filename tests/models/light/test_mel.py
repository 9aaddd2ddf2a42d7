"""Log-mel features: their scale, their timing, and that a stream gives what the whole gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.light.mel import HOP_SAMPLES, MEL_BANDS, WINDOW_SAMPLES, frame_count, log_mel

SPEECHLIKE = np.random.default_rng(5).normal(0, 0.05, 16_000).astype(np.float32)


def sine(frequency_hz: float, samples: int = 4000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / 16_000)).astype(np.float32)


def test_silence_lies_on_the_floor():
    features = log_mel(np.zeros(2000, np.float32))
    assert np.allclose(features, np.log(1e-5) / 4, atol=1e-6)


def test_a_frame_every_ten_milliseconds_of_forty_bands():
    features = log_mel(SPEECHLIKE)
    assert features.shape == (frame_count(16_000), MEL_BANDS) == (98, 40)
    assert features.dtype == np.float32


@pytest.mark.parametrize(
    ("frequency_hz", "low_band", "high_band"), [(150, 0, 3), (1000, 12, 17), (4000, 28, 33), (7000, 36, 39)]
)
def test_a_tone_is_loudest_in_its_own_band(frequency_hz, low_band, high_band):
    loudest = log_mel(sine(frequency_hz))[5].argmax()
    assert low_band <= loudest <= high_band


def test_ten_times_the_amplitude_adds_the_same_to_every_band():
    difference = log_mel(10 * SPEECHLIKE) - log_mel(SPEECHLIKE)
    assert np.allclose(difference, np.log(100) / 4, atol=0.01)


def test_a_click_shows_only_in_windows_that_hold_it():
    samples = np.zeros(4000, np.float32)
    samples[2000] = 0.5
    touched = np.flatnonzero(log_mel(samples).max(axis=1) > -2.8)
    starts = touched * HOP_SAMPLES
    assert len(touched) > 0
    assert np.all((starts <= 2000) & (starts + WINDOW_SAMPLES > 2000))


@settings(max_examples=30)
@given(first=st.integers(0, 90), frames=st.integers(1, 8))
def test_any_piece_of_a_stream_gives_the_frames_of_the_whole(first, frames):
    start = first * HOP_SAMPLES
    piece = SPEECHLIKE[start : start + WINDOW_SAMPLES + (frames - 1) * HOP_SAMPLES]
    whole = log_mel(SPEECHLIKE)[first : first + frames]
    assert np.allclose(log_mel(piece)[: len(whole)], whole, atol=1e-5)


def test_a_batch_gives_what_its_members_give_alone():
    batch = SPEECHLIKE[:8000].reshape(2, 2, 2000)
    together = log_mel(batch)
    assert together.shape == (2, 2, 11, 40)
    for i in range(2):
        for j in range(2):
            assert np.array_equal(together[i, j], log_mel(batch[i, j]))


def test_less_than_a_window_is_refused():
    assert frame_count(399) == 0
    with pytest.raises(ValueError, match="399 samples"):
        log_mel(np.zeros(399, np.float32))


def test_the_input_is_left_as_it_was():
    samples = SPEECHLIKE.copy()
    log_mel(samples)
    assert np.array_equal(samples, SPEECHLIKE)
