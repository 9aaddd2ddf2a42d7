# ruff: noqa: E402 - without torch this module is skipped
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError
from models.musetalk.audio_features import FRAME_SAMPLES, SEGMENT_SAMPLES, LogMel, utterance_mels
from models.musetalk.voice import HeardFrame, MuseTalkVoice, zero_window
from tests.models.musetalk.speech_windows import frame_of, frames_of, window

ANALYSIS = LogMel()


def new_voice() -> MuseTalkVoice:
    return MuseTalkVoice(ANALYSIS)


def noise(samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def mel_of(heard: HeardFrame) -> torch.Tensor:
    """The features that the frame's last segment had when it was heard."""
    return heard.pieces[-1][0].mel.log_mel.clone()


def mel_of_samples(pcm: np.ndarray) -> torch.Tensor:
    return utterance_mels(pcm, ANALYSIS)[-1].log_mel


def test_a_live_frame_hears_exactly_the_samples_up_to_its_look_ahead() -> None:
    pcm, voice = noise(40 * FRAME_SAMPLES), new_voice()
    for index in range(30):
        heard = voice.hear(frame_of(voice, pcm, index))
        assert torch.equal(mel_of(heard), mel_of_samples(pcm[: 640 * index + 2120]))


def test_a_live_voice_starts_over_at_the_segments_boundary_and_still_reaches_back() -> None:
    pcm, voice = noise(SEGMENT_SAMPLES + 20 * FRAME_SAMPLES), new_voice()
    heard = {index: voice.hear(frame_of(voice, pcm, index)) for index in range(756)}
    assert [piece.segment for _, piece in heard[747].pieces] == [0]
    assert [(piece.segment, piece.start, piece.length) for _, piece in heard[748].pieces] == [(0, 1492, 8), (1, 0, 2)]
    assert [(piece.segment, piece.start, piece.length) for _, piece in heard[750].pieces] == [(0, 1496, 4), (1, 0, 6)]
    assert [(piece.segment, piece.start) for _, piece in heard[752].pieces] == [(1, 0)]
    first, second = (segment for segment, _ in heard[751].pieces)
    assert first.settled
    assert not second.settled
    assert torch.equal(first.mel.log_mel, utterance_mels(pcm[:SEGMENT_SAMPLES], ANALYSIS)[0].log_mel)
    start_of_second = pcm[SEGMENT_SAMPLES : 640 * 755 + 2120]
    assert torch.equal(second.mel.log_mel, mel_of_samples(start_of_second))


def test_look_ahead_that_came_late_is_heard_as_if_it_had_been_there() -> None:
    pcm, patient, hurried = noise(20 * FRAME_SAMPLES), new_voice(), new_voice()
    for index in range(10):
        heard = patient.hear(frame_of(patient, pcm, index))
        short = window(pcm, index)
        if index % 3 == 0:  # the frame's own samples were all there was
            short[-1480:] = 0
        late = hurried.hear(replace(frame_of(hurried, pcm, index), window=short))
        assert torch.equal(mel_of(heard), mel_of(late)) == (index % 3 != 0)


def test_frames_may_be_left_out() -> None:
    pcm, every, second = noise(40 * FRAME_SAMPLES), new_voice(), new_voice()
    for index in range(30):
        heard = every.hear(frame_of(every, pcm, index))
        if index % 2 == 1:
            assert torch.equal(mel_of(heard), mel_of(second.hear(frame_of(second, pcm, index))))


def test_frames_without_a_number_follow_each_other() -> None:
    pcm, numbered, counted = noise(10 * FRAME_SAMPLES), new_voice(), new_voice()
    for index in range(8):
        frame = frame_of(numbered, pcm, index)
        one, other = numbered.hear(frame), counted.hear(replace(frame, index=None))
        assert [piece for _, piece in one.pieces] == [piece for _, piece in other.pieces]
        assert torch.equal(mel_of(one), mel_of(other))


def test_a_whole_utterance_is_heard_at_its_first_frame() -> None:
    pcm, voice = noise(SEGMENT_SAMPLES + 12_800), new_voice()
    first = voice.hear(frame_of(voice, pcm, 0, whole=True))
    ((segment, piece),) = first.pieces
    assert segment.settled
    assert (piece.start, piece.target, piece.length) == (0, 4, 6)  # nothing before the utterance
    assert torch.equal(segment.mel.log_mel, utterance_mels(pcm, ANALYSIS)[0].log_mel)
    last = voice.hear(frame_of(voice, pcm, 769, whole=True))
    assert [(piece.segment, piece.length) for _, piece in last.pieces] == [(1, 6)]  # nothing past its end
    assert last.pieces[0][0].rows == 40


def test_the_end_of_a_live_utterance_is_that_of_a_whole_one() -> None:
    pcm, live, whole = noise(25 * FRAME_SAMPLES + 333), new_voice(), new_voice()
    for in_time, offline in zip(frames_of(live, pcm), frames_of(whole, pcm, whole=True), strict=True):
        heard, expected = live.hear(in_time), whole.hear(offline)
    assert [piece for _, piece in heard.pieces] == [piece for _, piece in expected.pieces]
    assert heard.pieces[0][0].settled
    assert torch.equal(mel_of(heard), mel_of(expected))


def test_the_mouth_is_open_to_a_sound_from_its_first_frame_on() -> None:
    pcm, voice = np.concatenate([np.zeros(10 * FRAME_SAMPLES, np.float32), noise(10 * FRAME_SAMPLES)]), new_voice()
    weights = [voice.hear(frame).weight for frame in frames_of(voice, pcm)]
    assert weights[:8] == [0.0] * 8
    assert weights[8] == pytest.approx(1 / 3)
    assert weights[10:] == [1.0] * 10


@pytest.mark.parametrize("every", [2, 3])
def test_a_mouth_opens_and_closes_as_fast_where_frames_are_left_out(every: int) -> None:
    sound, silence = noise(9 * FRAME_SAMPLES), np.zeros(16 * FRAME_SAMPLES, np.float32)
    pcm, full, slow = np.concatenate([silence, sound, silence]), new_voice(), new_voice()
    frames = list(frames_of(full, pcm))
    at_full_rate = [full.hear(frame).weight for frame in frames]
    assert [slow.hear(frame).weight for frame in frames[::every]] == at_full_rate[::every]
    assert {0.0, 1.0} < set(at_full_rate[::every])  # some of the fades are seen


def test_silence_keeps_the_mouth_closed() -> None:
    voice = new_voice()
    assert all(voice.hear(frame).weight == 0 for frame in frames_of(voice, np.zeros(6400, np.float32), whole=True))


def test_frames_that_do_not_fit_are_refused() -> None:
    pcm, voice = noise(6400), new_voice()
    voice.hear(frame_of(voice, pcm, 3))
    with pytest.raises(ModelError, match="frame 3 comes after frame 3"):
        voice.hear(frame_of(voice, pcm, 3))
    with pytest.raises(ModelError, match="does not fit"):
        voice.hear(replace(frame_of(voice, pcm, 4), window=zero_window()[1:]))
