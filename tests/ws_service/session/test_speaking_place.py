"""A session's place among the speakers, and the utterance that got none."""

import pytest

from tests.fakes.mouths import FakeMouths
from ws_service.errors import SpeakersFull
from ws_service.session.speaking_place import RETRY_TICKS, SpeakingPlace
from ws_service.session.speech import DRY_TICKS


def places(full_rate: int = 1, others: int = 2) -> tuple[SpeakingPlace, FakeMouths, list]:
    mouths = FakeMouths()
    mouths.speakers.full_rate = full_rate
    return SpeakingPlace(mouths), mouths, [mouths.new_speaker() for _ in range(others)]


def refused(utterance_id: str | None = "u") -> tuple[SpeakingPlace, FakeMouths, list]:
    place, mouths, others = places()
    with pytest.raises(SpeakersFull):
        place.admits(utterance_id)
    others.pop().leave()
    return place, mouths, others


def test_a_place_is_taken_with_the_first_audio_and_kept_until_the_speech_is_over():
    place, mouths, _ = places(others=0)
    for _ in range(3):
        assert place.admits("u")
    assert len(mouths.speakers) == 1
    assert place.admits("another utterance behind it")
    place.leave()
    place.leave()
    assert len(mouths.speakers) == 0


def test_refused_speech_stays_refused_to_its_end_even_when_there_is_room():
    place, mouths, _ = refused()
    assert [place.admits("u"), place.admits(None)] == [False, False]
    assert len(mouths.speakers) == 1
    assert mouths.speakers.refused_total == 1


def goes_on(place: SpeakingPlace, utterance_id: str | None, ticks: int) -> list[bool]:
    """Audio in each tick: is it spoken?"""
    admitted = []
    for _ in range(ticks):
        admitted.append(place.admits(utterance_id))
        place.tick()
    return admitted


def test_a_named_utterance_stays_refused_however_long_it_is():
    place, mouths, _ = refused()
    assert not any(goes_on(place, "u", 10 * RETRY_TICKS))
    assert not any(goes_on(place, None, 10 * RETRY_TICKS)), "chunks without an id belong to it"
    assert len(mouths.speakers) == 1


def test_speech_without_a_name_is_tried_anew_each_second_and_begins_in_its_middle():
    place, mouths, _ = refused(None)
    admitted = goes_on(place, None, 2 * RETRY_TICKS)
    assert admitted == [False] * RETRY_TICKS + [True] * RETRY_TICKS
    assert len(mouths.speakers) == 2


def test_its_further_attempts_are_neither_told_nor_counted():
    place, mouths, others = refused(None)
    others.append(mouths.new_speaker())
    assert not any(goes_on(place, None, 10 * RETRY_TICKS + 1))
    assert mouths.speakers.refused_total == 1
    others.pop().leave()
    admitted = goes_on(place, None, RETRY_TICKS)
    assert admitted.index(True) < RETRY_TICKS


def test_what_comes_faster_than_it_is_spoken_is_dropped_whole_within_the_second():
    place, _, _ = refused(None)
    assert not any(place.admits(None) for _ in range(500))


def test_another_utterance_is_another_attempt():
    place, _, _ = refused()
    assert place.admits("v")
    assert place.admits("u"), "what a session speaks is spoken in one queue"


def test_its_end_makes_the_next_one_another_attempt_under_whatever_id():
    place, _, _ = refused()
    place.utterance_ended()
    assert place.admits("u")


def test_350_ms_without_audio_are_its_end_and_audio_in_between_is_not():
    place, _, _ = refused()
    for _ in range(3):
        for _ in range(DRY_TICKS - 1):
            place.tick()
        assert not place.admits(None)
    for _ in range(DRY_TICKS):
        place.tick()
    assert place.admits(None)


def test_the_rate_is_that_of_all_speakers_and_full_without_a_place():
    place, mouths, _ = places(full_rate=1, others=1)
    assert place.generates(1.0)
    place.admits(None)
    turns = [place.generates(1.0 + 0.04 * n) for n in range(4)]
    assert sorted(turns) == [False, False, True, True]
    assert turns[0] != turns[1]
    mouths.speakers.full_rate = 2
    assert all(place.generates(2.0 + 0.04 * n) for n in range(4))


def test_the_services_own_voice_takes_a_place_and_changes_nothing_about_a_refused_utterance():
    place, mouths, _ = refused()
    place.admits_narration()
    place.admits_narration()
    assert len(mouths.speakers) == 2
    place.leave()
    mouths.new_speaker()
    with pytest.raises(SpeakersFull):
        place.admits_narration()
    assert place.admits("u") is False, "no second refusal for what was refused already"
