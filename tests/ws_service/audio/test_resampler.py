from math import ceil, gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.timing import SAMPLE_RATE_HZ
from ws_service.audio.resampler import Resampler, filter_bank

RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]) | st.integers(8000, 48000)


def tone(frequency_hz: float, rate_hz: int, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.rint(amplitude * 32767 * np.sin(2 * np.pi * frequency_hz * time)).astype("<i2")


@settings(max_examples=40)
@given(rate_hz=RATES, channels=st.integers(1, 2), data=st.data())
def test_the_output_does_not_depend_on_the_cutting(rate_hz: int, channels: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 9000))
    pcm = np.random.default_rng(size).integers(-32768, 32768, size // 2 + 1, dtype=np.int16).tobytes()[:size]
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=8)))
    whole = Resampler(rate_hz, channels).push(pcm)
    pieces = Resampler(rate_hz, channels)
    parts = [pieces.push(pcm[a:b]) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.size == ceil(size // (2 * channels) * 16000 / rate_hz)


@pytest.mark.parametrize("rate_hz", [8000, 12000, 22050, 24000, 44100, 48000])
def test_40_ms_of_any_rate_are_640_samples_at_once(rate_hz: int) -> None:
    resampler = Resampler(rate_hz, 1)
    chunk = bytes(2 * rate_hz * 40 // 1000)
    assert [resampler.push(chunk).size for _ in range(5)] == [640] * 5


def test_16_khz_mono_passes_as_it_is() -> None:
    pcm = tone(300, 16000, 0.1).tobytes()
    assert Resampler(16000, 1).push(pcm).tobytes() == pcm


def test_stereo_becomes_the_mean_of_both_sides() -> None:
    pairs = np.array([[100, 300], [-32768, -32768], [32767, 32767], [5, -5]], "<i2")
    assert Resampler(16000, 2).push(pairs.tobytes()).tolist() == [200, -32768, 32767, 0]


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 32000, 44100, 47999, 48000])
@pytest.mark.parametrize("frequency_hz", [110, 1000, 3100])
def test_a_tone_stays_that_tone_a_little_later(rate_hz: int, frequency_hz: int) -> None:
    out = Resampler(rate_hz, 1).push(tone(frequency_hz, rate_hz, 0.3).tobytes()).astype(float) / 32767
    delay_s = 16 / min(rate_hz, 16000)
    expected = 0.5 * np.sin(2 * np.pi * frequency_hz * (np.arange(out.size) / 16000 - delay_s))
    assert np.abs(out - expected)[200:].max() < 0.004


@pytest.mark.parametrize("rate_hz", [24000, 44100, 48000])
def test_what_16_khz_cannot_carry_is_removed(rate_hz: int) -> None:
    out = Resampler(rate_hz, 1).push(tone(10_000, rate_hz, 0.2).tobytes()).astype(float) / 32767
    assert np.abs(out[200:]).max() < 0.001


def test_a_constant_stays_that_constant() -> None:
    for rate_hz in (8000, 44100, 47999):
        out = Resampler(rate_hz, 1).push(np.full(3000, -12345, "<i2").tobytes())
        assert (out[100:] == -12345).all()


def test_full_scale_does_not_wrap_around() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], "<i2"), 40), 50)
    out = Resampler(48000, 1).push(square.tobytes())
    assert out.max() == 32767
    assert out.min() == -32768


@pytest.mark.parametrize("rate_hz", [8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000])
def test_the_usual_rates_have_every_phase_of_theirs_and_the_filter_of_the_formula(rate_hz: int) -> None:
    phases = SAMPLE_RATE_HZ // gcd(rate_hz, SAMPLE_RATE_HZ)
    bank = filter_bank(rate_hz)
    periods = min(1.0, SAMPLE_RATE_HZ / rate_hz)
    half = 16 / periods
    distance = np.arange(bank.shape[1])[None] - (bank.shape[1] - 1) - np.arange(phases)[:, None] / phases + half
    kaiser = np.i0(7.0 * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None))) * (np.abs(distance) < half)
    exact = np.sinc(distance * periods * 0.9) * kaiser
    exact /= exact.sum(axis=1, keepdims=True)
    assert bank.shape == exact.shape
    assert np.abs(bank / 2**20 - exact).max() < 3e-5  # at the window's very edge; 2e-6 elsewhere


@given(st.integers(8000, 48000))
def test_no_rate_costs_more_than_a_small_bank(rate_hz: int) -> None:
    assert filter_bank(rate_hz).size <= 1 << 15


@pytest.mark.parametrize("rate_hz", [8001, 11027, 44101, 47999])
def test_a_rate_that_nobody_uses_still_sounds_clean(rate_hz: int) -> None:
    out = Resampler(rate_hz, 1).push(tone(1000, rate_hz, 0.3).tobytes()).astype(float)[400:]
    angle = 2 * np.pi * 1000 / 16000 * np.arange(out.size)
    waves = np.stack((np.sin(angle), np.cos(angle)), axis=1)
    heard = waves @ np.linalg.lstsq(waves, out)[0]
    assert 20 * np.log10(np.std(heard) / np.std(out - heard)) > 65


def test_the_filters_sums_are_exact_in_float64() -> None:
    for rate_hz in (8000, 8001, 44100, 47999, 48000):
        bank = filter_bank(rate_hz)
        assert np.array_equal(bank, np.rint(bank))
        assert (bank.sum(axis=1) == 1 << 20).all()
        assert np.abs(bank).sum(axis=1).max() * 32768 < 2**53


@pytest.mark.parametrize(("rate_hz", "channels"), [(7999, 1), (48001, 1), (0, 1), (16000, 0), (16000, 3)])
def test_other_rates_and_channels_are_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(ValueError, match="not"):
        Resampler(rate_hz, channels)
