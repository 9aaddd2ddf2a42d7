"""One session's task: takes messages between ticks, makes one frame at each tick. The only writer of its state.

The order of a tick: what speech is due -> its mouth -> the timeline's base picture -> a packet -> the sink.
"""

import asyncio
from typing import Any

import structlog

from models.interface import Mouth
from protocol.binary import AudioUpload
from protocol.client_messages import ClientMessage, ClientPing, Close, Init, Interrupt
from protocol.codes import CloseCode, CloseReason, ErrorCode
from protocol.server_messages import CloseAck, CloseAckData, ErrorData, ErrorMessage
from protocol.timing import SAMPLE_RATE_HZ
from protocol.wire import ProtocolViolation
from ws_service.errors import InvalidSession, ProcessingFailed, ServiceError
from ws_service.metrics import Counts
from ws_service.session.admission import Admission, same_id
from ws_service.session.conversation import Conversation
from ws_service.session.frame_output import FrameOutput
from ws_service.session.inbox import Inbox, Incoming
from ws_service.session.init_answer import SessionLimits, init_success
from ws_service.session.interfaces import AvatarProvider, LoadedAvatar, MouthSource, PacketSink
from ws_service.session.mouth_requests import MouthRequests
from ws_service.session.mouth_track import MouthTrack
from ws_service.session.narration import NarratedSound, Narration
from ws_service.session.pacer import Pacer
from ws_service.session.pending_init import PendingInit
from ws_service.session.speaking_place import SpeakingPlace
from ws_service.session.speech import Due, SpeechQueue, Spoken
from ws_service.session.timeline import Timeline
from ws_service.video.idle_order import twins
from ws_service.video.packet import MouthLost

PING_INTERVAL_S = 30.0
EARLY_S = 0.001  # uvloop counts whole milliseconds: a timer this early is not set again


