"""One simulated user: a real session whose video is not encoded, and a client that speaks into it."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from models.interface import Mouth
from models.prepared_avatar import PreparedAvatar
from protocol.binary import AudioUpload
from protocol.client_messages import Interrupt
from protocol.codes import CloseReason
from protocol.server_messages import ErrorMessage, Interrupted, ServerMessage, SpeakEnded, SpeakStarted
from protocol.timing import FRAME_BYTES, GOP_FRAMES, SAMPLE_RATE_HZ
from ws_service.generation.scheduler import GenerationScheduler
from ws_service.session.actor import SessionActor
from ws_service.session.admission import Admission
from ws_service.session.init_answer import SessionLimits
from ws_service.session.interfaces import SentFrame
from ws_service.session.timeline import BaseTick
from ws_service.video.packet import Packet

TICK_S = 0.040
CHUNK = AudioUpload(b"\x00\x10" * (FRAME_BYTES // 2), SAMPLE_RATE_HZ, 1)
END = AudioUpload(b"", SAMPLE_RATE_HZ, 1, end_of_utterance=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame as it was sent. `fresh`: with a mouth of its own. `late_ms`: behind the session's 40 ms grid."""

    at_s: float
    generated: bool
    fresh: bool
    late_ms: float


@dataclass(slots=True)
class Tally:
    """What one user saw; a `PacketSink` and a `VideoSource` at once."""

    codec: str = "none"
    frames: list[Shown] = field(default_factory=list)
    started_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    errors: list[ErrorMessage] = field(default_factory=list)
    interrupted_s: list[float] = field(default_factory=list)
    _mouth: Mouth | None = None
    _fresh: bool = False
    _start_s: float | None = None

    def shared(self, base: BaseTick) -> Packet | None:
        return Packet(b"", keyframe=base.index % GOP_FRAMES == 0)

    async def encode(self, base: BaseTick, mouth: Mouth | None, weight: float) -> Packet:
        self._fresh = mouth is not None and mouth is not self._mouth
        self._mouth = mouth
        return Packet(b"", keyframe=False)

    def close(self) -> None:
        return

    def frame(self, session_id: str, frame: SentFrame) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._start_s is None:
            self._start_s = now_s
        late_s = now_s - self._start_s - frame.timestamp_ms / 1000
        self.frames.append(Shown(now_s, frame.generated, frame.generated and self._fresh, late_s * 1000))
        self._fresh = False

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> None:
        return

    def event(self, message: ServerMessage) -> None:
        now_s = asyncio.get_running_loop().time()
        if isinstance(message, SpeakStarted):
            self.started_s.append(now_s)
        elif isinstance(message, SpeakEnded):
            self.ended_s.append(now_s)
        elif isinstance(message, Interrupted):
            self.interrupted_s.append(now_s)
        elif isinstance(message, ErrorMessage):
            self.errors.append(message)

    def ping(self) -> None:
        return


@dataclass(slots=True)
class HeldForEver:
    """A `LoadedAvatar` and the `AvatarProvider` of it alone."""

    avatar: PreparedAvatar
    tally: Tally

    def open_video(self) -> Tally:
        return self.tally

    def release(self) -> None:
        return

    async def acquire(self, name: str, *, strict: bool, all_intra: bool) -> "HeldForEver":
        return self


@dataclass(frozen=True, slots=True)
class Script:
    """What a user does. `burst`: an utterance is pushed at once, else 40 ms at a time as it is spoken."""

    begins_s: float
    utterance_s: float
    utterances: int = 1
    pause_s: float = 0.5
    burst: bool = False
    interrupts_after_s: float | None = None


class User:
    """A session and its client. `frames_pushed`: of audio, in all utterances."""

    def __init__(self, script: Script, avatar: PreparedAvatar, scheduler: GenerationScheduler) -> None:
        self.script = script
        self.tally = Tally()
        self.frames_pushed = 0
        self.interrupt_s: float | None = None
        self._held = HeldForEver(avatar, self.tally)
        self._scheduler = scheduler
        self.actor: SessionActor | None = None

    @property
    def refused(self) -> bool:
        """An utterance of his was not spoken."""
        return bool(self.tally.errors)

    async def run(self, admission: Admission, connects_s: float) -> None:
        """From connect to the end of all his speech."""
        await asyncio.sleep(connects_s)
        held = self._held
        self.actor = SessionActor("user", self.tally, admission, held, held, self._scheduler, SessionLimits())
        running = asyncio.get_running_loop().create_task(self.actor.run())
        await asyncio.sleep(max(0.0, self.script.begins_s - connects_s))
        await self._speak(self.actor)
        self.actor.leave(CloseReason.CLIENT_REQUEST)
        await running

    async def _speak(self, actor: SessionActor) -> None:
        script, loop = self.script, asyncio.get_running_loop()
        for _ in range(script.utterances):
            chunks, begins_s = round(script.utterance_s / TICK_S), loop.time()
            for n in range(chunks):
                if not script.burst:
                    await asyncio.sleep(begins_s + n * TICK_S - loop.time())
                await actor.inbox.put(CHUNK)
                self.frames_pushed += 1
                if script.interrupts_after_s is not None and loop.time() - begins_s >= script.interrupts_after_s:
                    self.interrupt_s = loop.time()
                    await actor.inbox.put(Interrupt.model_validate({"type": "INTERRUPT"}))
                    break
            await actor.inbox.put(END)
            while actor.conversation.speech.current is not None or len(actor.inbox):
                await asyncio.sleep(TICK_S)
            await asyncio.sleep(script.pause_s)


def users_of(
    scripts: list[Script], scheduler: GenerationScheduler, avatars: list[PreparedAvatar], seed: int = 1
) -> list[tuple[User, float]]:
    """The users with the moments of their connects, which fall anywhere in a tick."""
    random = Random(seed)
    users = [User(script, avatar, scheduler) for script, avatar in zip(scripts, avatars, strict=True)]
    return [(user, random.random() * TICK_S) for user in users]
