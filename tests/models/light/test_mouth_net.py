"""The shipped network: its contract, its weights file, and what it hears in stored speech."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.light.mouth_net import MouthNet
from models.light.training.score import estimate, figures, smooth
from models.light.training.utterance import Utterance, load_utterance

SPEECH = Path(__file__).parents[2] / "golden" / "speech"
WEIGHTS = Path(__file__).parents[3] / "models" / "light" / "mouth_net.npz"


@pytest.fixture(scope="module")
def net() -> MouthNet:
    return MouthNet.load()


def clip(name: str) -> Utterance:
    return load_utterance(SPEECH / f"{name}.wav")


def filtered(net: MouthNet):
    return lambda utterance: smooth(estimate(net, utterance.samples))


# -- the contract with the engine


def test_it_looks_at_most_eighty_milliseconds_ahead(net):
    assert 0 < net.future_samples <= 1280
    assert net.window_samples == net.past_samples + 640 + net.future_samples


def test_the_file_is_small(net):
    assert WEIGHTS.stat().st_size < 4_000_000


def test_a_batch_gives_what_its_members_give_alone(net):
    windows = np.random.default_rng(1).normal(0, 0.05, (7, net.window_samples)).astype(np.float32)
    together = net.forward(windows)
    assert together.shape == (7, 6)
    assert together.dtype == np.float32
    assert np.all((together >= 0) & (together <= 1))
    alone = np.concatenate([net.forward(window[None]) for window in windows])
    assert np.allclose(together, alone, atol=2e-5)


def test_every_sample_of_the_window_counts_and_nothing_else_does(net):
    window = np.random.default_rng(2).normal(0, 0.05, (1, net.window_samples)).astype(np.float32)
    first, again = net.forward(window), net.forward(window.copy())
    assert np.array_equal(first, again)
    later = window.copy()
    later[0, -100:] = 0  # the end of the look-ahead is heard
    assert not np.array_equal(net.forward(later), first)


def test_a_window_of_another_length_is_refused(net):
    with pytest.raises(ValueError, match="wanted"):
        net.forward(np.zeros((1, net.window_samples - 1), np.float32))
    with pytest.raises(ValueError, match="wanted"):
        net.forward(np.zeros(net.window_samples, np.float32))


def test_loading_needs_no_torch_and_no_pickle(net):
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        assert all(stored[key].dtype != object for key in stored.files)


# -- damaged weights files


def stored_arrays() -> dict[str, np.ndarray]:
    with np.load(WEIGHTS) as stored:
        return {key: stored[key] for key in stored.files}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.npz"):
        MouthNet.load(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("content", [b"", b"junk" * 100, WEIGHTS.read_bytes()[:20_000]])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.npz"):
        MouthNet.load(path)


def test_a_pickled_file_is_refused(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, **{**stored_arrays(), "bias_0": np.array([{}], dtype=object)})
    with pytest.raises(ModelError, match=r"pickled\.npz"):
        MouthNet.load(path)


@pytest.mark.parametrize("key", ["format", "strides", "weight_1", "bias_2", "mixing_weight", "output_bias"])
def test_a_missing_array_is_named(tmp_path, key):
    arrays = stored_arrays()
    del arrays[key]
    path = tmp_path / "short.npz"
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match=rf"short\.npz.*'{key}'"):
        MouthNet.load(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weight_0", np.zeros((5, 41, 192))),
        ("bias_1", np.zeros(3)),
        ("output_weight", np.full((1, 192, 6), np.nan)),
        ("residual_taps", np.array([-1])),
        ("format", np.array(99)),
    ],
)
def test_a_wrong_array_is_named(tmp_path, key, value):
    path = tmp_path / "wrong.npz"
    np.savez(path, **{**stored_arrays(), key: value})
    with pytest.raises(ModelError, match=rf"wrong\.npz.*'{key}'"):
        MouthNet.load(path)


# -- stillness


def test_digital_silence_keeps_the_lips_exactly_closed(net):
    assert not smooth(estimate(net, np.zeros(32_000, np.float32))).any()


@pytest.mark.parametrize(("colour", "level_db"), [("white", -35), ("pink", -35), ("hum", -50)])
def test_noise_and_a_quiet_hum_keep_the_mouth_still(net, colour, level_db):
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(48_000)
    if colour == "pink":
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(np.maximum(np.arange(24_001), 90)))
    elif colour == "hum":  # a louder one sounds like a voice
        noise = np.sin(2 * np.pi * 100 * np.arange(48_000) / 16_000) + 0.3 * noise
    noise *= 10 ** (level_db / 20) / noise.std()
    moved = smooth(estimate(net, noise.astype(np.float32)))
    assert moved[:, 0].max() <= 0.02
    assert moved[:, 3].max() == 0


def test_lips_are_exactly_closed_300_ms_into_a_pause(net):
    speech = clip("espeak_f2_english").samples
    paused = np.concatenate([speech[20_000:40_000], np.zeros(16_000, np.float32), speech[40_000:60_000]])
    moved = smooth(estimate(net, paused))
    silent = moved[(20_000 + 4800) // 640 + 1 : 36_000 // 640 - 2]  # the look-ahead ends it 80 ms early
    assert len(silent) > 10
    assert not silent[:, [0, 3]].any()


# -- speech that training never heard


@pytest.mark.parametrize(
    ("name", "share_of_true"),
    [
        ("espeak_f2_english", 0.80),
        ("hts_slt_english", 0.65),
        ("hts_ona_catalan", 0.65),
        ("recorded_carlo_italian", 0.65),
    ],
)
def test_the_lips_follow_speech_of_voices_never_heard(net, name, share_of_true):
    row = figures([clip(name)], filtered(net))
    assert row.opening >= share_of_true * row.true_opening
    assert abs(row.lag_ms) <= 45
    assert row.closed_on_pbm >= 0.85


def test_the_lips_follow_a_recorded_man_heard_in_training(net):
    row = figures([clip("recorded_carlo_italian")], filtered(net))
    assert row.opening >= 0.80 * row.true_opening
    assert abs(row.lag_ms) <= 45
    assert row.closed_on_pbm >= 0.85


def test_a_reversed_mouth_fails_the_measure(net):
    row = figures([clip("espeak_f2_english")], lambda utterance: filtered(net)(utterance)[::-1])
    assert row.opening < 0.4


def test_a_mouth_120_ms_late_is_measured_so(net):
    row = figures([clip("espeak_f2_english")], lambda utterance: np.roll(filtered(net)(utterance), 3, axis=0))
    assert 90 <= row.lag_ms <= 150


@pytest.mark.parametrize("gain_db", [-12, 8])
def test_a_quieter_or_louder_microphone_changes_little(net, gain_db):
    speech = clip("hts_slt_english")
    samples = np.clip(speech.samples * 10 ** (gain_db / 20), -1, 1)
    row = figures([Utterance(speech.voice, samples, speech.segments, speech.text)], filtered(net))
    assert row.opening >= 0.60


def test_the_estimate_depends_on_the_utterance_not_on_how_it_came(net):
    speech = clip("espeak_f2_english").samples[:16_000]
    whole = estimate(net, speech)
    # as a stream delivers it: one picture at a time, each window cut from what has come so far
    padded = np.pad(speech, (net.past_samples, net.future_samples))
    one_by_one = [net.forward(padded[None, n * 640 : n * 640 + net.window_samples]) for n in range(25)]
    assert np.allclose(whole, np.concatenate(one_by_one), atol=2e-5)
