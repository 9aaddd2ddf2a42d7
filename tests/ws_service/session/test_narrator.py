"""Text in a session: its place among other speech, what an interrupt does to it, and how its failures are told."""

import asyncio

import pytest

from protocol.codes import ErrorCode
from protocol.server_messages import SpeakEnded, SpeakStarted
from tests.fakes.mouths import FakeMouths
from tests.fakes.synthesizer import FakeSynthesizer
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import Stage, in_virtual_time, init, message
from tests.ws_service.session.stream_laws import check_stream
from ws_service.errors import (
    InvalidMessage,
    QueueFull,
    ServiceError,
    SessionNotFound,
    SpeakersFull,
    VoiceFailed,
)
from ws_service.session.init_answer import SessionLimits
from ws_service.session.narration import MAX_NARRATIONS
from ws_service.session.narrator import AHEAD_S, Accepted, Narrator

THREE = "One thing. Two things. Three things."


def later(narrator: Narrator, stage: Stage, text: str, *, interrupt: bool = False) -> "asyncio.Task[Accepted]":
    return asyncio.create_task(narrator.speak(stage.actor, text, "anna", interrupt=interrupt))


def spoken(stage: Stage) -> list[tuple[str | None, int, bool]]:
    """(text, position_ms, interrupted) of each utterance, in the order they ended."""
    texts = {event.data.utterance_id: event.data.text for event in stage.sink.of(SpeakStarted)}
    ends = [event.data for event in stage.sink.of(SpeakEnded)]
    return [(texts[end.utterance_id], end.position_ms, end.interrupted) for end in ends]


@in_virtual_time
async def test_a_text_is_one_utterance_of_all_its_sentences_and_says_its_words():
    narrator = Narrator(FakeSynthesizer(1.0))
    async with Stage() as stage:
        accepted = await narrator.speak(stage.actor, THREE, "anna", interrupt=False)
        await stage.until_silent()
    assert spoken(stage) == [(THREE, 3000, False)]
    assert accepted == Accepted(stage.sink.of(SpeakStarted)[0].data.utterance_id, interrupted=False)
    assert [frame.audio_ms for frame in stage.sink.generated] == [40 * n for n in range(75)]
    assert stage.sink.kinds == ["SPEAK_STARTED", "SPEAK_ENDED", "CLOSE_ACK"]
    check_stream(stage.sink)


@in_virtual_time
async def test_texts_are_spoken_in_the_order_of_their_calls():
    narrator = Narrator(FakeSynthesizer(0.8))
    async with Stage() as stage:
        for text in ("First. More.", "Second.", "Third. More."):
            await narrator.speak(stage.actor, text, "anna", interrupt=False)
        await stage.until_silent()
    assert spoken(stage) == [("First. More.", 1600, False), ("Second.", 800, False), ("Third. More.", 1600, False)]
    check_stream(stage.sink)


def delayed(delay_s: float, sentence_s: float = 0.4) -> Narrator:
    return Narrator(FakeSynthesizer(sentence_s, delay_s=delay_s))


@in_virtual_time
async def test_texts_keep_the_order_of_their_calls_however_late_the_voice_of_each_comes():
    async with Stage() as stage:
        tasks = [later(delayed(s), stage, f"After {s} seconds. More.") for s in (0.6, 0.0, 0.9, 0.1, 0.3)]
        await asyncio.sleep(0.55)
        assert not any(task.done() for task in tasks)
        await asyncio.sleep(0.1)
        assert [task.done() for task in tasks] == [True, True, False, False, False]
        await asyncio.gather(*tasks)
        await stage.ticks(100)
    assert [text for text, _, _ in spoken(stage)] == [f"After {s} seconds. More." for s in (0.6, 0.0, 0.9, 0.1, 0.3)]
    assert {(position_ms, cut) for _, position_ms, cut in spoken(stage)} == {(800, False)}, "nothing held back is lost"
    check_stream(stage.sink)


