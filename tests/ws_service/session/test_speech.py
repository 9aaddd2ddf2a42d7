"""When a frame of speech is due: every sample once, in order, never held back for long, and every utterance ends."""

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timing import FRAME_SAMPLES, SAMPLE_RATE_HZ
from tests.ws_service.session.stage import ramp
from ws_service.errors import QueueFull
from ws_service.session.speech import DRY_TICKS, MAX_UTTERANCES, Due, SpeechQueue, Spoken

FUTURE = 2 * FRAME_SAMPLES
PLENTY = 60 * SAMPLE_RATE_HZ
START_TICKS = 3  # a first frame waits as long as its look-ahead takes in real time, and one tick


@dataclass
class Listener:
    """Plays a queue as the actor does, one tick at a time, and writes down what it hears."""

    queue: SpeechQueue
    heard: dict[str, bytearray] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)

    def tick(self) -> Due:
        due = self.queue.due()
        self.dues.append(due)
        if due is Due.FRAME:
            spoken = self.queue.current
            spoken.started = True
            self.heard.setdefault(spoken.utterance_id, bytearray()).extend(spoken.audio.frame_pcm(spoken.next_frame))
            self.queue.consume()
        while (done := self.queue.finished()) is not None:
            self.ended.append(done.utterance_id)
        return due

    def ticks(self, count: int) -> list[Due]:
        return [self.tick() for _ in range(count)]


def push(queue: SpeechQueue, samples: int, start: int = 0, utterance_id: str | None = None) -> Spoken:
    return queue.push(ramp(samples, start), SAMPLE_RATE_HZ, 1, utterance_id, None)


def open_queue(limit_samples: int = PLENTY) -> tuple[SpeechQueue, Listener]:
    queue = SpeechQueue(FUTURE, limit_samples)
    return queue, Listener(queue)


def test_nothing_is_due_when_nothing_was_said():
    queue, listener = open_queue()
    assert set(listener.ticks(5)) == {Due.NOTHING}
    assert queue.current is None


def test_a_burst_begins_at_once_and_plays_one_frame_a_tick():
    queue, listener = open_queue()
    push(queue, 10 * FRAME_SAMPLES)
    queue.end()
    assert listener.ticks(11) == [Due.FRAME] * 10 + [Due.NOTHING]
    assert len(listener.ended) == 1


def test_in_real_time_the_first_frame_waits_for_its_look_ahead_and_then_none_waits():
    queue, listener = open_queue()
    for n in range(20):
        push(queue, FRAME_SAMPLES, n * FRAME_SAMPLES)
        listener.tick()
    assert listener.dues == [Due.NOTHING] * 2 + [Due.FRAME] * 18


def test_a_single_chunk_without_an_end_is_spoken_after_a_bounded_wait():
    queue, listener = open_queue()
    push(queue, FRAME_SAMPLES)
    assert listener.ticks(START_TICKS + 1) == [Due.NOTHING] * START_TICKS + [Due.FRAME]


def test_speak_end_ends_all_waiting():
    queue, listener = open_queue()
    push(queue, FRAME_SAMPLES + 1, utterance_id="u")
    queue.end()
    assert listener.ticks(2) == [Due.FRAME, Due.FRAME]
    assert listener.ended == ["u"]
    assert bytes(listener.heard["u"]) == ramp(FRAME_SAMPLES + 1).ljust(4 * FRAME_SAMPLES, b"\0")


def test_the_last_words_of_a_client_that_never_ends_wait_one_tick_together():
    queue, listener = open_queue()
    push(queue, 6 * FRAME_SAMPLES)
    assert listener.ticks(7) == [Due.FRAME] * 4 + [Due.WAIT] + [Due.FRAME] * 2


def test_350_ms_without_audio_end_an_utterance_and_play_its_remainder():
    queue, listener = open_queue()
    push(queue, 3 * FRAME_SAMPLES + 100, utterance_id="u")
    listener.ticks(4)
    assert queue.current.next_frame == 3
    dues = listener.ticks(DRY_TICKS)
    assert dues == [Due.STARVED] * (DRY_TICKS - 1) + [Due.FRAME]
    assert listener.ended == ["u"]
    assert DRY_TICKS * 40 >= 350 > (DRY_TICKS - 1) * 40


def test_audio_that_comes_back_in_time_belongs_to_the_same_utterance():
    queue, listener = open_queue()
    first = push(queue, 3 * FRAME_SAMPLES)
    listener.ticks(4 + DRY_TICKS - 1)
    assert push(queue, 3 * FRAME_SAMPLES, 3 * FRAME_SAMPLES) is first
    listener.ticks(4)
    assert first.next_frame == 6


