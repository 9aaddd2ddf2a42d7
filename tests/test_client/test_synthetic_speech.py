import numpy as np
import pytest

from test_client.synthetic_speech import make_speech


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0, 6.0])
def test_it_is_as_long_as_asked(seconds: float) -> None:
    speech = make_speech(seconds)
    assert (speech.sample_rate, speech.channels) == (16_000, 1)
    assert speech.samples == max(round(seconds * 16_000), 1)


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    assert make_speech(1.0, 1) == make_speech(1.0, 1)
    assert make_speech(1.0, 1) != make_speech(1.0, 2)


def test_it_is_loud_in_syllables_and_does_not_clip() -> None:
    samples = np.frombuffer(make_speech(6.0).pcm, "<i2").astype(float)
    loudness = np.abs(samples).reshape(-1, 640).mean(axis=1)
    assert np.abs(samples).max() < 32_000
    assert loudness.max() > 1000
    assert loudness.min() < 0.2 * loudness.max()


def test_it_is_voiced() -> None:
    samples = np.frombuffer(make_speech(3.0).pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples))
    frequencies_hz = np.fft.rfftfreq(samples.size, 1 / 16_000)
    assert spectrum[frequencies_hz < 4000].sum() > 3 * spectrum[frequencies_hz > 4000].sum()
