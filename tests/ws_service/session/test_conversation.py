"""What each message changes, and what is answered. No clock, no tick but those of the timeline."""

import pytest

from protocol.binary import AudioUpload
from protocol.timing import SAMPLE_RATE_HZ
from tests.fakes.avatars import LENGTHS
from tests.fakes.engine import FUTURE_SAMPLES
from tests.fakes.mouths import FakeMouths
from tests.fakes.sink import RecordingSink
from tests.ws_service.session.stage import generate, message, ramp
from ws_service.errors import InvalidMessage, QueueFull, SpeakersFull
from ws_service.session.conversation import Conversation
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import SpeechQueue
from ws_service.session.timeline import State, Timeline


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink(lambda: 0.0)


@pytest.fixture
def mouths() -> FakeMouths:
    return FakeMouths()


@pytest.fixture
def talk(sink, mouths) -> Conversation:
    timeline = Timeline(LENGTHS, same_pose=True)
    timeline.tick()
    conversation = Conversation(sink, timeline, SpeechQueue(FUTURE_SAMPLES, 10 * SAMPLE_RATE_HZ), SpeakingPlace(mouths))
    conversation.session_id = "s"
    return conversation


def begin(talk: Conversation) -> None:
    """The first frame of the current utterance, as the actor sends it."""
    talk.begin_utterance(talk.speech.current)
    talk.speech.consume()


def end(talk: Conversation) -> None:
    """The rest of the current utterance."""
    talk.speech.end()
    while (done := talk.speech.finished()) is None:
        talk.speech.consume()
    talk.end_utterance(done, interrupted=False)


class TestSpeech:
    def test_generate_is_not_answered_and_queues_its_audio(self, talk, sink):
        talk.take(generate(ramp(640), utterance_id="u"))
        assert sink.entries == []
        assert talk.speech.current.utterance_id == "u"
        assert talk.speech.current.audio.frame_pcm(0) == ramp(640)

    def test_an_utterance_is_announced_at_its_start_and_at_its_end(self, talk, sink):
        talk.take(generate(ramp(1500), utterance_id="u"))
        begin(talk)
        end(talk)
        assert [m.model_dump(exclude_none=True) for m in sink.of(object)] == [
            {"type": "SPEAK_STARTED", "session_id": "s", "data": {"utterance_id": "u"}},
            {
                "type": "SPEAK_ENDED",
                "session_id": "s",
                "data": {"utterance_id": "u", "position_ms": 120, "interrupted": False},
            },
        ]

    def test_the_state_is_speaking_from_the_first_frame_to_the_last(self, talk):
        talk.take(generate(ramp(1280)))
        assert talk.state is State.IDLE
        begin(talk)
        assert talk.state is State.SPEAKING
        end(talk)
        assert talk.state is State.IDLE

    def test_the_video_of_video_state_is_shown_from_the_first_frame_until_the_end(self, talk):
        talk.take(generate(ramp(1280), base_video="speaking_1"))
        assert talk.timeline.base_video == "idle_1"
        begin(talk)
        assert talk.timeline.base_video == "speaking_1"
        end(talk)
        assert talk.timeline.base_video == "idle_1"

    def test_a_base_video_that_does_not_exist_is_refused_and_nothing_is_queued(self, talk, sink):
        with pytest.raises(InvalidMessage) as refused:
            talk.take(generate(ramp(640), base_video="speaking_9"))
        assert refused.value.details["path"] == "data.video_state.base_video"
        assert talk.speech.current is None

    def test_another_video_in_mid_speech_is_shown_at_once(self, talk):
        talk.take(generate(ramp(640), base_video="speaking_1"))
        begin(talk)
        talk.take(generate(ramp(640), base_video="idle_2"))
        assert talk.timeline.base_video == "idle_2"

    def test_a_state_change_in_mid_speech_is_not_undone_by_the_next_chunk(self, talk):
        talk.take(generate(ramp(640), base_video="speaking_1"))
        begin(talk)
        talk.take(message("STATE_CHANGE", target_state="idle", base_video="idle_2"))
        talk.take(generate(ramp(640), base_video="speaking_1"))
        assert talk.timeline.base_video == "idle_2"

    def test_an_action_named_by_every_chunk_plays_once(self, talk):
        talk.take(generate(ramp(640), base_video="action_1"))
        begin(talk)
        for _ in range(LENGTHS["action_1"]):
            talk.timeline.tick()
            talk.take(generate(ramp(64), base_video="action_1"))
        assert not talk.timeline.acting

    def test_between_two_queued_utterances_the_base_does_not_flicker(self, talk):
        talk.take(generate(ramp(640), base_video="speaking_1"))
        talk.take(message("SPEAK_END"))
        talk.take(generate(ramp(640), base_video="speaking_1"))
        begin(talk)
        talk.end_utterance(talk.speech.finished(), interrupted=False)
        assert talk.timeline.base_video == "speaking_1"

    def test_an_interrupt_between_two_utterances_leaves_the_base_of_the_first(self, talk, sink):
        talk.take(generate(ramp(640), base_video="speaking_1"))
        talk.take(message("SPEAK_END"))
        talk.take(generate(ramp(640), base_video="speaking_1"))
        begin(talk)
        talk.end_utterance(talk.speech.finished(), interrupted=False)
        talk.take(message("INTERRUPT"))
        assert talk.timeline.base_video == "idle_1"
        assert sink.kinds == ["SPEAK_STARTED", "SPEAK_ENDED", "INTERRUPTED"]

    def test_binary_audio_joins_the_same_utterance_and_its_flag_ends_it(self, talk):
        talk.take(generate(ramp(640), utterance_id="u"))
        talk.take(AudioUpload(ramp(640, 640), 16_000, 1, True))
        assert talk.speech.current.audio.frame_pcm(1) == ramp(640, 640)
        assert talk.speech.current.audio.total_frames == 2

    def test_an_empty_upload_that_ends_the_utterance_begins_none(self, talk):
        talk.take(AudioUpload(b"", 16_000, 1, True))
        assert talk.speech.current is None

    def test_past_the_bound_what_fits_is_kept(self, talk):
        talk.take(generate(ramp(6 * SAMPLE_RATE_HZ)))
        with pytest.raises(QueueFull):
            talk.take(generate(ramp(6 * SAMPLE_RATE_HZ)))
        assert talk.speech.queued_samples == 10 * SAMPLE_RATE_HZ