def test_a_trickle_below_a_frame_keeps_the_utterance_open():
    queue, listener = open_queue()
    first = push(queue, 10)
    for _ in range(30):
        listener.ticks(4)
        assert push(queue, 10) is first
    assert first.audio.samples == 310


def test_empty_pushes_do_not_keep_an_utterance_open():
    queue, listener = open_queue()
    push(queue, 3 * FRAME_SAMPLES, utterance_id="u")
    for _ in range(4 + DRY_TICKS):
        queue.push(b"", SAMPLE_RATE_HZ, 1, None, None)
        listener.tick()
    assert listener.ended == ["u"]


def test_empty_pushes_begin_no_utterance():
    queue, _ = open_queue()
    push(queue, 55 * SAMPLE_RATE_HZ, utterance_id="long")
    queue.end()
    for _ in range(1000):
        queue.push(b"", SAMPLE_RATE_HZ, 1, "empty", None)
        queue.end()
    assert queue.current.utterance_id == "long"
    assert queue.queued_samples == 55 * SAMPLE_RATE_HZ
    queue.consume()
    queue.clear()
    queue.push(b"", SAMPLE_RATE_HZ, 1, None, "idle_0")
    assert queue.current is None


def test_an_utterance_without_a_sample_is_forgotten_when_it_ends():
    queue, listener = open_queue()
    for _ in range(1000):
        queue.push(b"\x01", SAMPLE_RATE_HZ, 1, "u", None)
        assert queue.current is not None
        queue.end()
        assert queue.current is None
    assert listener.ticks(2) == [Due.NOTHING, Due.NOTHING]
    assert listener.ended == []
    push(queue, 10, utterance_id="next")
    assert queue.current.utterance_id == "next"


def test_a_lone_byte_is_forgotten_after_350_ms():
    queue, listener = open_queue()
    queue.push(b"\x01", SAMPLE_RATE_HZ, 1, "u", None)
    assert set(listener.ticks(DRY_TICKS)) == {Due.NOTHING}
    assert queue.current is None


def test_only_so_many_utterances_wait():
    queue, listener = open_queue()
    for _ in range(MAX_UTTERANCES):
        push(queue, 1)
        queue.end()
    with pytest.raises(QueueFull, match=r"64 utterances.*0 bytes taken, 20 refused") as full:
        push(queue, 10)
    assert full.value.details == {"bytes_taken": 0, "bytes_refused": 20}
    assert queue.queued_samples == MAX_UTTERANCES * FRAME_SAMPLES
    listener.tick()
    push(queue, 10)


def test_the_id_is_the_one_of_the_first_push_else_minted():
    queue, _ = open_queue()
    assert push(queue, 10, utterance_id="first").utterance_id == "first"
    assert push(queue, 10, utterance_id="second").utterance_id == "first"
    queue.end()
    assert len(push(queue, 10).utterance_id) == 36


def test_a_new_utterance_waits_for_the_one_before():
    queue, listener = open_queue()
    push(queue, 2 * FRAME_SAMPLES, utterance_id="a")
    queue.end()
    push(queue, 4 * FRAME_SAMPLES, utterance_id="b")
    queue.end()
    assert listener.ticks(6) == [Due.FRAME] * 6
    assert listener.ended == ["a", "b"]
    assert list(listener.heard) == ["a", "b"]


def test_clearing_drops_all_and_names_only_an_utterance_that_had_begun():
    queue, listener = open_queue()
    push(queue, FRAME_SAMPLES)
    assert queue.clear() is None
    begun = push(queue, 5 * FRAME_SAMPLES)
    listener.ticks(2)
    queue.end()
    push(queue, FRAME_SAMPLES)
    assert queue.clear() is begun
    assert begun.position_ms == 80
    assert queue.clear() is None
    assert queue.queued_samples == 0
    assert set(listener.ticks(3)) == {Due.NOTHING}


def test_ending_nothing_does_nothing():
    queue, _ = open_queue()
    queue.end()
    assert queue.current is None


def test_past_the_bound_bytes_are_refused_and_what_was_taken_is_played():
    queue, listener = open_queue(PLENTY)
    with pytest.raises(QueueFull, match="60 s") as full:
        push(queue, PLENTY + 1000, utterance_id="u")
    assert full.value.details == {"bytes_taken": 2 * PLENTY, "bytes_refused": 2000}
    with pytest.raises(QueueFull) as full:
        push(queue, 10)
    assert full.value.details == {"bytes_taken": 0, "bytes_refused": 20}
    queue.end()
    listener.ticks(1500)
    assert listener.ended == ["u"]
    assert bytes(listener.heard["u"]) == ramp(PLENTY)


