"""A session's stream as it leaves: the grid of timestamps, and the sound of a generated frame before its picture.

Owns the timestamps and what is counted of frames; decides neither what is shown nor what is spoken.
"""

from protocol.timing import FRAME_MS
from ws_service.metrics import Counts
from ws_service.session.interfaces import PacketSink, SentFrame
from ws_service.session.speech import Spoken
from ws_service.session.timeline import State
from ws_service.video.packet import Packet


class FrameOutput:
    """One stream, from 0 ms on. `audio_out`: the client wants the sound, too."""

    def __init__(self, sink: PacketSink, counts: Counts) -> None:
        """`counts`: the session's, where frames are added."""
        self.audio_out = False
        self._sink = sink
        self._counts = counts
        self._timestamp_ms = 0

    def send(
        self,
        session_id: str,
        packet: Packet,
        state: State,
        spoken: Spoken | None,
        progress: float | None,
        *,
        as_action_frame: bool,
    ) -> None:
        """The next frame. `spoken`: the utterance whose next 640 samples it shows; they are the caller's to consume.

        `progress`: 0..1 through an action, None outside one.
        """
        audio_ms = None
        if spoken is not None:
            audio_ms = spoken.position_ms
            if self.audio_out:
                pcm = spoken.audio.frame_pcm(spoken.next_frame)
                self._sink.sound(session_id, pcm, audio_ms, self._timestamp_ms)
            self._counts.frames_generated += 1
        generated = spoken is not None
        frame = SentFrame(packet, self._timestamp_ms, state, generated, audio_ms, progress, as_action_frame)
        self._sink.frame(session_id, frame)
        self._counts.frames_sent += 1
        self._timestamp_ms += FRAME_MS
