"""Reads speech from any file FFmpeg knows (WAV, MP3, FLAC, ...) as 16-bit PCM that the wire takes.

Owns no connection. Must not import the service.
"""

from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np

from protocol.timing import SAMPLE_RATE_HZ
from test_client.errors import AudioFileError

MIN_SAMPLE_RATE_HZ = 8_000
MAX_SAMPLE_RATE_HZ = 48_000
MAX_DURATION_S = 3_600


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound as the wire takes it: interleaved signed 16-bit little-endian PCM."""

    pcm: bytes
    sample_rate: int
    channels: int

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return len(self.pcm) // (2 * self.channels)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate


def read_speech(path: Path, sample_rate: int | None = SAMPLE_RATE_HZ, channels: int = 1) -> Speech:
    """Reads and resamples a whole sound file.

    `sample_rate` None keeps the file's own rate where the wire takes it (8000 to 48000), else brings it to the nearest
    that it takes. `channels` is 1 (mixed down) or 2.

    Raises:
        AudioFileError: no such file, no sound in it, cut short before the first sample, or longer than an hour.
    """
    if not path.is_file():
        raise AudioFileError(f"There is no file {path}.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioFileError(f"{path} holds no sound.")
            stream = container.streams.audio[0]
            rate = sample_rate or min(max(stream.rate, MIN_SAMPLE_RATE_HZ), MAX_SAMPLE_RATE_HZ)
            pcm = _decode(container, stream, rate, channels, path)
    except av.error.FFmpegError as error:
        raise AudioFileError(f"{path} cannot be read as sound: {error.strerror}.") from error
    if not pcm:
        raise AudioFileError(f"{path} holds no sample of sound.")
    return Speech(pcm, rate, channels)


def resample(speech: Speech, sample_rate: int = SAMPLE_RATE_HZ) -> Speech:
    """The same sound, mono at another rate."""
    if speech.sample_rate == sample_rate and speech.channels == 1:
        return speech
    layout = _layout(speech.channels)
    whole = speech.pcm[: speech.samples * 2 * speech.channels]
    frame = av.AudioFrame.from_ndarray(np.frombuffer(whole, np.int16)[None], format="s16", layout=layout)
    frame.sample_rate = speech.sample_rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return Speech(b"".join(_samples(each) for each in frames), sample_rate, 1)


def _decode(
    container: av.container.InputContainer, stream: av.AudioStream, rate: int, channels: int, path: Path
) -> bytes:
    resampler = av.AudioResampler(format="s16", layout=_layout(channels), rate=rate)
    pieces: list[bytes] = []
    size_bytes = 0
    for frame in container.decode(stream):
        for resampled in resampler.resample(frame):
            pieces.append(_samples(resampled))
            size_bytes += len(pieces[-1])
        if size_bytes > MAX_DURATION_S * rate * channels * 2:
            raise AudioFileError(f"{path} is longer than {MAX_DURATION_S // 60} minutes.")
    pieces.extend(_samples(resampled) for resampled in resampler.resample(None))
    return b"".join(pieces)


def _samples(frame: av.AudioFrame) -> bytes:
    # packed s16 comes as (1, samples * channels)
    return frame.to_ndarray().astype("<i2", copy=False).tobytes()


def _layout(channels: int) -> str:
    if channels not in (1, 2):
        raise ValueError(f"channels must be 1 or 2, not {channels}")
    return "mono" if channels == 1 else "stereo"
