# ruff: noqa: E402 - without torch this module is skipped
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.musetalk.audio_features import LogMel
from models.musetalk.listening import tokens_of
from models.musetalk.voice import MuseTalkVoice
from tests.models.musetalk.speech_windows import frames_of

ANALYSIS = LogMel()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def tokens(nets, pcm: np.ndarray, wanted: list[int], *, whole: bool) -> np.ndarray:
    """The tokens of some frames of an utterance: (frames, 50, 384)."""
    voice = MuseTalkVoice(ANALYSIS)
    found = {}
    for frame in frames_of(voice, pcm, whole=whole):
        heard = voice.hear(frame)
        if frame.index in wanted:
            found[frame.index] = tokens_of(nets, [heard])[0].numpy()
    return np.stack([found[index] for index in wanted])


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_a_whole_utterance_gives_the_references_tokens(nets, golden) -> None:
    found = tokens(nets, golden["pcm16k"], golden["chunk_frames"].tolist(), whole=True)
    assert relative(found, golden["audio_chunks"]) <= 1e-5


def test_positions_are_added_to_every_token_also_to_empty_ones(nets, golden) -> None:
    found = tokens(nets, golden["pcm16k"], golden["unet_frames"].tolist(), whole=True)
    with_positions = nets.add_positions(torch.from_numpy(found)).numpy()
    assert relative(with_positions, golden["audio_tokens_pe"]) <= 1e-5


def test_an_utterance_of_two_segments_gives_the_references_tokens(nets, golden) -> None:
    pcm = np.tile(golden["pcm16k"], int(golden["long_repeat"]))[: int(golden["long_samples"])]
    found = tokens(nets, pcm, golden["long_frames"].tolist(), whole=True)
    assert relative(found, golden["long_chunks"]) <= 1e-5


def test_live_tokens_differ_only_by_the_future_and_not_at_all_at_the_end(nets, golden) -> None:
    pcm, wanted = golden["pcm16k"], [0, 20, 70, 147, 148, 149]
    live, offline = (tokens(nets, pcm, wanted, whole=whole) for whole in (False, True))
    np.testing.assert_array_equal(live[3:], offline[3:])
    assert 1e-4 < relative(live[2], offline[2]) < 0.2
    stem_live, stem_offline = live.reshape(-1, 10, 5, 384)[2, :, 0], offline.reshape(-1, 10, 5, 384)[2, :, 0]
    # the look-ahead covers all that the stem sees; only the loudest sound of the segment is still to come
    assert relative(stem_live, stem_offline) < 1e-3


def test_live_tokens_at_the_segments_boundary_come_from_both_segments(nets, golden) -> None:
    pcm = np.tile(golden["pcm16k"], 6)[: 480_000 + 6 * 640]
    live, offline = (tokens(nets, pcm, [744, 748, 749, 750, 755], whole=whole) for whole in (False, True))
    from_the_first = slice(0, 40)  # of frame 748's tokens; the rest is of a segment that has hardly begun
    assert relative(live[1][from_the_first], offline[1][from_the_first]) < 0.05
    assert relative(live[1], offline[1]) < 0.5
    np.testing.assert_array_equal(live[-1], offline[-1])


def test_voices_encoded_together_are_as_if_each_were_alone(nets, golden) -> None:
    sounds = [golden["pcm16k"][start : start + 6400] for start in (0, 30_000, 60_000)]
    alone = [tokens(nets, pcm, [5], whole=False)[0] for pcm in sounds]
    voices = [MuseTalkVoice(ANALYSIS) for _ in sounds]
    streams = [frames_of(voice, pcm) for voice, pcm in zip(voices, sounds, strict=True)]
    for _ in range(6):
        together = [voice.hear(next(stream)) for voice, stream in zip(voices, streams, strict=True)]
    found = tokens_of(nets, together).numpy()
    for one, expected in zip(found, alone, strict=True):
        assert relative(one, expected) < 1e-5


def test_a_settled_segment_is_encoded_once_and_only_its_rows_are_kept(nets, golden) -> None:
    voice = MuseTalkVoice(ANALYSIS)
    stream = frames_of(voice, golden["pcm16k"], whole=True)
    heard = voice.hear(next(stream))
    segment = heard.pieces[0][0]
    tokens_of(nets, [heard])
    kept = segment.hidden
    assert kept is not None
    assert kept.shape == (300, 5, 384)
    tokens_of(nets, [voice.hear(next(stream))])
    assert segment.hidden is kept
