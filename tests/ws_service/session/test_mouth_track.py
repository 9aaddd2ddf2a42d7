"""The mouth that is seen: held, then closed in three frames."""

from hypothesis import given
from hypothesis import strategies as st

from ws_service.session.mouth_track import CLOSING_FRAMES, MouthTrack


def test_nobody_has_spoken_so_nothing_is_painted():
    track = MouthTrack()
    track.rest()
    assert track.mouth is None


def test_a_generated_mouth_is_shown_as_it_is_and_held_until_something_else_happens():
    track, mouth = MouthTrack(), object()
    track.speak(mouth)
    assert (track.mouth, track.weight) == (mouth, 1.0)


def test_the_mouth_closes_within_three_frames_each_less_open_than_the_one_before():
    track, mouth = MouthTrack(), object()
    track.speak(mouth)
    seen = []
    for _ in range(CLOSING_FRAMES):
        track.rest()
        seen.append((track.mouth, round(track.weight, 3)))
    assert seen == [(mouth, 0.667), (mouth, 0.333), (None, 0.0)]
    track.rest()
    assert track.mouth is None


def test_speech_that_goes_on_opens_a_closing_mouth_again():
    track, second = MouthTrack(), object()
    track.speak(object())
    track.rest()
    track.speak(second)
    assert (track.mouth, track.weight) == (second, 1.0)


@given(st.lists(st.booleans(), max_size=50))
def test_a_mouth_is_painted_exactly_for_three_frames_from_the_last_spoken_one(spoken):
    track, since = MouthTrack(), CLOSING_FRAMES
    for speaks in spoken:
        if speaks:
            track.speak(object())
            since = 0
        else:
            track.rest()
            since += 1
        assert (track.mouth is not None) == (since < CLOSING_FRAMES)
        assert 0 <= track.weight <= 1