class SessionActor:
    """From connect to close. `run` returns the WebSocket close code."""

    def __init__(
        self,
        user_id: str,
        sink: PacketSink,
        admission: Admission,
        avatars: AvatarProvider,
        first_avatar: LoadedAvatar,
        mouths: MouthSource,
        limits: SessionLimits,
    ) -> None:
        self.user_id = user_id
        self.counts = Counts()
        self._sink = sink
        self._admission = admission
        self._avatars = avatars
        self._engine = mouths
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._connected_s = self._loop.time()
        self._heard_s = self._connected_s
        self._ping_s = self._connected_s + PING_INTERVAL_S
        self._pacer = Pacer(self._connected_s)
        self._wake: asyncio.Future[None] | None = None
        self.inbox = Inbox(self._awake)
        self._speech = SpeechQueue(mouths.future_samples, int(limits.max_queued_audio_s * SAMPLE_RATE_HZ))
        self._track = MouthTrack()
        self._place = SpeakingPlace(mouths)
        self._mouths = MouthRequests(mouths, self._speech, self._place)
        self._pending: PendingInit | None = None
        self._close: tuple[CloseReason, CloseCode, ServiceError | None] | None = None
        self._initialised = False
        self._output = FrameOutput(sink, self.counts)
        self._held = first_avatar
        self._video = first_avatar.open_video()
        self.conversation = Conversation(sink, self._new_timeline(), self._speech, self._place)
        self.conversation.session_id = admission.enter(self)
        self._log = structlog.get_logger().bind(session_id=self.session_id, user_id=user_id)

    @property
    def session_id(self) -> str:
        """The id that messages of this connection carry."""
        return self.conversation.session_id

    @property
    def avatar_name(self) -> str:
        """The avatar that is shown."""
        return self._held.avatar.name

    @property
    def age_s(self) -> float:
        """Seconds since the connect."""
        return self._loop.time() - self._connected_s

    def leave(
        self, reason: CloseReason, code: CloseCode = CloseCode.GOING_AWAY, error: ServiceError | None = None
    ) -> None:
        """Ask the session to say goodbye, after an ERROR where there is one to tell; the first reason given stands."""
        self._close = self._close or (reason, code, error)
        self._awake()

    async def run(self) -> CloseCode:
        """Stream until the client or the service ends it."""
        self._log.info("session opened", avatar=self.avatar_name)
        try:
            while self._close is None:
                await self._listen_until(self._pacer.deadline_s)
                if self._close is None:
                    await self._tick()
            reason, code, error = self._close
            self.conversation.drop_speech()
            if error is not None:
                self._say_error(error.code, error.message, error.details)
            self._sink.event(CloseAck(session_id=self.session_id, data=CloseAckData(reason=reason)))
            self._log.info("session closed", reason=reason.value, **self.counts.as_dict())
            return code
        except Exception:
            self.conversation.drop_speech()  # whoever was heard to start is heard to end
            raise
        finally:
            self._mouths.drop()
            self._place.leave()
            self.conversation.narrations.end(self.inbox.close())
            if self._pending is not None:
                self._pending.drop()
            self._video.close()
            self._held.release()
            self._admission.exit(self.session_id)

    # ---- messages

    async def _listen_until(self, deadline_s: float) -> None:
        while self._close is None:
            if self._pending is not None and self._pending.done:
                self._finish_init(self._pending)
            while self._close is None and self._may_take():
                self._take(self.inbox.take())
            if self._close is not None or self._loop.time() >= deadline_s - EARLY_S:
                return
            if self._mouths.read_ahead():
                self._ask_ahead()
                await asyncio.sleep(0)
                continue
            self._wake = self._loop.create_future()
            timer = self._loop.call_at(deadline_s, self._awake)
            try:
                await self._wake
            finally:
                timer.cancel()
                self._wake = None

    def _may_take(self) -> bool:
        """A message waits, and none before it waits for an avatar; INTERRUPT and CLOSE wait for nothing."""
        return len(self.inbox) > 0 and (self._pending is None or isinstance(self.inbox.head, Close | Interrupt))

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _take(self, message: Incoming) -> None:
        self._heard_s = self._loop.time()
        try:
            if isinstance(message, ProtocolViolation):
                self._say_error(message.code, message.message, message.details)
                return
            self._check_session(message)
            if isinstance(message, Init):
                self._pending = PendingInit(message, self.user_id, self._avatars, self._awake)
            elif isinstance(message, Close):
                self.leave(CloseReason.CLIENT_REQUEST, CloseCode.NORMAL)
            else:
                self.counts.interrupts += isinstance(message, Interrupt)
                self.conversation.take(message)
        except ServiceError as error:
            self._say_error(error.code, error.message, error.details)
        self._ask_ahead()

    def _check_session(self, message: ClientMessage | AudioUpload | Narration | NarratedSound) -> None:
        if not self._initialised or isinstance(message, Init | ClientPing | AudioUpload | Narration | NarratedSound):
            return
        if message.session_id is not None and not same_id(message.session_id, self.session_id):
            raise InvalidSession(f"This connection's session is {self.session_id}", {"session_id": message.session_id})

    def _finish_init(self, pending: PendingInit) -> None:
        """The avatar is here: start over in idle with it."""
        self._pending = None
        try:
            held = pending.avatar()
        except ServiceError as error:
            self._say_error(error.code, error.message, error.details)
            return
        message = pending.message
        self._mouths.drop()
        self.conversation.drop_speech()
        self._track = MouthTrack()
        self._video.close()
        self._held.release()
        self._held, self._video = held, held.open_video()
        self.conversation.timeline = self._new_timeline()
        self.conversation.as_action_frames = False
        self._output.audio_out = message.data.audio_out
        if message.session_id is not None:
            self.conversation.session_id = self._admission.rename(self.session_id, message.session_id)
        self._initialised = True
        self._log = self._log.bind(session_id=self.session_id)
        self._log.info("session initialised", avatar=self.avatar_name)
        timeline, engine = self.conversation.timeline, self._engine.describe()
        self._sink.event(init_success(self.session_id, timeline, self._video.codec, self._limits, engine))

    def _say_error(self, code: ErrorCode, message: str, details: dict[str, Any]) -> None:
        self.counts.errors_sent += 1
        self._log.debug("error sent", code=str(code), message=message)
        self._sink.event(
            ErrorMessage(session_id=self.session_id, data=ErrorData(code=code, message=message, details=details))
        )

    # ---- ticks

    async def _tick(self) -> None:
        now_s = self._loop.time()
        self.counts.frames_late += self._pacer.advance(now_s)
        self._watch_clock(now_s)
        self._place.tick()
        due = self._speech.due()
        mouth = await self._mouth_due(now_s) if due is Due.FRAME else None
        spoken = self._speech.current if mouth is not None else None
        if mouth is not None and spoken is not None:
            self._track.speak(mouth)
            if not spoken.started:
                self.conversation.begin_utterance(spoken)
        elif due in (Due.NOTHING, Due.STARVED):
            self._track.rest()
        elif self._speech.current is not None and self._speech.current.started:
            self.counts.frames_held += 1
        await self._show(spoken)
        while (done := self._speech.finished()) is not None:
            if done.started:
                self.conversation.end_utterance(done, interrupted=False)
        self._ask_ahead()

    async def _show(self, spoken: Spoken | None) -> None:
        """Make and send this tick's frame; `spoken` is the utterance whose next 640 samples it shows."""
        state = self.conversation.state
        base = self.conversation.timeline.tick()
        try:
            packet = self._video.shared(base) if self._track.mouth is None else None
            if packet is None:
                packet = await self._video.encode(base, self._track.mouth, self._track.weight)
        except ProcessingFailed as error:
            self._track, spoken = MouthTrack(), None
            self._fail(error)
            if not isinstance(error, MouthLost):
                return
            packet = error.packet
        acted = base.progress is not None and self.conversation.as_action_frames
        self._output.send(self.session_id, packet, state, spoken, base.progress, as_action_frame=acted)
        if spoken is not None:
            self._speech.consume()

    async def _mouth_due(self, now_s: float) -> Mouth | None:
        """The mouth of the frame that is due now, or None when the engine is late or failed."""
        try:
            return await self._mouths.take(self._held.avatar, self.conversation.timeline, now_s)
        except ProcessingFailed as error:
            self._fail(error)
            return None

    def _fail(self, error: ProcessingFailed) -> None:
        """The engine or the encoder gave nothing: tell the client whose speech is lost, and go on without it."""
        self._log.error("frame failed", error=error.message, details=error.details)
        if self._speech.current is not None:
            self._say_error(error.code, error.message, error.details)
            self._mouths.drop()
            self.conversation.drop_speech()

    def _ask_ahead(self) -> None:
        if self._speech.current is None:
            self._place.leave()
        try:
            self._mouths.ask_ahead(self._held.avatar, self.conversation.timeline, self._pacer.deadline_s)
        except ProcessingFailed as error:
            self._fail(error)

    def _watch_clock(self, now_s: float) -> None:
        if now_s >= self._ping_s:
            self._ping_s += PING_INTERVAL_S
            self._sink.ping()
        if self._speech.current is not None:
            self._heard_s = now_s  # a long answer is still being spoken
        idle_s = self._limits.idle_timeout_s
        if idle_s and now_s - self._heard_s >= idle_s:
            self.leave(CloseReason.TIMEOUT, CloseCode.NORMAL)

    def _new_timeline(self) -> Timeline:
        avatar = self._held.avatar
        lengths = {name: len(video.pictures) for name, video in avatar.videos.items()}
        return Timeline(lengths, avatar.same_pose, twins(avatar))
