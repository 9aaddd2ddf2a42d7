"""What a session needs from the world, as protocols; the composition root injects what fulfils them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from models.interface import Mouth, SpeechFrame, Voice
from models.prepared_avatar import PreparedAvatar
from protocol.server_messages import ServerMessage
from ws_service.generation.request import PendingMouth
from ws_service.session.timeline import BaseTick, State
from ws_service.video.packet import Packet


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One encoded picture and what the wire says. `audio_ms`: None outside speech; `progress`: outside an action."""

    packet: Packet
    timestamp_ms: int
    state: State
    generated: bool
    audio_ms: int | None = None
    progress: float | None = None
    as_action_frame: bool = False  # a 1.0 client asked for this action: its frames are ACTION_FRAME


class PacketSink(Protocol):
    """Where a session's output goes. Never blocks: what is too much for the reader is the sink's to drop."""

    def frame(self, session_id: str, frame: SentFrame) -> None:
        """One frame of video."""
        ...

    def sound(self, session_id: str, pcm: bytes, audio_ms: int, timestamp_ms: int) -> None:
        """The 640 samples (s16le) that the next frame shows."""
        ...

    def event(self, message: ServerMessage) -> None:
        """A control message."""
        ...

    def ping(self) -> None:
        """The application's own PING."""
        ...


class VideoSource(Protocol):
    """One session's H.264: the shared loop where that is possible, its own encoder otherwise."""

    @property
    def codec(self) -> str:
        """RFC 6381 codec string, read from the SPS."""
        ...

    def shared(self, base: BaseTick) -> Packet | None:
        """The loop's packet for an untouched base picture; None when the stream needs the encoder here."""
        ...

    async def encode(self, base: BaseTick, mouth: Mouth | None, weight: float) -> Packet:
        """Paint, encode. Raises `MouthLost`, or `ProcessingFailed` when there is no picture at all."""
        ...

    def close(self) -> None:
        """Give back the encoder."""
        ...


class Place(Protocol):
    """One of the places for sessions that speak."""

    def generates(self, deadline_s: float) -> bool:
        """The frame of this tick is to be generated; False: it is to show the mouth before it."""
        ...

    def leave(self) -> None:
        """Give it up."""
        ...


class MouthSource(Protocol):
    """Frames of speech in, mouths out (the generation scheduler)."""

    future_samples: int
    past_samples: int
    whole_utterances: bool

    @property
    def turn_s(self) -> float:
        """How long a mouth may take, from the request on, as many as speak now."""
        ...

    def new_voice(self) -> Voice:
        """The engine's memory of a new utterance."""
        ...

    def new_speaker(self, *, asked_before: bool = False) -> Place:
        """A place for a session that begins to speak. `asked_before`: for the same speech. Raises `SpeakersFull`."""
        ...

    def submit(self, frame: SpeechFrame, deadline_s: float) -> PendingMouth:
        """Ask for a mouth by `deadline_s`. Cancel the future to drop it. It may fail with `ProcessingFailed`."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Name and figures of the engine."""
        ...


class LoadedAvatar(Protocol):
    """An avatar in memory, held until released."""

    @property
    def avatar(self) -> PreparedAvatar:
        """Its pictures and landmarks."""
        ...

    def open_video(self) -> VideoSource:
        """A new session's video of this avatar."""
        ...

    def release(self) -> None:
        """This session no longer uses it."""
        ...


class AvatarProvider(Protocol):
    """Avatars by name."""

    async def acquire(self, name: str, *, strict: bool, all_intra: bool) -> LoadedAvatar:
        """The avatar of this name, loaded when it is not in memory.

        An unknown name gives the default avatar, or `AvatarNotFound` when `strict` or when the service requires one.
        """
        ...
