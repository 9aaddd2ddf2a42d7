from pathlib import Path

import av
import numpy as np
import pytest

from test_client import recording as recording_module
from test_client.audio_file import Speech
from test_client.errors import RecordingError
from test_client.events import AudioEvent
from test_client.recording import Recording
from test_client.scripted import Target, speak_file
from tests.fakes.avatar_server import MOUTH, AvatarServer
from tests.test_client.streams import ended, frame, interrupted, speech, started


def clicks(seconds: float, at_s: list[float]) -> Speech:
    """Silence with 40 ms of noise at some times."""
    samples = np.zeros(round(seconds * 16_000), np.int16)
    for begin_s in at_s:
        begin = round(begin_s * 16_000)
        samples[begin : begin + 640] = np.random.default_rng(0).integers(-12_000, 12_000, 640)
    return Speech(samples.tobytes(), 16_000, 1)


def seen_and_heard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """For each 40 ms of a film: how bright the mouth is (frames,), and how loud the sound is (frames,)."""
    with av.open(str(path)) as container:
        pictures = [picture.to_ndarray()[:512][MOUTH].mean() for picture in container.decode(video=0)]
    with av.open(str(path)) as container:
        # playing by time stamps, as a player does
        track = np.zeros(len(pictures) * 640 + 4096)
        for piece in container.decode(audio=0):
            begin = round(piece.pts * piece.time_base * 16_000)
            samples = piece.to_ndarray()[0]
            track[begin : begin + samples.size] = samples[: track.size - begin]
    loudness = np.abs(track[: len(pictures) * 640]).reshape(-1, 640).mean(axis=1)
    return np.array(pictures), loudness


def test_the_film_holds_the_received_pictures_untouched(tmp_path: Path) -> None:
    recording = Recording()
    for index in range(50):
        recording.received(frame(index))
    recording.save(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [float(packet.pts * packet.time_base) for packet in packets] == pytest.approx(np.arange(50) * 0.04)
        assert [packet.is_keyframe for packet in packets] == [index % 25 == 0 for index in range(50)]
    with av.open(str(tmp_path / "a.mp4")) as container:
        shades = [picture.to_ndarray()[0, 0] for picture in container.decode(video=0)]
    assert np.abs(np.array(shades, int) - np.arange(60, 110)).max() <= 2


def test_speech_is_heard_where_its_frames_are_seen(tmp_path: Path) -> None:
    recording = Recording()
    recording.speech_sent(clicks(0.4, [0.08, 0.24]), "one")
    for event in [*(frame(index) for index in range(20)), *speech(20, 10), *(frame(index) for index in range(30, 40))]:
        recording.received(event)
    recording.save(tmp_path / "a.mp4")
    _, loudness = seen_and_heard(tmp_path / "a.mp4")
    assert np.flatnonzero(loudness > 0.05).tolist() == [22, 26]


def test_where_the_avatar_held_its_mouth_there_is_silence_and_then_the_rest(tmp_path: Path) -> None:
    recording = Recording()
    recording.speech_sent(clicks(0.16, [0.04, 0.08]))
    held = [started(), frame(0, 0), frame(1, 1), frame(2), frame(3), frame(4, 2), frame(5, 3), ended(160)]
    for event in held:
        recording.received(event)
    recording.save(tmp_path / "a.mp4")
    _, loudness = seen_and_heard(tmp_path / "a.mp4")
    assert np.flatnonzero(loudness > 0.05).tolist() == [1, 4]


def test_speak_started_after_the_first_frame_loses_no_sound(tmp_path: Path) -> None:
    recording = Recording()
    recording.speech_sent(clicks(0.08, [0.0]), "one")
    for event in [frame(0), frame(1, 0), started(), frame(2, 1), ended(80), frame(3)]:
        recording.received(event)
    recording.save(tmp_path / "a.mp4")
    assert np.flatnonzero(seen_and_heard(tmp_path / "a.mp4")[1] > 0.05).tolist() == [1]


def test_an_interrupt_forgets_unnamed_speech_that_was_not_heard(tmp_path: Path) -> None:
    recording = Recording()
    for loud_s in (0.0, 0.04):
        recording.speech_sent(clicks(0.08, [loud_s]))
    cut = [frame(0), started("a"), frame(1, 0), ended(40, "a", interrupted=True), interrupted(40)]
    for event in cut:
        recording.received(event)
    recording.speech_sent(clicks(0.12, [0.08]))
    for event in speech(2, 3, "b"):
        recording.received(event)
    recording.save(tmp_path / "a.mp4")
    assert np.flatnonzero(seen_and_heard(tmp_path / "a.mp4")[1] > 0.05).tolist() == [1, 4]


def test_sound_that_the_server_sent_is_preferred(tmp_path: Path) -> None:
    recording = Recording()
    recording.speech_sent(clicks(0.16, [0.0]), "one")
    loud = clicks(0.04, [0.0]).pcm
    recording.received(started())
    for index in range(4):
        recording.received(AudioEvent(loud if index == 2 else bytes(1280), index * 40, index * 40, 0.0))
        recording.received(frame(index, index))
    recording.save(tmp_path / "a.mp4")
    assert np.flatnonzero(seen_and_heard(tmp_path / "a.mp4")[1] > 0.05).tolist() == [2]


def test_the_film_begins_at_the_first_idr(tmp_path: Path) -> None:
    recording = Recording()
    for index in range(20, 40):
        recording.received(frame(index))
    recording.save(tmp_path / "a.mp4")
    assert len(seen_and_heard(tmp_path / "a.mp4")[0]) == 15


def test_nothing_to_save_and_nowhere_to_save_it_are_told(tmp_path: Path) -> None:
    recording = Recording()
    with pytest.raises(RecordingError, match="Nothing to save"):
        recording.save(tmp_path / "a.mp4")
    recording.received(frame(0))
    with pytest.raises(RecordingError, match="cannot be written"):
        recording.save(tmp_path / "nowhere" / "a.mp4")


def test_past_its_bound_a_recording_keeps_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "MAX_RECORDING_BYTES", 10_000)
    recording = Recording()
    for index in range(50):
        recording.received(frame(index))
    assert recording.truncated
    assert 0 < recording.frames < 50
    assert sum(len(data) for _, data in recording.access_units()) <= 10_000


@pytest.mark.parametrize("audio_out", [False, True])
async def test_in_a_real_conversation_the_mouth_is_bright_when_the_sound_is_loud(
    tmp_path: Path, audio_out: bool
) -> None:
    at_s = [0.2, 0.52, 0.6, 1.0]
    async with AvatarServer() as server:
        observation = await speak_file(
            Target(server.url, "anna", audio_out=audio_out), clicks(1.3, at_s), realtime=False, lead_s=0.05
        )
    assert observation.violations() == []
    observation.recording.save(tmp_path / "a.mp4")
    brightness, loudness = seen_and_heard(tmp_path / "a.mp4")
    seen, heard = np.flatnonzero(brightness > 150), np.flatnonzero(loudness > 0.05)
    assert seen.tolist() == heard.tolist()
    assert ((seen - seen[0]) * 0.04).tolist() == pytest.approx([begin_s - at_s[0] for begin_s in at_s])
