"""What a client's messages change: speech, timeline, and the answers. Synchronous; the actor calls it between ticks.

Each method either does all that a message asks or raises a `ServiceError` and changes nothing (audio that is refused
excepted: what fitted into the queue is kept, and an action plays without its sound). INIT and CLOSE belong to the
actor, because they change the connection itself.
"""

from protocol.binary import AudioUpload
from protocol.client_messages import Action, ClientMessage, Generate, Interrupt, SpeakEnd, StateChange
from protocol.server_messages import (
    ActionTriggered,
    ActionTriggeredData,
    Interrupted,
    InterruptedData,
    SpeakEnded,
    SpeakEndedData,
    SpeakStarted,
    SpeakStartedData,
    StateChanged,
    StateChangedData,
)
from ws_service.errors import InvalidMessage
from ws_service.session.interfaces import PacketSink
from ws_service.session.narration import NarratedSound, Narration, Narrations
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import SpeechQueue, Spoken
from ws_service.session.timeline import ACTION_PREFIX, State, Timeline


class Conversation:
    """The client's side of a session: `take` a message, tell the sink what came of it."""

    def __init__(self, sink: PacketSink, timeline: Timeline, speech: SpeechQueue, place: SpeakingPlace) -> None:
        self.session_id = ""
        self.timeline = timeline
        self.speech = speech
        self.as_action_frames = False
        self.narrations = Narrations(speech, place)
        self._sink = sink
        self._place = place

    @property
    def state(self) -> State:
        """An action hides speech, speech hides the base video."""
        if self.timeline.acting:
            return State.ACTION
        current = self.speech.current
        if (current is not None and current.started) or self.timeline.base_video.startswith(State.SPEAKING):
            return State.SPEAKING
        return State.IDLE

    def take(self, message: ClientMessage | AudioUpload | Narration | NarratedSound) -> None:
        """Follow one message. Raises `ServiceError`."""
        match message:
            case Generate():
                self._generate(message)
            case AudioUpload():
                self._upload(message)
            case StateChange():
                self._change_state(message)
            case Action():
                self._act(message)
            case Interrupt():
                self.interrupt()
            case SpeakEnd():
                self._end_speech()
            case Narration():
                self.narrations.add(message)
            case NarratedSound():
                self._narrate(message)
            case _:
                return  # a client's PING keeps the connection alive and asks for nothing

    def begin_utterance(self, spoken: Spoken) -> None:
        """The first frame of the utterance is about to be sent."""
        data = SpeakStartedData(utterance_id=spoken.utterance_id, text=spoken.text)
        self._sink.event(SpeakStarted(session_id=self.session_id, data=data))
        spoken.started = True
        self._show_speech_video(spoken.base_video)

    def end_utterance(self, spoken: Spoken, *, interrupted: bool) -> None:
        """The last frame of the utterance has been sent, or it was cut off."""
        data = SpeakEndedData(utterance_id=spoken.utterance_id, position_ms=spoken.position_ms, interrupted=interrupted)
        self._sink.event(SpeakEnded(session_id=self.session_id, data=data))
        upcoming = self.speech.current
        if upcoming is None or not upcoming.audio.samples:
            self.timeline.speech_ended()

    def interrupt(self) -> None:
        """Drop all queued speech; say where it stopped."""
        self._tell_interrupted(self.drop_speech())

    def drop_speech(self, *, before: Narration | None = None) -> int:
        """Forget all speech, ending the utterance that was being spoken. Returns its position in ms, 0 without one.

        `before`: keeps this text and those that were asked for after it.
        """
        self.narrations.drop(before=before)
        self._place.utterance_ended()
        cut = self.speech.clear()
        if cut is None:
            self.timeline.speech_ended()  # between two utterances, the base may still be the first one's
            return 0
        self.end_utterance(cut, interrupted=True)
        return cut.position_ms

    def _generate(self, message: Generate) -> None:
        data = message.data
        wanted = data.video_state.base_video if data.video_state is not None else None
        if wanted is not None:
            self.timeline.check_video(wanted, "data.video_state.base_video")
        chunk = data.audio_chunk
        self._push(chunk.data, chunk.sample_rate, chunk.channels, data.utterance_id, wanted)

    def _upload(self, upload: AudioUpload) -> None:
        if upload.pcm:
            self._push(upload.pcm, upload.sample_rate, upload.channels, None, None)
        if upload.end_of_utterance:
            self._end_speech()

    def _narrate(self, sound: NarratedSound) -> None:
        narration = sound.narration
        if not self.narrations.has(narration):
            return  # dropped since
        self.narrations.push(sound)
        while (ready := self.narrations.next_ready()) is not None:
            if ready.interrupt and self.narrations.may_begin(ready):
                self._cut_in(ready)
            self.narrations.begin(ready)
        if sound.error is not None and narration.spoken is not None:
            sound.error.details["utterance_id"] = narration.utterance_id
            raise sound.error

    def _cut_in(self, narration: Narration) -> None:
        speaking = self.speech.current is not None
        position_ms = self.drop_speech(before=narration)
        if speaking:
            self._tell_interrupted(position_ms)

    def _tell_interrupted(self, position_ms: int) -> None:
        data = InterruptedData(position_ms=position_ms)
        self._sink.event(Interrupted(session_id=self.session_id, data=data))

    def _end_speech(self) -> None:
        self.speech.end()
        self._place.utterance_ended()

    def _push(self, pcm: bytes, rate_hz: int, channels: int, utterance_id: str | None, wanted: str | None) -> None:
        if pcm and not self._place.admits(utterance_id):
            return
        # every chunk of a speech repeats its video_state: only a change counts, so that an action is played once
        before = self.speech.current
        changed = before is not None and before.base_video != wanted
        spoken = self.speech.push(pcm, rate_hz, channels, utterance_id, wanted)
        if changed and spoken is before and spoken.started:
            self._show_speech_video(wanted)

    def _show_speech_video(self, wanted: str | None) -> None:
        if not self.timeline.acting:
            self.as_action_frames = False  # an action that speech brings is not one that a 1.0 client asked for
        self.timeline.speech_video(wanted)

    def _change_state(self, message: StateChange) -> None:
        data = message.data
        self.timeline.check_video(data.base_video, "data.base_video")
        self.timeline.change(data.base_video)
        if data.base_video.startswith(ACTION_PREFIX):
            self.as_action_frames = False
        answer = StateChangedData(current_state=data.target_state, current_video=data.base_video)
        self._sink.event(StateChanged(session_id=self.session_id, data=answer))

    def _act(self, message: Action) -> None:
        data = message.data
        if data.action_index is not None:
            actions = self.timeline.actions
            if not 1 <= data.action_index <= len(actions):
                raise InvalidMessage(
                    f"action_index {data.action_index} is out of range",
                    {"path": "data.action_index", "allowed": f"1..{len(actions)}"},
                )
            self.timeline.act(actions[data.action_index - 1])
            self.as_action_frames = False
            answer = ActionTriggeredData(action_index=data.action_index, inserted=True)
            self._sink.event(ActionTriggered(session_id=self.session_id, data=answer))
        elif data.action_type is not None:
            if data.action_type not in self.timeline.actions:
                raise InvalidMessage(
                    f"Unknown action_type {data.action_type!r}",
                    {"path": "data.action_type", "allowed": self.timeline.actions},
                )
            self.timeline.act(data.action_type)
            self.as_action_frames = True
        if data.audio_chunk is not None:
            chunk = data.audio_chunk
            self._push(chunk.data, chunk.sample_rate, chunk.channels, None, None)
