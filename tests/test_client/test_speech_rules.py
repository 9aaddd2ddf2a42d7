from collections.abc import Callable, Iterable

import pytest

from protocol.codes import CloseReason
from test_client.events import Event
from test_client.stream_rules import StreamRules
from tests.test_client.streams import close_ack, ended, frame, init_success, interrupted, sound, speech, started


def broken(events: Iterable[Event], tell: Callable[[StreamRules], None] | None = None, **options: bool) -> list[str]:
    rules = StreamRules(**options)
    if tell is not None:
        tell(rules)
    for event in events:
        rules.received(event)
    return rules.finish()


def interrupting(rules: StreamRules) -> None:
    rules.speech.interrupt_sent()


def test_speak_started_may_come_just_before_or_just_after_the_first_frame() -> None:
    assert broken([frame(0), started(), frame(1, 0), frame(2, 1), ended(80)]) == []
    assert broken([frame(0), frame(1, 0), started(), frame(2, 1), ended(80)]) == []


def test_two_utterances_back_to_back_count_their_own_positions() -> None:
    assert broken([*speech(0, 5, "one"), *speech(5, 7, "two"), frame(12)]) == []


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([frame(0, 0), frame(1, 1), started(), ended(80)], "without SPEAK_STARTED before 40 ms"),
        ([frame(0, 0)], "The last generated frame had no SPEAK_STARTED"),
        ([started(), frame(0, 0), started("two"), ended(40, "two")], "while one was not ended"),
        ([*speech(0, 2), *speech(2, 2)], "SPEAK_STARTED of one came twice"),
        ([frame(0), ended(0)], "SPEAK_ENDED of one came without SPEAK_STARTED"),
        ([started(), frame(0, 0), ended(40, "two")], "SPEAK_ENDED of two came while one"),
        ([started(), frame(0, 0), frame(1, 2), ended(80)], "shows audio_ms 80, 40 was due"),
        ([started(), frame(0, 0), ended(80)], "says 80 ms after 1 generated frames"),
        ([started(), frame(0, 0), frame(1, 1), ended(0)], "says 0 ms after 2 generated frames"),
        ([started(), frame(0, 0), ended(40, interrupted=True)], "though no INTERRUPT was sent"),
        ([started(), frame(0, 0)], "SPEAK_ENDED of one never came"),
        ([started(), frame(0, 0), *(frame(index) for index in range(1, 20)), ended(40)], "was due 12 frames after"),
        ([frame(0), interrupted(0)], "INTERRUPTED came without an INTERRUPT"),
    ],
)
def test_each_rule_of_speech_is_told_in_a_sentence(events: list[Event], sentence: str) -> None:
    assert sentence in "\n".join(broken(events))


def test_the_last_frame_may_be_counted_by_the_speech_it_holds() -> None:
    assert broken([started(), frame(0, 0), frame(1, 1), ended(53)]) == []


@pytest.mark.parametrize(("samples", "rate_hz"), [(641, 16_000), (1280, 16_000), (3840, 48_000), (321, 8_000)])
def test_the_count_of_generated_frames_is_the_samples_over_640_rounded_up(samples: int, rate_hz: int) -> None:
    def tell(rules: StreamRules) -> None:
        rules.speech.speech_sent(samples, rate_hz, "one")

    assert broken(speech(0, 2), tell) == []
    assert any("gave 3 generated frames, not 2" in each for each in broken(speech(0, 3), tell))


def test_speech_without_an_id_is_counted_in_the_order_it_was_sent() -> None:
    def tell(rules: StreamRules) -> None:
        rules.speech.speech_sent(640, 16_000, None)
        rules.speech.speech_sent(1280, 16_000, None)

    assert broken([*speech(0, 1, "a"), *speech(1, 2, "b")], tell) == []
    assert broken(speech(0, 1, "a"), tell) == ["1 utterance(s) were sent whole and never played."]


def test_speech_that_was_sent_and_never_played_is_told() -> None:
    found = broken([frame(0)], lambda rules: rules.speech.speech_sent(640, 16_000, "one"))
    assert found == ["Utterance one was sent whole and never played."]


def test_a_late_engine_may_hold_while_speech_is_known_to_be_left() -> None:
    held = [started(), frame(0, 0), *(frame(index) for index in range(1, 20)), frame(20, 1), ended(80)]
    assert broken(held, lambda rules: rules.speech.speech_sent(1280, 16_000, "one")) == []