class TestInterrupt:
    def test_in_mid_speech_it_says_where_the_speech_stopped_the_end_first(self, talk, sink):
        talk.take(generate(ramp(6400), utterance_id="u"))
        begin(talk)
        talk.speech.consume()
        talk.take(message("INTERRUPT"))
        assert sink.kinds == ["SPEAK_STARTED", "SPEAK_ENDED", "INTERRUPTED"]
        ended, interrupted = sink.of(object)[1:]
        assert (ended.data.interrupted, ended.data.position_ms) == (True, 80)
        assert interrupted.data.position_ms == 80
        assert talk.speech.current is None

    @pytest.mark.parametrize("kind", ["INTERRUPT", "FLUSH"])
    def test_with_nobody_speaking_it_is_answered_with_position_0_again_and_again(self, talk, sink, kind):
        for _ in range(3):
            talk.take(message(kind))
        assert [m.data.position_ms for m in sink.of(object)] == [0, 0, 0]

    def test_queued_audio_that_nobody_heard_is_dropped_without_an_end(self, talk, sink):
        talk.take(generate(ramp(640)))
        talk.take(message("INTERRUPT"))
        assert sink.kinds == ["INTERRUPTED"]
        assert talk.speech.current is None


class TestRefusedSpeech:
    """As many speak as the engine carries."""

    @pytest.fixture(autouse=True)
    def full(self, mouths):
        mouths.speakers.full_rate = 1
        self.others = [mouths.new_speaker(), mouths.new_speaker()]

    def test_it_is_told_once_and_the_utterance_is_dropped_whole(self, talk, sink):
        with pytest.raises(SpeakersFull):
            talk.take(generate(ramp(640), utterance_id="u"))
        self.others[0].leave()
        talk.take(generate(ramp(640), utterance_id="u"))
        talk.take(generate(ramp(640)))
        talk.take(AudioUpload(ramp(640), SAMPLE_RATE_HZ, 1))
        assert talk.speech.current is None
        assert sink.entries == []

    @pytest.mark.parametrize(
        "ended_by", [message("SPEAK_END"), message("INTERRUPT"), AudioUpload(b"", 16_000, 1, True)]
    )
    def test_what_comes_after_its_end_is_tried_anew(self, talk, ended_by):
        with pytest.raises(SpeakersFull):
            talk.take(generate(ramp(640)))
        talk.take(ended_by)
        with pytest.raises(SpeakersFull):
            talk.take(generate(ramp(640)))
        talk.take(ended_by)
        self.others[0].leave()
        talk.take(generate(ramp(640)))
        assert talk.speech.current is not None

    def test_nothing_else_of_the_message_happens(self, talk):
        with pytest.raises(SpeakersFull):
            talk.take(generate(ramp(640), base_video="speaking_1"))
        assert talk.timeline.base_video == "idle_1"

    def test_an_action_with_sound_plays_without_it(self, talk, sink):
        pcm = generate(ramp(640)).data.audio_chunk.model_dump(mode="json")
        with pytest.raises(SpeakersFull):
            talk.take(message("ACTION", action_index=1, audio_chunk=pcm))
        assert talk.timeline.acting
        assert sink.kinds == ["ACTION_TRIGGERED"]

    def test_a_push_without_a_byte_needs_no_place(self, talk):
        talk.take(generate(b""))