def test_a_full_queue_begins_no_empty_utterance():
    queue, _ = open_queue(FRAME_SAMPLES)
    push(queue, FRAME_SAMPLES)
    queue.end()
    with pytest.raises(QueueFull):
        push(queue, 10)
    queue.consume()
    assert queue.finished() is not None
    assert queue.current is None


def test_room_comes_back_as_frames_are_played():
    queue, listener = open_queue(4 * FRAME_SAMPLES)
    push(queue, 4 * FRAME_SAMPLES)
    listener.tick()
    push(queue, FRAME_SAMPLES)
    with pytest.raises(QueueFull):
        push(queue, 1)


def test_many_short_utterances_are_bounded_by_the_time_that_they_take_to_play():
    queue, _ = open_queue(50 * FRAME_SAMPLES)
    for _ in range(50):
        push(queue, 1)
        queue.end()
    with pytest.raises(QueueFull):
        push(queue, 1)


def test_the_bound_counts_seconds_at_any_rate():
    queue, _ = open_queue(SAMPLE_RATE_HZ)
    with pytest.raises(QueueFull) as full:
        queue.push(bytes(48_000 * 4 * 2), 48_000, 2, None, None)
    assert full.value.details == {"bytes_taken": 192_000, "bytes_refused": 192_000}


def test_refused_bytes_do_not_shift_the_samples_that_come_after():
    queue, listener = open_queue(2 * FRAME_SAMPLES)
    pcm = ramp(6 * FRAME_SAMPLES)
    queue.push(pcm[:1281], SAMPLE_RATE_HZ, 1, "u", None)  # an odd number of bytes: half a sample waits
    with pytest.raises(QueueFull) as full:
        queue.push(pcm[1281:5000], SAMPLE_RATE_HZ, 1, None, None)
    assert full.value.details["bytes_refused"] % 2 == 0
    listener.ticks(START_TICKS + 2)
    queue.push(pcm[5000:6000], SAMPLE_RATE_HZ, 1, None, None)
    queue.end()
    listener.ticks(1)
    assert bytes(listener.heard["u"]) == (pcm[:2560] + pcm[5000:6000]).ljust(3840, b"\0")


cuts = st.lists(
    st.tuples(
        st.integers(0, 14),  # ticks before this push
        st.one_of(st.integers(0, 60), st.integers(1200, 1400), st.integers(0, 20_000)),  # bytes
        st.booleans(),  # SPEAK_END after it
    ),
    max_size=25,
)


