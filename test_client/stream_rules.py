"""The rules that every stream keeps, as a pure state machine over what was received: events in, violations out.

Owns the rules of video and of control messages; those of speech are in `speech_rules`. No clock, no socket, no decoder
(`decoding` runs one); must not import the service.
"""

from protocol import server_messages as said
from protocol.codes import CloseReason
from protocol.timing import FRAME_MS, GOP_FRAMES
from test_client.annexb import inspect
from test_client.events import AudioEvent, ControlEvent, Event, VideoEvent
from test_client.speech_rules import SpeechRules

_MAX_VIOLATIONS_KEPT = 100
_BASELINE = 0x42  # profile_idc 66


class StreamRules:
    """Takes each event in order; `violations` holds a sentence for each rule broken (the first 100; `count`: all)."""

    def __init__(self, *, all_intra: bool = False, audio_out: bool = False) -> None:
        self.violations: list[str] = []
        self.count = 0
        self.speech = SpeechRules(self._violate, audio_out)
        self._all_intra = all_intra
        self._frames = 0
        self._last_timestamp_ms = 0
        self._last_sequence = -1
        self._since_idr = 0
        self._codec: str | None = None
        self._action_progress = 0.0
        self._session_id: str | None = None
        self._closed = False

    def received(self, event: Event) -> None:
        """Takes the next event."""
        if self._closed:
            self._violate("A message came after CLOSE_ACK.")
        if isinstance(event, VideoEvent):
            self._check_session(event.session_id, "VIDEO_FRAME", required=event.sequence is None)
            self._video(event)
            self.speech.video(event)
        elif isinstance(event, AudioEvent):
            self._check_session(event.session_id, "AUDIO_FRAME", required=event.sequence is None)
            self.speech.sound(event)
        else:
            self._control(event)

    def finish(self) -> list[str]:
        """Checks what must not be left open; call it when nothing more will come. Returns all violations."""
        if not self._frames:
            self._violate("No frame came.")
        self.speech.finish()
        return self.violations

    def _violate(self, sentence: str) -> None:
        self.count += 1
        if len(self.violations) < _MAX_VIOLATIONS_KEPT:
            self.violations.append(sentence)

    def _video(self, event: VideoEvent) -> None:
        at = f"The frame at {event.timestamp_ms} ms"
        unit = inspect(event.access_unit)
        if unit.pictures != 1:
            self._violate(f"{at} holds {unit.pictures} pictures in one message.")
        if not unit.starts_with_start_code:
            self._violate(f"{at} does not begin with an Annex B start code.")
        if unit.has_b_slice:
            self._violate(f"{at} has a B slice.")
        if unit.is_idr and not unit.has_parameter_sets:
            self._violate(f"{at} is an IDR without SPS and PPS.")
        if event.keyframe is not None and event.keyframe != unit.is_idr:
            self._violate(f"{at} is marked keyframe={event.keyframe}, but its IDR is {unit.is_idr}.")
        if unit.codec is not None:
            self._check_codec(at, unit.codec)
        self._check_idr_distance(at, unit.is_idr)
        self._check_order(at, event)
        if event.action_progress is not None and not 0.0 <= event.action_progress <= 1.0:
            self._violate(f"{at} has action progress {event.action_progress}, outside 0 to 1.")
        self._frames += 1
        self._last_timestamp_ms = event.timestamp_ms

    def _check_codec(self, at: str, codec: str) -> None:
        if int(codec[5:7], 16) != _BASELINE:
            self._violate(f"{at} has an SPS of {codec}, not of the baseline profile.")
        if self._codec is not None and codec != self._codec:
            self._violate(f"{at} has an SPS of {codec} after {self._codec}.")
        self._codec = codec

    def _check_idr_distance(self, at: str, is_idr: bool) -> None:
        if is_idr:
            self._since_idr = 0
            return
        if not self._frames:
            self._violate(f"{at} is the first and not an IDR.")
        self._since_idr += 1
        if self._all_intra and self._session_id is not None:  # asked for by INIT, so not before its answer
            self._violate(f"{at} is not an IDR, though all_intra was asked for.")
        elif self._since_idr == GOP_FRAMES:
            self._violate(f"{at} is the {GOP_FRAMES}th since the last IDR and not an IDR.")

    def _check_order(self, at: str, event: VideoEvent) -> None:
        step_ms = event.timestamp_ms - self._last_timestamp_ms
        if self._frames and step_ms != FRAME_MS:
            self._violate(f"{at} comes {step_ms} ms after the one before, not {FRAME_MS} ms.")
        if event.timestamp_ms % FRAME_MS:
            self._violate(f"{at} is off the grid of {FRAME_MS} ms.")
        if event.sequence is not None:
            if event.sequence <= self._last_sequence:
                self._violate(f"{at} has sequence {event.sequence} after {self._last_sequence}.")
            self._last_sequence = event.sequence

    def _control(self, event: ControlEvent) -> None:
        message = event.message
        if isinstance(message, said.Ping):
            return  # the one message without an envelope
        if isinstance(message, said.InitSuccess):
            self._init_success(message)
            self.speech.init_answered()
        else:
            self._check_session(message.session_id, message.type, required=True)
        if isinstance(message, said.SpeakStarted):
            self.speech.started(message.data.utterance_id)
        elif isinstance(message, said.SpeakEnded):
            data = message.data
            self.speech.ended(data.utterance_id, data.position_ms, data.interrupted)
        elif isinstance(message, said.Interrupted):
            self.speech.interrupted(message.data.position_ms)
        elif isinstance(message, said.CloseAck):
            self._closed = True
            self.speech.closed(by_server=message.data.reason is not CloseReason.CLIENT_REQUEST)

    def _init_success(self, message: said.InitSuccess) -> None:
        self._session_id = message.session_id
        data = message.data
        if data.default_video not in data.available_videos:
            self._violate(f"INIT_SUCCESS names the default video {data.default_video}, which is not available.")
        if data.codec is not None and self._codec is not None and data.codec.lower() != self._codec.lower():
            self._violate(f"INIT_SUCCESS says codec {data.codec}; the SPS says {self._codec}.")

    def _check_session(self, session_id: str | None, kind: str, *, required: bool) -> None:
        """`required` is False for binary media, which belong to their socket and carry no id."""
        if self._session_id is None or (session_id is None and not required):
            return
        if session_id != self._session_id:
            self._violate(f"{kind} carries the session {session_id} after INIT_SUCCESS of {self._session_id}.")
