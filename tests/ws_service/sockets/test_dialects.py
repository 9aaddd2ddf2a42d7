"""Frames and sound in both dialects, read back by the protocol's own parser."""

import json

import pytest

from protocol.server_messages import ActionFrame, AudioFrame, VideoFrame
from protocol.wire import parse_server_binary, parse_server_text
from ws_service.session.interfaces import SentFrame
from ws_service.session.timeline import State
from ws_service.sockets.dialects import BinaryDialect, TextDialect
from ws_service.video.packet import Packet

IDLE = SentFrame(Packet(b"\0\0\1idr", True), 80, State.IDLE, False)
SPOKEN = SentFrame(Packet(b"\0\0\1p", False), 120, State.SPEAKING, True, 40)
ACTED = SentFrame(Packet(b"\0\0\1p", False), 160, State.ACTION, False, None, 0.5)
ACTED_1_0 = SentFrame(Packet(b"\0\0\1p", False), 160, State.ACTION, False, None, 0.5, True)


def test_text_frames_parse_and_leave_out_what_does_not_apply() -> None:
    text = TextDialect()
    idle = parse_server_text(text.frame("s", IDLE))
    assert isinstance(idle, VideoFrame)
    assert idle.session_id == "s"
    assert idle.data.frame_data == b"\0\0\1idr"
    assert (idle.data.frame_timestamp, idle.data.keyframe, idle.data.generated) == (80, True, False)
    assert "audio_ms" not in json.loads(text.frame("s", IDLE))["data"]
    spoken = parse_server_text(text.frame("s", SPOKEN))
    assert isinstance(spoken, VideoFrame)
    assert (spoken.data.audio_ms, spoken.data.state, spoken.data.generated) == (40, "speaking", True)


def test_an_action_is_action_frames_only_for_a_client_of_1_0() -> None:
    text = TextDialect()
    assert isinstance(parse_server_text(text.frame("s", ACTED)), VideoFrame)
    old = parse_server_text(text.frame("s", ACTED_1_0))
    assert isinstance(old, ActionFrame)
    assert old.data.action_progress == 0.5


def test_sound_in_text_is_an_audio_frame() -> None:
    sound = parse_server_text(TextDialect().sound("s", b"\1\0" * 640, 40, 120))
    assert isinstance(sound, AudioFrame)
    assert sound.data.data == b"\1\0" * 640
    assert (sound.data.audio_ms, sound.data.frame_timestamp, sound.data.sample_rate) == (40, 120, 16000)


@pytest.mark.parametrize("frame", [IDLE, SPOKEN, ACTED], ids=["idle", "spoken", "acted"])
def test_binary_frames_carry_the_same(frame: SentFrame) -> None:
    header, payload = parse_server_binary(BinaryDialect().frame("s", frame))
    assert payload == frame.packet.data
    assert (header.keyframe, header.generated) == (frame.packet.keyframe, frame.generated)
    assert (header.timestamp_ms, header.audio_ms) == (frame.timestamp_ms, frame.audio_ms)
    assert header.action_progress == pytest.approx(frame.progress or 0, abs=1 / 65535)


def test_the_binary_sequence_counts_all_media() -> None:
    binary = BinaryDialect()
    messages = [binary.frame("s", IDLE), binary.sound("s", b"ab", 40, 120), binary.frame("s", SPOKEN)]
    assert [parse_server_binary(m).header.sequence for m in messages] == [0, 1, 2]
    assert parse_server_binary(messages[1]).payload == b"ab"
