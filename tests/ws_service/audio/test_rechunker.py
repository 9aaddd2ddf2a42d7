from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ws_service.audio.rechunker import KEPT_FRAMES, Utterance
from ws_service.audio.resampler import Resampler


def noise(samples: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(-32768, 32768, samples, dtype=np.int16).astype("<i2").tobytes()


def offline_window(pcm: bytes, frame: int, past: int, future: int) -> np.ndarray:
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / 32768
    padded = np.concatenate((np.zeros(past), samples, np.zeros(640 + future + 640)))
    return padded[frame * 640 : frame * 640 + past + 640 + future].astype(np.float32)


@settings(max_examples=30)
@given(data=st.data(), rate_hz=st.sampled_from([8000, 22050, 44100, 48000]), channels=st.integers(1, 2))
def test_resampled_audio_is_read_the_same_however_it_came_and_went(
    data: st.DataObject, rate_hz: int, channels: int
) -> None:
    pcm = noise(rate_hz // 2 * channels)
    expected = Resampler(rate_hz, channels).push(pcm).tobytes()
    utterance = Utterance()
    at, sound = 0, b""
    for step in data.draw(st.lists(st.integers(0, 40_000), max_size=10)):
        utterance.push(pcm[at : at + step], rate_hz, channels)
        at += step
        if utterance.frame_complete(len(sound) // 1280, 0):
            sound += utterance.frame_pcm(len(sound) // 1280)
    utterance.push(pcm[at:], rate_hz, channels)
    utterance.end()
    assert utterance.samples == len(expected) // 2
    while utterance.frame_complete(len(sound) // 1280, 0):
        sound += utterance.frame_pcm(len(sound) // 1280)
    assert sound == expected.ljust(len(sound), b"\0")


@settings(max_examples=60)
@given(
    size=st.integers(0, 20_000),
    sizes=st.lists(st.integers(0, 4000), min_size=1, max_size=12),
    past=st.sampled_from([0, 1, 639, 3200]),
    future=st.sampled_from([0, 320, 1280]),
)
def test_streaming_equals_offline_however_it_is_cut(size: int, sizes: list[int], past: int, future: int) -> None:
    pcm = noise(size // 2 + 1)[:size]
    utterance = Utterance()
    windows, sounds = [], []

    def read() -> None:
        while utterance.frame_complete(len(windows), future):
            windows.append(utterance.window(len(windows), past, future))
            sounds.append(utterance.frame_pcm(len(sounds)))

    at = 0
    for step in sizes:
        utterance.push(pcm[at : at + step], 16000, 1)
        at += step
        read()
    utterance.push(pcm[at:], 16000, 1)
    utterance.end()
    read()
    assert len(windows) == utterance.total_frames == ceil(size // 2 / 640)
    for frame, window in enumerate(windows):
        assert np.array_equal(window, offline_window(pcm, frame, past, future))
    whole = pcm[: size // 2 * 2]
    assert b"".join(sounds) == whole.ljust(1280 * len(sounds), b"\0")


@pytest.mark.parametrize("size", [640, 1280, 2048, 1281, 1])
def test_chunks_of_any_size_make_the_same_frames(size: int) -> None:
    pcm = noise(6400)
    utterance = Utterance()
    for at in range(0, len(pcm), size):
        utterance.push(pcm[at : at + size], 16000, 1)
    assert utterance.samples == 6400
    assert b"".join(utterance.frame_pcm(n) for n in range(10)) == pcm


def test_a_frame_is_ready_when_its_look_ahead_is_there() -> None:
    utterance = Utterance()
    utterance.push(noise(640), 16000, 1)
    assert utterance.frames_ready(0) == 1
    assert utterance.frames_ready(1) == 0
    assert not utterance.frame_complete(0, 1280)
    utterance.push(noise(1280), 16000, 1)
    assert utterance.frame_complete(0, 1280)
    assert not utterance.frame_complete(1, 1280)


def test_after_the_end_every_frame_is_ready_the_short_one_too() -> None:
    utterance = Utterance()
    utterance.push(noise(641), 16000, 1)
    assert utterance.total_frames is None
    utterance.end()
    utterance.end()
    assert utterance.total_frames == utterance.frames_ready(1280) == 2
    assert not utterance.frame_complete(2, 0)
    assert utterance.frame_pcm(1)[2:] == bytes(1278)


def test_an_utterance_without_audio_has_no_frames() -> None:
    utterance = Utterance()
    assert utterance.push(b"\x01", 16000, 1) == 0
    utterance.end()
    assert utterance.total_frames == 0
    assert not utterance.window(0, 100, 100).any()


def test_a_frame_whose_look_ahead_is_missing_sees_zeros_there() -> None:
    utterance = Utterance()
    pcm = noise(700)
    utterance.push(pcm, 16000, 1)
    window = utterance.window(0, 0, 640)
    assert np.array_equal(window[:700], np.frombuffer(pcm, "<i2") / np.float32(32768))
    assert not window[700:].any()


def test_audio_of_any_rate_gives_its_share_of_frames() -> None:
    for rate_hz, channels in ((8000, 1), (22050, 2), (44100, 1), (48000, 2)):
        utterance = Utterance()
        utterance.push(noise(rate_hz * channels), rate_hz, channels)
        assert utterance.samples == 16000
        assert utterance.frames_ready(0) == 25


def test_the_rate_may_change_within_an_utterance() -> None:
    utterance = Utterance()
    assert utterance.push(noise(1600), 16000, 1) == 1600
    assert utterance.push(noise(4800), 48000, 1) == 1600
    assert utterance.push(noise(3200), 16000, 2) == 1600
    assert utterance.samples == 4800
    utterance.end()
    assert utterance.total_frames == 8
    assert b"".join(utterance.frame_pcm(n) for n in range(8))[:3200] == noise(1600)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200) | st.integers(0, 60_000),
            st.sampled_from([8000, 8001, 16_000, 44_100, 47_999]),
            st.integers(1, 2),
            st.integers(0, 3),  # frames read after it, where they are there
        ),
        max_size=12,
    )
)
def test_changes_of_rate_are_heard_in_order_whenever_they_are_read(pushes: list[tuple[int, int, int, int]]) -> None:
    utterance = Utterance()
    expected, sound, frames = b"", b"", 0
    resampler = None
    for size, rate_hz, channels, reads in pushes:
        pcm = noise(size)[:size]
        if size and (resampler is None or (resampler.sample_rate_hz, resampler.channels) != (rate_hz, channels)):
            resampler = Resampler(rate_hz, channels)
        utterance.push(pcm, rate_hz, channels)
        expected += resampler.push(pcm).tobytes() if size and resampler is not None else b""
        assert utterance.samples == len(expected) // 2
        for _ in range(min(reads, utterance.frames_ready(0) - frames)):
            sound += utterance.frame_pcm(frames)
            frames += 1
    utterance.end()
    while frames < utterance.frames_ready(0):
        sound += utterance.frame_pcm(frames)
        frames += 1
    assert sound == expected.ljust(len(sound), b"\0")


def test_a_change_of_rate_does_not_resample_a_long_burst_at_once() -> None:
    utterance = Utterance()
    burst = noise(44_100 * 20)
    utterance.push(burst, 44_100, 1)
    utterance.push(noise(100), 47_999, 1)
    assert utterance.held_bytes > 0.9 * len(burst)


def test_what_waits_at_many_rates_does_not_pile_up() -> None:
    utterance = Utterance()
    for rate_hz in range(47_999, 47_000, -1):
        utterance.push(noise(4), rate_hz, 1)
    assert len(utterance._waiting) == 1


def test_pushes_without_a_byte_change_nothing() -> None:
    utterance = Utterance()
    utterance.push(b"\x01", 16000, 1)
    for rate_hz in (8000, 48000):
        assert utterance.push(b"", rate_hz, 2) == 0
    assert utterance.push(b"\x02", 16000, 1) == 1  # the two halves of one sample
    assert utterance.held_bytes == 2
    assert utterance.frame_pcm(0)[:2] == b"\x01\x02"


def test_a_burst_waits_as_it_came_and_is_resampled_as_it_is_read() -> None:
    utterance = Utterance()
    burst = noise(48_000 * 20)
    assert utterance.push(burst, 48_000, 1) == 16_000 * 20
    assert utterance.held_bytes == len(burst)
    utterance.window(0, 3200, 1280)
    assert len(burst) * 0.95 < utterance.held_bytes < len(burst)
    for frame in range(utterance.frames_ready(0)):
        utterance.window(frame, 0, 0)
    assert utterance.held_bytes <= 1280 * (KEPT_FRAMES + 1)


def test_what_waits_can_be_read_ahead_in_steps_and_sounds_the_same() -> None:
    pcm = noise(48_000 * 3)
    read, ahead = Utterance(), Utterance()
    for utterance in (read, ahead):
        utterance.push(pcm, 48_000, 1)
        utterance.end()
    assert not ahead.all_read
    steps = 0
    while ahead.read_ahead():
        steps += 1
    assert steps > 10
    assert ahead.all_read
    assert np.array_equal(ahead.window(0, 0, 47_360), read.window(0, 0, 47_360))


def test_memory_is_bounded_however_long_it_speaks() -> None:
    utterance = Utterance()
    past = 3200
    for frame in range(2000):
        utterance.push(bytes(1280), 16000, 1)
        utterance.window(frame, past, 0)
        assert utterance.held_bytes <= 2 * past + 1280 * (KEPT_FRAMES + 1)
    assert utterance.samples == 2000 * 640
    assert utterance.frame_pcm(2000 - KEPT_FRAMES) == bytes(1280)
    with pytest.raises(ValueError, match="gone"):
        utterance.frame_pcm(0)


def test_nothing_is_added_after_the_end() -> None:
    utterance = Utterance()
    utterance.end()
    with pytest.raises(ValueError, match="ended"):
        utterance.push(b"xx", 16000, 1)