def test_an_interrupt_ends_speech_at_its_exact_frame() -> None:
    events = [started(), frame(0, 0), frame(1, 1), ended(80, interrupted=True), interrupted(80), frame(2)]
    assert broken(events, interrupting) == []
    events[4] = interrupted(120)
    assert broken(events, interrupting) == ["INTERRUPTED says 120 ms after 2 generated frames."]


def test_an_interrupt_of_silence_is_at_zero_even_after_speech() -> None:
    assert broken([*speech(0, 3), frame(3), interrupted(0)], interrupting) == []
    found = broken([*speech(0, 3), frame(3), interrupted(120)], interrupting)
    assert found == ["INTERRUPTED says 120 ms after 0 generated frames."]


def test_interrupted_comes_after_speak_ended() -> None:
    events = [started(), frame(0, 0), interrupted(40), ended(40, interrupted=True)]
    assert any("INTERRUPTED came before SPEAK_ENDED of one" in each for each in broken(events, interrupting))


def test_an_interrupt_that_is_not_answered_is_told() -> None:
    assert broken([frame(index) for index in range(4)], interrupting) == []
    found = broken([frame(index) for index in range(8)], interrupting)
    assert found == ["INTERRUPT had no INTERRUPTED 4 frames later."]


def test_an_init_in_mid_speech_begins_anew() -> None:
    def tell(rules: StreamRules) -> None:
        rules.speech.speech_sent(64_000, 16_000, "one")
        rules.speech.init_sent()

    cut = [started(), frame(0, 0), ended(40, interrupted=True), init_success()]
    assert broken([*cut, *speech(1, 2, "two")], tell) == []
    again = [*cut, started("two"), frame(1, 0), ended(40, "two", interrupted=True)]
    assert broken(again, tell) == ["SPEAK_ENDED of two says interrupted, though no INTERRUPT was sent."]


def test_an_interrupt_forgives_speech_that_was_not_played() -> None:
    def tell(rules: StreamRules) -> None:
        rules.speech.speech_sent(64_000, 16_000, "one")
        rules.speech.interrupt_sent()

    assert broken([started(), frame(0, 0), ended(40, interrupted=True), interrupted(40)], tell) == []


def _asked_to_play(rules: StreamRules) -> None:
    rules.speech.speech_sent(64_000, 16_000, "one")
    rules.speech.speech_sent(64_000, 16_000, "two")
    rules.speech.speech_sent(64_000, 16_000, None)


@pytest.mark.parametrize("reason", [CloseReason.SERVER_SHUTDOWN, CloseReason.TIMEOUT, CloseReason.ERROR])
def test_a_goodbye_of_the_server_may_cut_speech(reason: CloseReason) -> None:
    for cut in (
        [started(), frame(0, 0), frame(1, 1), ended(80, interrupted=True)],
        [started(), frame(0, 0)],
        [frame(0, 0)],
        [frame(0)],
    ):
        assert broken([*cut, close_ack(reason)], _asked_to_play) == []


def test_a_goodbye_asked_for_in_mid_speech_ends_it_first() -> None:
    bye = close_ack(CloseReason.CLIENT_REQUEST)
    assert broken([started(), frame(0, 0), ended(40, interrupted=True), bye]) == []
    assert broken([started(), frame(0, 0), bye]) == ["SPEAK_ENDED of one never came."]


def test_a_goodbye_later_does_not_explain_an_interrupted_end() -> None:
    events = [started(), frame(0, 0), ended(40, interrupted=True), frame(1), close_ack(CloseReason.SERVER_SHUTDOWN)]
    assert broken(events) == ["SPEAK_ENDED of one says interrupted, though no INTERRUPT was sent."]


def test_with_audio_out_each_generated_frame_has_its_sound_before_it() -> None:
    good: list[Event] = [frame(0), started(), sound(1, 0), frame(1, 0), sound(2, 1), frame(2, 1), ended(80), frame(3)]
    assert broken(good, audio_out=True) == []
    assert any("though audio_out was not asked for" in each for each in broken(good))
    for wrong, sentence in (
        ([frame(1, 0)], "had no AUDIO_FRAME before it"),
        ([sound(1, 0), frame(1)], "which is not generated"),
        ([sound(2, 0), frame(1, 0)], "belongs to another frame"),
        ([sound(1, 0, 640), frame(1, 0)], "has 640 bytes, not 1280"),
        ([sound(1, 0), sound(1, 0), frame(1, 0)], "Two AUDIO_FRAMEs came in a row"),
    ):
        assert sentence in "\n".join(broken([frame(0), started(), *wrong], audio_out=True))
