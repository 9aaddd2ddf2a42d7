from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import server_messages as say
from protocol.binary import MediaFlag, MediaHeader, MediaKind
from test_client.errors import BadServerMessage
from test_client.events import AudioEvent, ControlEvent, VideoEvent, decode
from tests.test_client.streams import SESSION, access_units, frame


def test_a_text_frame_and_a_binary_frame_become_the_same_shape() -> None:
    data = access_units()[0]
    text = say.video_frame_json(
        SESSION, b64encode(data).decode(), 80, keyframe=True, state="speaking", generated=True, audio_ms=40
    )
    header = MediaHeader(MediaKind.VIDEO, MediaFlag.KEYFRAME | MediaFlag.GENERATED, 0.0, 7, 80, 40)
    common = {"keyframe": True, "generated": True, "audio_ms": 40}
    assert decode(text, 1.5) == VideoEvent(data, 80, 1.5, **common, state="speaking", session_id=SESSION)
    assert decode(header.pack() + data, 1.5) == VideoEvent(data, 80, 1.5, **common, sequence=7)


def test_an_idle_frame_shows_no_audio() -> None:
    header = MediaHeader(MediaKind.VIDEO, MediaFlag.NONE, 0.0, 0, 40, None)
    event = decode(header.pack() + b"x", 0.0)
    assert event == VideoEvent(b"x", 40, 0.0, keyframe=False, sequence=0)


def test_an_action_frame_carries_its_progress_in_both_modes() -> None:
    text = say.video_frame_json(
        SESSION, "AAAA", 0, keyframe=False, state="action", generated=False, action_progress=0.5
    )
    header = MediaHeader(MediaKind.VIDEO, MediaFlag.ACTION, 0.5, 0, 0, None)
    for raw in (text, header.pack() + b"\0\0\0"):
        event = decode(raw, 0.0)
        assert isinstance(event, VideoEvent)
        assert event.action_progress == pytest.approx(0.5, abs=1e-4)


def test_sound_becomes_the_same_shape_in_both_modes() -> None:
    data = say.AudioFrameData(data=b"\1\2", audio_ms=40, frame_timestamp=80)
    text = say.AudioFrame(session_id=SESSION, data=data).to_json()
    assert decode(text, 0.0) == AudioEvent(b"\1\2", 80, 40, 0.0, session_id=SESSION)
    header = MediaHeader(MediaKind.AUDIO, MediaFlag.NONE, 0.0, 3, 80, 40)
    assert decode(header.pack() + b"\1\2", 0.0) == AudioEvent(b"\1\2", 80, 40, 0.0, sequence=3)


def test_a_frame_of_an_old_server_has_no_optional_field_and_its_keyframe_is_read_from_its_bytes() -> None:
    data = b64encode(access_units()[0]).decode()
    old = f'{{"type":"VIDEO_FRAME","session_id":"s","data":{{"frame_data":"{data}","frame_timestamp":0}}}}'
    event = decode(old, 0.0)
    assert isinstance(event, VideoEvent)
    assert (event.keyframe, event.generated, event.audio_ms) == (None, False, None)
    assert event.begins_gop
    assert not frame(1, keyframe=None).begins_gop
    assert frame(1, keyframe=True).begins_gop


def test_control_messages_are_the_protocols_own() -> None:
    assert decode('{"type":"PING"}', 2.0) == ControlEvent(say.Ping(), 2.0)


@pytest.mark.parametrize("raw", ["", "{}", '{"type":"NOTHING"}', b"", b"\x01short", bytes(20)])
def test_what_is_not_of_the_protocol_is_one_error(raw: str | bytes) -> None:
    with pytest.raises(BadServerMessage, match="not of the protocol"):
        decode(raw, 0.0)


@given(st.text() | st.binary(max_size=100))
def test_junk_raises_nothing_else(raw: str | bytes) -> None:
    try:
        decode(raw, 0.0)
    except BadServerMessage:
        return