@in_virtual_time
async def test_a_text_that_fails_gives_its_place_up_at_once():
    async with Stage() as stage:
        mute, ready = later(delayed(0.5, 0.0), stage, "Mute."), later(delayed(0.1), stage, "Ready.")
        await asyncio.sleep(0.4)
        assert not ready.done()
        with pytest.raises(VoiceFailed):
            await mute
        await asyncio.sleep(0.001)
        assert ready.done()
        await stage.until_silent()
    assert spoken(stage) == [("Ready.", 400, False)]


@in_virtual_time
async def test_a_text_that_cuts_in_drops_what_was_asked_for_before_it_and_nothing_behind_it():
    async with Stage() as stage:
        await delayed(0.0, 2.0).speak(stage.actor, THREE, "anna", interrupt=False)
        slow = later(delayed(2.0), stage, "Slow.")
        cutting = later(delayed(0.5), stage, "Now!", interrupt=True)
        behind = [later(delayed(s), stage, f"Behind, after {s} s.") for s in (0.7, 0.1)]
        await asyncio.sleep(0.4)
        assert not behind[1].done(), "its sound is there, but it is behind the one that cuts in"
        assert not (await cutting).interrupted
        assert (await slow).interrupted
        assert not any(accepted.interrupted for accepted in await asyncio.gather(*behind))
        await stage.until_silent()
    ends = [(text, cut) for text, _, cut in spoken(stage)]
    assert ends == [(THREE, True), ("Now!", False), ("Behind, after 0.7 s.", False), ("Behind, after 0.1 s.", False)]
    assert stage.sink.kinds.count("INTERRUPTED") == 1
    check_stream(stage.sink)


@in_virtual_time
async def test_of_two_that_cut_in_the_later_one_is_heard_whichever_has_its_sound_first():
    for first_s, second_s in ((0.5, 0.1), (0.1, 0.5)):
        async with Stage() as stage:
            tasks = [later(delayed(s, 2.0), stage, f"{s} s!", interrupt=True) for s in (first_s, second_s)]
            await asyncio.gather(*tasks)
            await stage.until_silent()
        assert spoken(stage)[-1] == (f"{second_s} s!", 2000, False)
        assert tasks[0].result().interrupted is (first_s > second_s)
        check_stream(stage.sink)


