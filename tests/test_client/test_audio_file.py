import wave
from pathlib import Path

import av
import numpy as np
import pytest

from test_client.audio_file import Speech, read_speech, resample
from test_client.errors import AudioFileError


def tone(rate_hz: int, seconds: float, channels: int = 1) -> np.ndarray:
    samples = np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz) * 9000
    return np.repeat(samples.astype(np.int16)[:, None], channels, axis=1)


def write_wav(path: Path, rate_hz: int, seconds: float, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(tone(rate_hz, seconds, channels).tobytes())
    return path


def write_coded(path: Path, codec: str, rate_hz: int, seconds: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(rate_hz, seconds).T.copy(), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            stream.format, "mono", rate_hz, frame_size=stream.codec_context.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def pitch_hz(speech: Speech) -> float:
    samples = np.frombuffer(speech.pcm, np.int16)[:: speech.channels].astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(samples.size)))) * speech.sample_rate / samples.size)


def test_a_wav_of_the_wires_own_format_is_read_as_it_is(tmp_path: Path) -> None:
    speech = read_speech(write_wav(tmp_path / "a.wav", 16_000, 0.5))
    assert speech.pcm == tone(16_000, 0.5).tobytes()
    assert (speech.sample_rate, speech.channels, speech.samples) == (16_000, 1, 8000)
    assert speech.duration_s == 0.5


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_becomes_16_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    speech = read_speech(write_wav(tmp_path / "a.wav", rate_hz, 0.5, channels))
    assert (speech.sample_rate, speech.channels) == (16_000, 1)
    assert abs(speech.samples - 8000) <= 2
    assert pitch_hz(speech) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.flac", "flac")])
def test_mp3_and_flac_are_read(tmp_path: Path, name: str, codec: str) -> None:
    speech = read_speech(write_coded(tmp_path / name, codec, 44_100, 1.0))
    assert speech.duration_s == pytest.approx(1.0, abs=0.1)
    assert pitch_hz(speech) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(("rate_hz", "sent_hz"), [(22_050, 22_050), (96_000, 48_000), (4_000, 8_000)])
def test_the_files_own_rate_is_kept_where_the_wire_takes_it(tmp_path: Path, rate_hz: int, sent_hz: int) -> None:
    assert read_speech(write_wav(tmp_path / "a.wav", rate_hz, 0.2), sample_rate=None).sample_rate == sent_hz


def test_stereo_can_be_kept(tmp_path: Path) -> None:
    speech = read_speech(write_wav(tmp_path / "a.wav", 16_000, 0.25, channels=2), channels=2)
    assert (speech.channels, speech.samples) == (2, 4000)


def test_bad_files_are_told_in_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound at all " * 20)
    picture = tmp_path / "picture.mp4"
    with av.open(str(picture), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    empty = write_wav(tmp_path / "empty.wav", 16_000, 0)
    for path, sentence in (
        (tmp_path / "nothing.wav", "There is no file"),
        (tmp_path, "There is no file"),
        (text, "cannot be read as sound"),
        (picture, "holds no sound"),
        (empty, "holds no sample of sound"),
    ):
        with pytest.raises(AudioFileError, match=sentence):
            read_speech(path)


def test_resampling_what_needs_none_changes_nothing() -> None:
    speech = Speech(b"\x01\x02" * 100, 16_000, 1)
    assert resample(speech) is speech


def test_resampling_keeps_the_length_and_the_pitch() -> None:
    speech = resample(Speech(tone(48_000, 0.5, 2).tobytes(), 48_000, 2))
    assert abs(speech.samples - 8000) <= 2
    assert pitch_hz(speech) == pytest.approx(440, abs=5)


def test_channels_are_one_or_two(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="channels must be 1 or 2"):
        read_speech(write_wav(tmp_path / "a.wav", 16_000, 0.1), channels=3)
