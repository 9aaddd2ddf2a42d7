"""What leaves a session: timestamps without gaps, sound before its picture, counts."""

from protocol.timing import FRAME_MS
from tests.fakes.sink import RecordingSink, Sound
from tests.ws_service.session.stage import ramp
from ws_service.metrics import Counts
from ws_service.session.frame_output import FrameOutput
from ws_service.session.interfaces import SentFrame
from ws_service.session.speech import SpeechQueue, Spoken
from ws_service.session.timeline import State
from ws_service.video.packet import Packet

PACKET = Packet(b"\0\0\0\1\x65", True)


class Stream:
    """An output, what it sent, and two frames of speech."""

    def __init__(self, *, audio_out: bool = False) -> None:
        self.sink, self.counts = RecordingSink(lambda: 0.0), Counts()
        self.output = FrameOutput(self.sink, self.counts)
        self.output.audio_out = audio_out
        self.queue = SpeechQueue(0, 16_000)
        self.spoken = self.queue.push(ramp(1280), 16_000, 1, "u", None)

    def send(self, spoken: Spoken | None = None, progress: float | None = None, *, acted: bool = False) -> None:
        state = State.IDLE if spoken is None else State.SPEAKING
        self.output.send("s", PACKET, state, spoken, progress, as_action_frame=acted)
        if spoken is not None:
            self.queue.consume()


def test_every_frame_is_40_ms_after_the_one_before_whatever_it_shows():
    stream = Stream()
    for spoken in (None, stream.spoken, stream.spoken, None):
        stream.send(spoken)
    assert [frame.timestamp_ms for frame in stream.sink.frames] == [n * FRAME_MS for n in range(4)]
    assert [frame.audio_ms for frame in stream.sink.frames] == [None, 0, 40, None]
    assert [frame.generated for frame in stream.sink.frames] == [False, True, True, False]
    assert (stream.counts.frames_sent, stream.counts.frames_generated) == (4, 2)


def test_the_sound_of_a_generated_frame_comes_before_it_where_it_is_wanted():
    stream = Stream(audio_out=True)
    for spoken in (None, stream.spoken, stream.spoken):
        stream.send(spoken)
    sent = [entry.what for entry in stream.sink.entries]
    assert [type(what) for what in sent] == [SentFrame, Sound, SentFrame, Sound, SentFrame]
    assert [(sound.audio_ms, sound.timestamp_ms) for sound in stream.sink.of(Sound)] == [(0, 40), (40, 80)]
    assert b"".join(sound.pcm for sound in stream.sink.of(Sound)) == ramp(1280)


def test_no_sound_where_it_is_not_wanted():
    stream = Stream()
    stream.send(stream.spoken)
    assert stream.sink.of(Sound) == []


def test_how_far_an_action_is_and_who_asked_for_it_go_with_the_frame():
    stream = Stream()
    stream.send(progress=0.5, acted=True)
    stream.send()
    assert [(frame.progress, frame.as_action_frame) for frame in stream.sink.frames] == [(0.5, True), (None, False)]