class TestStateChange:
    def test_it_is_answered_at_once_in_the_words_of_the_question(self, talk, sink):
        talk.take(message("STATE_CHANGE", target_state="speaking", base_video="idle_2"))
        assert sink.entries[0].what.model_dump() == {
            "type": "STATE_CHANGED",
            "session_id": "s",
            "data": {"current_state": "speaking", "current_video": "idle_2"},
        }

    def test_a_video_that_does_not_exist_is_refused_and_nothing_changes(self, talk, sink):
        with pytest.raises(InvalidMessage) as refused:
            talk.take(message("STATE_CHANGE", target_state="idle", base_video="idle_9"))
        assert refused.value.details["path"] == "data.base_video"
        assert talk.timeline.base_video == "idle_1"
        assert sink.entries == []

    def test_a_speaking_base_makes_the_state_speaking(self, talk):
        talk.take(message("STATE_CHANGE", target_state="speaking", base_video="speaking_1"))
        assert talk.state is State.SPEAKING

    def test_an_action_video_plays_as_an_action(self, talk):
        talk.take(message("STATE_CHANGE", target_state="action", base_video="action_1"))
        assert talk.state is State.ACTION
        assert not talk.as_action_frames


class TestAction:
    def test_by_index_it_is_triggered_and_answered(self, talk, sink):
        talk.take(message("ACTION", action_index=2))
        assert talk.timeline.current_video == "action_2"
        assert sink.entries[0].what.model_dump()["data"] == {"action_index": 2, "inserted": True}
        assert not talk.as_action_frames

    def test_by_type_it_is_not_answered_and_its_frames_are_action_frames(self, talk, sink):
        talk.take(message("ACTION", action_type="action_1"))
        assert sink.entries == []
        assert talk.as_action_frames

    def test_its_audio_joins_the_queue(self, talk):
        pcm = generate(ramp(640)).data.audio_chunk.model_dump(mode="json")
        talk.take(message("ACTION", action_type="action_1", audio_chunk=pcm))
        assert talk.speech.current.audio.frame_pcm(0) == ramp(640)

    @pytest.mark.parametrize("data", [{"action_index": 3}, {"action_type": "action_3"}, {"action_type": "idle_1"}])
    def test_what_does_not_exist_is_refused(self, talk, data):
        with pytest.raises(InvalidMessage) as refused:
            talk.take(message("ACTION", **data))
        assert refused.value.details["path"] == f"data.{next(iter(data))}"
        assert not talk.timeline.acting

    @pytest.mark.parametrize("data", [{"action_index": 1}, {"action_type": "action_2"}])
    def test_a_second_one_is_refused_with_nothing_of_it_done(self, talk, sink, data):
        talk.take(message("ACTION", action_index=2))
        pcm = generate(ramp(640)).data.audio_chunk.model_dump(mode="json")
        with pytest.raises(InvalidMessage, match="Action already in progress"):
            talk.take(message("ACTION", **data, audio_chunk=pcm))
        assert talk.speech.current is None
        assert not talk.as_action_frames
        assert sink.kinds == ["ACTION_TRIGGERED"]

    def test_an_action_that_speech_brings_is_not_one_that_an_old_client_asked_for(self, talk):
        talk.take(message("ACTION", action_type="action_1"))
        for _ in range(LENGTHS["action_1"]):
            talk.timeline.tick()
        talk.take(generate(ramp(640), base_video="action_2"))
        begin(talk)
        assert talk.timeline.acting
        assert not talk.as_action_frames

    def test_speech_in_an_old_clients_action_leaves_its_frames_as_they_are(self, talk):
        talk.take(message("ACTION", action_type="action_1"))
        talk.take(generate(ramp(640)))
        begin(talk)
        assert talk.as_action_frames


def test_a_clients_ping_changes_nothing(talk, sink):
    talk.take(message("PING"))
    assert sink.entries == []
