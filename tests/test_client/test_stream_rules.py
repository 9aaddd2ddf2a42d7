from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import server_messages as say
from protocol.codes import CloseReason
from test_client.annexb import inspect
from test_client.events import Event, VideoEvent
from test_client.stream_rules import StreamRules
from tests.test_client.streams import SESSION, access_units, control, frame, init_success, speech


def broken(events: Iterable[Event], **options: bool) -> list[str]:
    rules = StreamRules(**options)
    for event in events:
        rules.received(event)
    return rules.finish()


def test_a_stream_with_idle_and_speech_breaks_nothing() -> None:
    idle = [frame(index) for index in range(10)]
    rest = [frame(index) for index in range(40, 60)]
    assert broken([*idle, init_success(codec="avc1.42C01E"), *speech(10, 30), *rest]) == []


def test_binary_frames_carry_no_session_and_may() -> None:
    frames = [frame(index, session_id=None, sequence=index) for index in range(30)]
    assert broken([frames[0], init_success(), *frames[1:]]) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"timestamp_ms": 160}, "comes 80 ms after the one before"),
        ({"timestamp_ms": 131}, "is off the grid"),
        ({"access_unit": b""}, "holds 0 pictures"),
        ({"access_unit": access_units()[3] + access_units()[4]}, "holds 2 pictures"),
        ({"access_unit": b"\x07" + access_units()[3]}, "does not begin with an Annex B start code"),
        ({"keyframe": True}, "is marked keyframe=True, but its IDR is False"),
        ({"session_id": "another"}, "carries the session another"),
        ({"session_id": None}, "carries the session None"),
        ({"action_progress": 1.5}, "has action progress 1.5"),
    ],
)
def test_each_rule_of_a_frame_is_told_in_a_sentence(change: dict[str, object], sentence: str) -> None:
    events = [frame(0), init_success(), frame(1), frame(2), frame(3, **change)]
    assert sentence in "\n".join(broken(events))


def test_a_stream_that_does_not_begin_with_an_idr_is_told() -> None:
    assert any("first and not an IDR" in each for each in broken([frame(1), frame(2)]))


def test_an_idr_more_than_a_second_after_the_last_is_told_once() -> None:
    late = [frame(index) for index in range(25)]
    late += [frame(25, access_unit=access_units()[26], keyframe=False)]
    late += [frame(index, access_unit=access_units()[index % 24 + 1], keyframe=False) for index in range(26, 40)]
    assert broken(late) == ["The frame at 1000 ms is the 25th since the last IDR and not an IDR."]


def test_an_idr_without_parameter_sets_is_told() -> None:
    whole = access_units()[0]
    assert inspect(whole).has_parameter_sets
    bare = whole[whole.rindex(b"\x00\x00\x01") :]
    assert any("without SPS and PPS" in each for each in broken([frame(0, access_unit=bare)]))


def test_another_codec_in_mid_stream_is_told() -> None:
    first = access_units()[0]
    at = first.index(b"\x67\x42")
    high = first[: at + 1] + b"\x64" + first[at + 2 :]
    found = broken([frame(0), frame(1, access_unit=high, keyframe=True)])
    assert any("not of the baseline profile" in each for each in found)
    assert any("after avc1.42C01E" in each for each in found)


def test_all_intra_counts_from_init_success_on() -> None:
    assert broken([frame(0), frame(1)], all_intra=True) == []
    found = broken([frame(0), frame(1), init_success(), frame(2)], all_intra=True)
    assert found == ["The frame at 80 ms is not an IDR, though all_intra was asked for."]


def test_a_sequence_that_does_not_rise_is_told() -> None:
    assert any("sequence 4 after 4" in each for each in broken([frame(0, sequence=4), frame(1, sequence=4)]))


def test_init_success_must_agree_with_itself_and_with_the_video() -> None:
    found = broken([frame(0), init_success(default_video="nothing", codec="avc1.640028")])
    assert len(found) == 2


def test_nothing_comes_after_close_ack() -> None:
    ack = control(say.CloseAck(session_id=SESSION, data=say.CloseAckData(reason=CloseReason.CLIENT_REQUEST)))
    assert broken([frame(0), ack]) == []
    assert broken([frame(0), ack, frame(1)]) == ["A message came after CLOSE_ACK."]


def test_a_ping_has_no_envelope_and_is_well() -> None:
    assert broken([frame(0), init_success(), control(say.Ping())]) == []


def test_a_stream_without_a_frame_is_told() -> None:
    assert broken([]) == ["No frame came."]


def test_only_the_first_hundred_violations_are_kept_and_all_are_counted() -> None:
    rules = StreamRules()
    for _ in range(300):
        rules.received(frame(0))
    assert len(rules.finish()) == 100
    assert rules.count >= 299


@given(st.binary(max_size=200), st.integers(-100, 10**6), st.booleans(), st.none() | st.integers(0, 10**6))
def test_no_frame_makes_the_rules_fail(data: bytes, timestamp_ms: int, generated: bool, audio_ms: int | None) -> None:
    event = VideoEvent(data, timestamp_ms, 0.0, generated=generated, audio_ms=audio_ms)
    assert broken([event, frame(1), event])