@in_virtual_time
async def test_a_text_waits_behind_the_clients_open_speech_and_never_mixes_with_it():
    narrator = Narrator(FakeSynthesizer(0.4))
    async with Stage() as stage:
        await stage.speak(16_000, real_time=True)
        await narrator.speak(stage.actor, "Text.", "anna", interrupt=False)
        await stage.speak(16_000, real_time=True)  # still the first utterance: nothing ended it
        await stage.say(message("SPEAK_END"))
        await stage.speak(8_000, real_time=False)  # a new one, behind the text
        await stage.until_silent()
    assert spoken(stage) == [(None, 2000, False), ("Text.", 400, False), (None, 500 // 40 * 40 + 40, False)]
    check_stream(stage.sink)


@in_virtual_time
async def test_no_sentence_is_made_long_before_it_is_needed():
    voice = FakeSynthesizer(2.0)
    narrator = Narrator(voice)
    async with Stage() as stage:
        await narrator.speak(stage.actor, "Again. " * 20, "anna", interrupt=False)
        await stage.ticks(10)
        assert 2 * len(voice.spoken) <= AHEAD_S + 2 + 1
        await stage.ticks(250)
        assert 2 * len(voice.spoken) <= 10.4 + AHEAD_S + 2 + 1
        assert stage.actor.counts.frames_generated > 250, "and none too late"
        await stage.say(message("INTERRUPT"))
        made = len(voice.spoken)
        await stage.ticks(250)
        assert len(voice.spoken) == made, "nothing more is made of what was dropped"


@in_virtual_time
async def test_a_voice_slower_than_its_speech_leaves_pauses_in_one_utterance():
    narrator = Narrator(FakeSynthesizer(0.4, delay_s=1.0))
    async with Stage() as stage:
        await narrator.speak(stage.actor, THREE, "anna", interrupt=False)
        await stage.ticks(100)
    assert spoken(stage) == [(THREE, 1200, False)]
    check_stream(stage.sink)


@in_virtual_time
async def test_interrupt_cuts_in_with_the_first_sound_and_drops_all_before_it():
    narrator = Narrator(FakeSynthesizer(2.0, delay_s=0.2))
    async with Stage() as stage:
        await narrator.speak(stage.actor, THREE, "anna", interrupt=False)
        await narrator.speak(stage.actor, "Behind it.", "anna", interrupt=False)
        cutting = later(narrator, stage, "Now!", interrupt=True)
        await asyncio.sleep(0.1)
        assert stage.actor.conversation.speech.current.text == THREE, "it goes on until there is a sound"
        await cutting
        await stage.until_silent()
    assert [(text, cut) for text, _, cut in spoken(stage)] == [(THREE, True), ("Now!", False)]
    assert stage.sink.kinds == [
        "SPEAK_STARTED", "SPEAK_ENDED", "INTERRUPTED", "SPEAK_STARTED", "SPEAK_ENDED", "CLOSE_ACK",
    ]  # fmt: skip
    check_stream(stage.sink)


@in_virtual_time
async def test_to_cut_into_silence_interrupts_nothing():
    narrator = Narrator(FakeSynthesizer(0.4))
    async with Stage() as stage:
        await narrator.speak(stage.actor, "Now!", "anna", interrupt=True)
        await stage.until_silent()
    assert stage.sink.kinds == ["SPEAK_STARTED", "SPEAK_ENDED", "CLOSE_ACK"]


@pytest.mark.parametrize("words", [message("INTERRUPT"), init()], ids=["INTERRUPT", "INIT"])
def test_a_stop_before_the_first_sound_stops_it_too(words):
    async def scene():
        voice = FakeSynthesizer(1.0, delay_s=0.5)
        async with Stage() as stage:
            speaking = later(Narrator(voice), stage, THREE)
            await stage.ticks(2)
            await stage.say(words)
            assert (await speaking).interrupted
            await stage.ticks(50)
        assert voice.stopped == 1
        assert not stage.sink.generated

    run_virtual(scene())


@in_virtual_time
async def test_the_end_of_the_session_ends_its_texts():
    voice = FakeSynthesizer(1.0, delay_s=0.5)
    narrator = Narrator(voice)
    async with Stage() as stage:
        speaking = later(narrator, stage, THREE)
        await stage.ticks(2)
        await stage.say(message("CLOSE"))
        assert (await speaking).interrupted
    with pytest.raises(SessionNotFound):
        await narrator.speak(stage.actor, THREE, "anna", interrupt=False)


@in_virtual_time
async def test_a_session_that_is_cut_off_ends_its_texts():
    async with Stage() as stage:
        speaking = later(Narrator(FakeSynthesizer(delay_s=0.5)), stage, THREE)
        await stage.ticks(2)
        unread = later(Narrator(FakeSynthesizer()), stage, THREE)
        stage.task.cancel()
        for waiting in (speaking, unread):
            with pytest.raises(SessionNotFound):
                await waiting
        with pytest.raises(asyncio.CancelledError):
            await stage.task
        stage.task = asyncio.create_task(asyncio.sleep(0))


@pytest.mark.parametrize("failure", [VoiceFailed("no sound"), ValueError("a defect")])
def test_a_voice_that_fails_before_any_sound_is_told_to_the_caller_alone(failure):
    class Failing(FakeSynthesizer):
        async def speak(self, sentence, voice):
            raise failure
            yield b""

    async def scene():
        async with Stage() as stage:
            with pytest.raises(ServiceError, match=r"no sound|inside the service"):
                await Narrator(Failing()).speak(stage.actor, THREE, "anna", interrupt=False)
            await stage.ticks(5)
        assert stage.sink.kinds == ["CLOSE_ACK"]

    run_virtual(scene())


@in_virtual_time
async def test_a_voice_that_fails_in_mid_text_ends_it_with_an_error_on_the_socket():
    voice = FakeSynthesizer(1.0)
    voice.fail_at[1] = VoiceFailed("no sound")
    async with Stage() as stage:
        await Narrator(voice).speak(stage.actor, THREE, "anna", interrupt=False)
        await stage.until_silent()
    assert spoken(stage) == [(THREE, 1520, False)], "what was heard of it"
    assert [error.data.code for error in stage.sink.errors] == [ErrorCode.PROCESSING_ERROR]
    ended = stage.sink.of(SpeakEnded)[0].data.utterance_id
    assert stage.sink.errors[0].data.details == {"utterance_id": ended}


@in_virtual_time
async def test_a_full_queue_takes_no_text():
    narrator = Narrator(FakeSynthesizer(2.0))
    async with Stage(limits=SessionLimits(max_queued_audio_s=1.0)) as stage:
        await narrator.speak(stage.actor, "First.", "anna", interrupt=False)
        with pytest.raises(QueueFull):
            await narrator.speak(stage.actor, "Second.", "anna", interrupt=False)
        await stage.until_silent()
        await narrator.speak(stage.actor, "Third.", "anna", interrupt=False)
        await stage.until_silent()
    assert [text for text, _, _ in spoken(stage)] == ["First.", "Third."]
    assert not stage.sink.errors


@in_virtual_time
async def test_all_that_the_full_queue_refuses_in_one_turn_are_told():
    async with Stage(limits=SessionLimits(max_queued_audio_s=1.0)) as stage:
        await delayed(0.0, 2.0).speak(stage.actor, "First.", "anna", interrupt=False)
        mute, *refused = [later(delayed(*voice), stage, "Text.") for voice in ((0.2, 0.0), (0.0,), (0.0,))]
        await asyncio.wait([mute, *refused], timeout=0.3)
        assert [type(task.exception()) for task in (mute, *refused)] == [VoiceFailed, QueueFull, QueueFull]
        assert stage.actor.conversation.speech.current.text == "First."


@in_virtual_time
async def test_too_many_texts_at_once_are_refused():
    async with Stage() as stage:
        narrator = Narrator(FakeSynthesizer(0.2, delay_s=0.5))
        tasks = [later(narrator, stage, "One.") for _ in range(MAX_NARRATIONS + 1)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Accepted] * MAX_NARRATIONS + [QueueFull]


@in_virtual_time
async def test_where_all_places_for_speakers_are_taken_the_caller_is_told_and_nothing_is_cut():
    mouths = FakeMouths()
    mouths.speakers.full_rate = 1
    others = [mouths.new_speaker() for _ in range(2)]
    async with Stage(mouths) as stage:
        narrator = Narrator(FakeSynthesizer(0.4))
        with pytest.raises(SpeakersFull):
            await narrator.speak(stage.actor, "Text.", "anna", interrupt=True)
        others.pop().leave()
        await stage.speak(3200, real_time=False)  # the client's own speech was not refused
        await stage.until_silent()
    assert stage.sink.kinds == ["SPEAK_STARTED", "SPEAK_ENDED", "CLOSE_ACK"]


@in_virtual_time
async def test_a_text_without_a_word_or_without_a_sound_is_refused():
    async with Stage() as stage:
        with pytest.raises(InvalidMessage):
            await Narrator(FakeSynthesizer()).speak(stage.actor, "... !", "anna", interrupt=False)
        with pytest.raises(VoiceFailed, match="no sound"):
            await Narrator(FakeSynthesizer(0.0)).speak(stage.actor, THREE, "anna", interrupt=False)
        await stage.ticks(3)
    assert stage.sink.kinds == ["CLOSE_ACK"]
