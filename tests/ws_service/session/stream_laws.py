"""What must hold of all that a session ever sends, whatever the client and the engine do."""

from itertools import pairwise

from protocol.server_messages import InitSuccess, Interrupted, SpeakEnded, SpeakStarted
from protocol.timing import FRAME_BYTES, FRAME_MS
from tests.fakes.sink import RecordingSink, Sound
from ws_service.session.interfaces import SentFrame
from ws_service.session.timeline import State


def check_stream(sink: RecordingSink, *, audio_out: bool | None = False) -> None:
    """Raises `AssertionError` at the first entry that breaks a law. `audio_out`: None when INIT may have changed it."""
    _check_frames(sink.frames)
    _check_actions(sink)
    _check_speech(sink)
    _check_interrupts(sink)
    _check_sound(sink, audio_out)


def _check_frames(frames: list[SentFrame]) -> None:
    assert [frame.timestamp_ms for frame in frames] == [n * FRAME_MS for n in range(len(frames))]
    for frame in frames:
        assert frame.generated == (frame.audio_ms is not None)
        assert (frame.state is State.ACTION) == (frame.progress is not None)
        assert frame.progress is None or 0 < frame.progress <= 1
        assert not frame.as_action_frame or frame.progress is not None
        assert not frame.generated or frame.state is not State.IDLE


def _check_actions(sink: RecordingSink) -> None:
    """An action goes on until its end; INIT alone cuts it."""
    progress: float | None = None
    for entry in sink.entries:
        what = entry.what
        if isinstance(what, InitSuccess):
            progress = None
        elif isinstance(what, SentFrame):
            if progress not in (None, 1):
                assert what.progress is not None
                assert what.progress > progress
            progress = what.progress


def _check_speech(sink: RecordingSink) -> None:
    """Generated frames lie between the start and the end of their utterance, and their positions have no gap."""
    speaking: str | None = None
    position_ms = 0
    seen: set[str] = set()
    for entry in sink.entries:
        what = entry.what
        if isinstance(what, SpeakStarted):
            assert speaking is None
            speaking, position_ms = what.data.utterance_id, 0
            assert speaking not in seen
            seen.add(speaking)
        elif isinstance(what, SentFrame) and what.generated:
            assert speaking is not None
            assert what.audio_ms == position_ms
            position_ms += FRAME_MS
        elif isinstance(what, SpeakEnded):
            assert what.data.utterance_id == speaking
            assert what.data.position_ms == position_ms
            assert position_ms > 0
            speaking = None


def _check_interrupts(sink: RecordingSink) -> None:
    """INTERRUPTED follows the end that it caused, with the same position; after it, nothing of that speech is heard."""
    before: object = None
    for entry in sink.entries:
        what = entry.what
        if isinstance(what, Interrupted):
            cut = isinstance(before, SpeakEnded) and before.data.interrupted
            assert what.data.position_ms == (before.data.position_ms if cut else 0)
        if isinstance(before, SpeakStarted):
            assert isinstance(what, SentFrame | Sound), "an utterance begins with its first frame"
        before = what


def _check_sound(sink: RecordingSink, audio_out: bool | None) -> None:
    sounds = 0
    for before, after in pairwise([entry.what for entry in sink.entries]):
        if isinstance(before, Sound):
            sounds += 1
            assert isinstance(after, SentFrame)
            assert after.generated
            assert (before.timestamp_ms, before.audio_ms) == (after.timestamp_ms, after.audio_ms)
            assert len(before.pcm) == FRAME_BYTES
    if audio_out is not None:
        assert sounds == (len(sink.generated) if audio_out else 0)
