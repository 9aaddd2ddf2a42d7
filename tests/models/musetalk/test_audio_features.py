# ruff: noqa: E402 - without torch this module is skipped
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from models.musetalk.audio_features import (
    SEGMENT_COLUMNS,
    SEGMENT_ROWS,
    SEGMENT_SAMPLES,
    LogMel,
    SegmentMel,
    frame_count,
    mel_filter_bank,
    normalised,
    row_count,
    utterance_mels,
    window_pieces,
)

ANALYSIS = LogMel()


def test_the_features_are_the_references(golden) -> None:
    (segment,) = utterance_mels(golden["pcm16k"], ANALYSIS)
    mel = normalised(segment.log_mel[None])[0].numpy()
    reference = golden["mel"]
    assert np.abs(mel[:, : reference.shape[1]] - reference).max() <= 1e-5 * np.abs(reference).max()


def test_the_features_are_those_of_transformers_even_where_a_segment_is_full(golden) -> None:
    transformers = pytest.importorskip("transformers")
    pcm = np.tile(golden["pcm16k"], 6)[: SEGMENT_SAMPLES + 12_345]
    extractor = transformers.WhisperFeatureExtractor()
    for segment, start in zip(utterance_mels(pcm, ANALYSIS), (0, SEGMENT_SAMPLES), strict=True):
        part = pcm[start : start + SEGMENT_SAMPLES]
        expected = extractor(part, sampling_rate=16_000, return_tensors="np").input_features[0]
        np.testing.assert_allclose(normalised(segment.log_mel[None])[0].numpy(), expected, atol=1.3e-5)


def test_the_filter_bank_covers_every_frequency_with_triangles_of_equal_area() -> None:
    bank = mel_filter_bank()
    assert bank.shape == (201, 80)
    assert (bank >= 0).all()
    assert (bank[1:-1].sum(axis=1) > 0).all()
    assert bank[:, 60:].sum(axis=0) * 40 == pytest.approx(np.ones(20), abs=0.1)  # 40 Hz a bin; narrow ones are coarse


def test_a_segment_without_sound_is_at_the_floor() -> None:
    segment = SegmentMel(ANALYSIS)
    assert segment.log_mel.shape == (80, SEGMENT_COLUMNS)
    assert (segment.log_mel == -10).all()
    segment.write(0, np.zeros(1000, np.float32))
    assert (segment.log_mel == -10).all()


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(1, 29_999), max_size=12, unique=True), seed=st.integers(0, 9))
def test_a_segment_written_in_pieces_is_the_segment_written_at_once(cuts, seed) -> None:
    pcm = np.random.default_rng(seed).normal(0, 0.1, 30_000).astype(np.float32)
    whole, pieces = SegmentMel(ANALYSIS), SegmentMel(ANALYSIS)
    whole.write(0, pcm)
    for first, last in pairwise([0, *sorted(cuts), len(pcm)]):
        pieces.write(first, pcm[first:last])
    assert torch.equal(whole.log_mel, pieces.log_mel)


def test_both_ends_of_a_segment_are_mirrored_however_they_come(golden) -> None:
    pcm = np.tile(golden["pcm16k"], 5)
    whole, pieces = SegmentMel(ANALYSIS), SegmentMel(ANALYSIS)
    whole.write(0, pcm)
    for start in range(0, SEGMENT_SAMPLES, 96_000):
        pieces.write(start, pcm[start : start + 96_000])
    pieces.write(SEGMENT_SAMPLES - 50, np.zeros(50, np.float32))
    pieces.write(SEGMENT_SAMPLES - 50, pcm[-50:])
    assert torch.equal(whole.log_mel, pieces.log_mel)


def test_what_has_changed_is_told_once() -> None:
    segment = SegmentMel(ANALYSIS)
    segment.write(16_000, np.ones(160, np.float32))
    assert segment.take_changed() == slice(96, 104)  # eight at a time; samples 16000 to 16159 are seen by 99 to 102
    assert segment.take_changed().start == segment.take_changed().stop


@pytest.mark.parametrize(("start", "count"), [(-1, 10), (SEGMENT_SAMPLES - 9, 10)])
def test_samples_outside_a_segment_are_refused(start, count) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        SegmentMel(ANALYSIS).write(start, np.zeros(count, np.float32))


def test_frames_and_rows_are_counted_in_whole_numbers(golden) -> None:
    assert frame_count(len(golden["pcm16k"])) == golden["frame_count"]
    assert frame_count(int(golden["long_samples"])) == golden["long_count"]
    # floating point gives one frame too few here
    assert all(frame_count(640 * n) == n and row_count(320 * n) == n for n in range(2000))


@given(frame=st.integers(0, 4000), rows=st.none() | st.integers(0, 8000))
def test_a_window_is_made_of_the_rows_around_its_frame(frame, rows) -> None:
    laid = np.full(10, -1)
    for piece in window_pieces(frame, rows):
        assert piece.start + piece.length <= SEGMENT_ROWS
        laid[piece.target : piece.target + piece.length] = (
            piece.segment * SEGMENT_ROWS + piece.start + np.arange(piece.length)
        )
    wanted = np.arange(2 * frame - 4, 2 * frame + 6)
    there = (wanted >= 0) & (wanted < (rows if rows is not None else np.inf))
    np.testing.assert_array_equal(laid, np.where(there, wanted, -1))
