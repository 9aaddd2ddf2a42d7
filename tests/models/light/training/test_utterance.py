"""Clips on disk."""

import wave

import numpy as np
import pytest

from models.light.training.phones import Segment
from models.light.training.utterance import SPEECH_RMS, Utterance, load_utterance, save_utterance, with_level

TONE = (0.2 * np.sin(np.arange(16_000) / 9)).astype(np.float32)


def test_a_clip_comes_back_as_it_was_saved(tmp_path):
    saved = Utterance("family/name", TONE, [Segment(0.0, 0.25, "sil"), Segment(0.25, 1.0, "AA")], "Aah, é")
    save_utterance(saved, tmp_path / "clip.wav")
    loaded = load_utterance(tmp_path / "clip.wav")
    assert (loaded.voice, loaded.text, loaded.segments) == (saved.voice, saved.text, saved.segments)
    assert np.abs(loaded.samples - TONE).max() < 1e-4
    assert loaded.family == "family"
    assert loaded.duration_s == 1.0


def test_another_rate_is_refused(tmp_path):
    with wave.open(str(tmp_path / "clip.wav"), "wb") as stored:
        stored.setparams((1, 2, 8000, 0, "NONE", ""))
        stored.writeframes(bytes(100))
    with pytest.raises(ValueError, match="16 kHz"):
        load_utterance(tmp_path / "clip.wav")


def test_levels_are_root_mean_square():
    assert np.sqrt(np.mean(with_level(TONE) ** 2)) == pytest.approx(SPEECH_RMS, rel=1e-3)
    assert not with_level(np.zeros(10, np.float32)).any()
