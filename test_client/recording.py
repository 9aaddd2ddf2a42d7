"""Keeps what was seen and heard and saves it as an MP4 whose sound and lips match.

The video is the received access units, untouched. The sound is AAC: sample `audio_ms` of an utterance is put where the
frame that shows it is shown; between utterances, and where the avatar held its mouth, there is silence. Owns no
socket; must not import the service.
"""

from collections import deque
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from protocol import server_messages as said
from protocol.timing import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from test_client.audio_file import Speech, resample
from test_client.errors import RecordingError
from test_client.events import AudioEvent, ControlEvent, Event, VideoEvent

MAX_RECORDING_BYTES = 1 << 29  # an hour of talking
_AAC_FRAME_SAMPLES = 1024
_MILLISECONDS = Fraction(1, 1000)


class Recording:
    """Takes each event of a connection, and each utterance that was sent to it, then `save`s.

    Where the server sends sound (`audio_out`), that is what is saved; else it is the sound given to `speech_sent`.
    Kept in memory, at most 512 MB; `truncated` says that the end did not fit.
    """

    def __init__(self) -> None:
        self.truncated = False
        self._access_units: list[tuple[int, bytes, bool]] = []  # timestamp_ms, data, keyframe
        self._sound: list[tuple[int, bytes]] = []  # timestamp_ms of the frame that shows it, 16 kHz mono s16le
        self._size_bytes = 0
        self._named_speech: dict[str, Speech] = {}
        self._unnamed_speech: deque[Speech] = deque()
        self._speaking: Speech | None = None
        self._unclaimed: VideoEvent | None = None  # a first generated frame that came before its SPEAK_STARTED
        self._server_sound = False

    @property
    def frames(self) -> int:
        """Pictures kept so far."""
        return len(self._access_units)

    def access_units(self) -> list[tuple[int, bytes]]:
        """All pictures kept, as (timestamp_ms, access unit), in the order they came."""
        return [(timestamp_ms, data) for timestamp_ms, data, _ in self._access_units]

    def speech_sent(self, speech: Speech, utterance_id: str | None = None) -> None:
        """Tells the sound of an utterance, whole, before or while it is sent."""
        mono = resample(speech)
        if utterance_id is None:
            self._unnamed_speech.append(mono)
        else:
            self._named_speech[utterance_id] = mono

    def received(self, event: Event) -> None:
        """Takes the next event."""
        if isinstance(event, VideoEvent):
            self._video(event)
        elif isinstance(event, AudioEvent):
            self._server_sound = True
            self._keep_sound(event.timestamp_ms, event.pcm)
        else:
            self._control(event)

    def save(self, path: Path) -> None:
        """Writes the MP4, from the first IDR on. Blocking: call it when the conversation is over, or in a thread.

        Raises:
            RecordingError: there is no picture to begin with, or the file cannot be written.
        """
        first = next((index for index, unit in enumerate(self._access_units) if unit[2]), None)
        if first is None:
            raise RecordingError("Nothing to save: no frame that a film can begin with was received.")
        units = self._access_units[first:]
        begin_ms = units[0][0]
        try:
            with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
                _write(container, units, self._sound_track(begin_ms, units[-1][0] + FRAME_MS))
        except (av.error.FFmpegError, OSError) as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}.") from error

    def _video(self, event: VideoEvent) -> None:
        if self._size_bytes + len(event.access_unit) > MAX_RECORDING_BYTES:
            self.truncated = True
            return
        self._access_units.append((event.timestamp_ms, event.access_unit, event.begins_gop))
        self._size_bytes += len(event.access_unit)
        if not event.generated or event.audio_ms is None:
            return
        if self._speaking is None:
            self._unclaimed = event
        else:
            self._hear(event, self._speaking)

    def _control(self, event: ControlEvent) -> None:
        message = event.message
        if isinstance(message, said.SpeakStarted):
            self._speaking = self._named_speech.pop(message.data.utterance_id, None)
            if self._speaking is None and self._unnamed_speech:
                self._speaking = self._unnamed_speech.popleft()
            if self._unclaimed is not None and self._speaking is not None:
                self._hear(self._unclaimed, self._speaking)
            self._unclaimed = None
        elif isinstance(message, said.SpeakEnded):
            self._speaking = None
        elif isinstance(message, said.Interrupted):
            self._unnamed_speech.clear()

    def _hear(self, event: VideoEvent, speech: Speech) -> None:
        if event.audio_ms is None or self._server_sound:
            return
        begin = event.audio_ms * SAMPLE_RATE_HZ // 1000 * 2
        self._keep_sound(event.timestamp_ms, speech.pcm[begin : begin + 2 * FRAME_SAMPLES])

    def _keep_sound(self, timestamp_ms: int, pcm: bytes) -> None:
        if self._size_bytes + len(pcm) > MAX_RECORDING_BYTES:
            self.truncated = True
            return
        self._sound.append((timestamp_ms, pcm))
        self._size_bytes += len(pcm)

    def _sound_track(self, begin_ms: int, end_ms: int) -> NDArray[np.int16]:
        """The whole sound, (samples,) int16 at 16 kHz, from `begin_ms` to `end_ms` of the stream."""
        track = np.zeros((end_ms - begin_ms) * SAMPLE_RATE_HZ // 1000, np.int16)
        for timestamp_ms, pcm in self._sound:
            at = (timestamp_ms - begin_ms) * SAMPLE_RATE_HZ // 1000
            if 0 <= at < track.size:
                samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")[: track.size - at]
                track[at : at + samples.size] = samples
        return track


def _write(
    container: av.container.OutputContainer, units: list[tuple[int, bytes, bool]], track: NDArray[np.int16]
) -> None:
    begin_ms = units[0][0]
    # the first access unit has the SPS and PPS that the file's header needs
    with av.open(BytesIO(units[0][1]), format="h264") as first:
        video = container.add_stream_from_template(first.streams.video[0])
    video.time_base = _MILLISECONDS
    audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
    heard = 0
    for timestamp_ms, data, keyframe in units:
        packet = av.Packet(data)
        packet.stream = video
        packet.time_base = _MILLISECONDS
        packet.pts = packet.dts = timestamp_ms - begin_ms
        packet.duration = FRAME_MS
        packet.is_keyframe = keyframe
        container.mux(packet)
        due = (timestamp_ms - begin_ms + FRAME_MS) * SAMPLE_RATE_HZ // 1000
        while heard + _AAC_FRAME_SAMPLES <= due:
            container.mux(audio.encode(_audio_frame(track, heard)))
            heard += _AAC_FRAME_SAMPLES
    while heard < track.size:
        container.mux(audio.encode(_audio_frame(track, heard)))
        heard += _AAC_FRAME_SAMPLES
    container.mux(audio.encode(None))


def _audio_frame(track: NDArray[np.int16], at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(track[None, at : at + _AAC_FRAME_SAMPLES], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
    frame.pts = at
    return frame