@given(cuts)
def test_however_the_audio_comes_each_utterance_is_heard_whole_in_order_and_ends_once(todo):
    queue, listener = open_queue()
    pcm, said = ramp(300_000), {}
    position = 0
    for ticks, count, ends in todo:
        listener.ticks(ticks)
        chunk = pcm[position : position + count]
        spoken = queue.push(chunk, SAMPLE_RATE_HZ, 1, None, None)
        if chunk:
            said.setdefault(spoken.utterance_id, bytearray()).extend(chunk)
        position += count
        if ends:
            queue.end()
    listener.ticks(DRY_TICKS + 3 + len(pcm[:position]) // 1280 + 2 * len(todo) + 20)
    assert queue.current is None
    assert listener.ended == [utterance_id for utterance_id, sent in said.items() if len(sent) > 1]
    for utterance_id, sent in said.items():
        whole = bytes(sent[: len(sent) // 2 * 2])
        heard = bytes(listener.heard.get(utterance_id, b""))
        assert len(heard) == -(-len(whole) // 1280) * 1280
        assert heard == whole.ljust(len(heard), b"\0")


@given(cuts)
def test_a_frame_that_is_there_waits_at_most_one_tick_in_mid_speech_and_a_few_at_the_start(todo):
    queue, listener = open_queue()
    waited = 0
    for ticks, count, ends in todo:
        for _ in range(ticks):
            current = queue.current
            complete = current is not None and current.audio.frame_complete(current.next_frame, 0)
            started = current is not None and current.started
            due = listener.tick()
            waited = waited + 1 if complete and due is not Due.FRAME else 0
            assert waited <= (1 if started else START_TICKS)
            assert due is not Due.WAIT or started
        queue.push(bytes(count), SAMPLE_RATE_HZ, 1, None, None)
        if ends:
            queue.end()


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9000), st.sampled_from([(16_000, 1), (44_100, 2), (8000, 1)])),
        max_size=30,
    )
)
def test_taken_and_refused_bytes_add_up_and_the_queue_never_holds_more_than_its_bound(todo):
    limit = 5 * FRAME_SAMPLES
    queue, listener = open_queue(limit)
    for ticks, count, (rate_hz, channels) in todo:
        listener.ticks(ticks)
        before = queue.queued_samples
        taken, refused = count, 0
        try:
            queue.push(bytes(count), rate_hz, channels, None, None)
        except QueueFull as full:
            taken, refused = full.details["bytes_taken"], full.details["bytes_refused"]
        assert taken + refused == count
        assert queue.queued_samples <= limit + 1
        assert queue.queued_samples - before <= -(-taken * SAMPLE_RATE_HZ // (rate_hz * channels * 2)) + 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push", "end", "tick", "clear"]),
            st.integers(0, 3000),
            st.sampled_from([(16_000, 1), (44_100, 2)]),
        ),
        max_size=60,
    )
)
def test_what_is_queued_is_counted_as_it_comes_and_goes(todo):
    queue, listener = open_queue(20 * FRAME_SAMPLES)
    for what, count, (rate_hz, channels) in todo:
        if what == "push":
            with suppress(QueueFull):
                queue.push(bytes(count), rate_hz, channels, None, None)
        elif what == "end":
            queue.end()
        elif what == "tick":
            listener.tick()
        else:
            queue.clear()
        waiting = list(queue._queue)
        played = [spoken.next_frame * FRAME_SAMPLES for spoken in waiting]
        to_play = [
            spoken.audio.samples if spoken.audio.total_frames is None else spoken.audio.total_frames * FRAME_SAMPLES
            for spoken in waiting
        ]
        assert queue.queued_samples == sum(to_play) - sum(played)
        assert all(spoken.audio.samples for spoken in waiting[:-1])


def test_a_narrated_utterance_stands_behind_what_is_open_and_takes_no_clients_audio():
    queue, listener = open_queue()
    first = push(queue, 3 * FRAME_SAMPLES, utterance_id="client 1")
    narrated = queue.begin_narrated("text", "Hello.")
    queue.push_narrated(narrated, ramp(2 * FRAME_SAMPLES), SAMPLE_RATE_HZ)
    assert push(queue, FRAME_SAMPLES, 3 * FRAME_SAMPLES) is first
    queue.end()
    assert push(queue, FRAME_SAMPLES, utterance_id="client 2") is not first
    queue.push_narrated(narrated, ramp(FRAME_SAMPLES), SAMPLE_RATE_HZ)
    queue.end_narrated(narrated)
    queue.end()
    assert queue.samples_through(narrated) == 7 * FRAME_SAMPLES
    listener.ticks(12)
    assert listener.ended == ["client 1", "text", "client 2"]
    assert listener.heard["client 1"] == ramp(4 * FRAME_SAMPLES)
    assert [len(pcm) // (2 * FRAME_SAMPLES) for pcm in listener.heard.values()] == [4, 3, 1]
    assert (queue.queued_samples, queue.samples_through(narrated)) == (0, 0)


def test_a_narrated_utterance_that_runs_dry_waits_for_its_end():
    queue, listener = open_queue()
    narrated = queue.begin_narrated("text", "Hello.")
    queue.push_narrated(narrated, ramp(FRAME_SAMPLES), SAMPLE_RATE_HZ)
    dues = listener.ticks(START_TICKS + 3 * DRY_TICKS)
    assert dues.count(Due.FRAME) == 1
    assert dues[-1] is Due.STARVED
    queue.push_narrated(narrated, ramp(FRAME_SAMPLES), SAMPLE_RATE_HZ)
    queue.end_narrated(narrated)
    assert listener.tick() is Due.FRAME
    assert listener.ended == ["text"]


def test_a_full_queue_takes_no_narrated_utterance_and_says_which_bound():
    queue, _ = open_queue(limit_samples=SAMPLE_RATE_HZ)
    push(queue, SAMPLE_RATE_HZ)
    with pytest.raises(QueueFull, match=r"\(1 s\)"):
        queue.begin_narrated("text", "Hello.")
    queue, _ = open_queue()
    for number in range(MAX_UTTERANCES):
        queue.begin_narrated(str(number), "Hello.")
    with pytest.raises(QueueFull, match=f"{MAX_UTTERANCES} utterances"):
        queue.begin_narrated("text", "Hello.")
