"""One session on a stage of fakes, in virtual time; and the words a client says to it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from protocol.client_messages import ClientMessage
from protocol.codes import CloseCode, CloseReason
from protocol.timing import FRAME_MS, FRAME_SAMPLES
from protocol.wire import parse_text
from tests.fakes.avatars import FakeAvatars, FakeHeldAvatar
from tests.fakes.mouths import FakeMouths
from tests.fakes.sink import RecordingSink
from tests.fakes.video import FakeVideo, Shown
from tests.virtual_time import run_virtual
from ws_service.session.actor import SessionActor
from ws_service.session.admission import Admission
from ws_service.session.inbox import Incoming
from ws_service.session.init_answer import SessionLimits

USER = "anna"


class Stage:
    """`async with Stage() as stage:` opens a session and closes it at the end."""

    def __init__(
        self,
        mouths: FakeMouths | None = None,
        avatars: FakeAvatars | None = None,
        limits: SessionLimits | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.mouths = mouths or FakeMouths()
        self.avatars = avatars or FakeAvatars()
        self.admission = admission or Admission(max_sessions=10)
        self.sink = RecordingSink()
        self.actor = SessionActor(
            USER,
            self.sink,
            self.admission,
            self.avatars,
            self.avatars.default(),
            self.mouths,
            limits or SessionLimits(),
        )
        self.task: asyncio.Task[CloseCode] | None = None

    async def __aenter__(self) -> "Stage":
        self.task = asyncio.get_running_loop().create_task(self.actor.run())
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self.task is not None
        if not self.task.done():
            self.actor.leave(CloseReason.CLIENT_REQUEST, CloseCode.NORMAL)
        await self.task

    @property
    def held(self) -> FakeHeldAvatar:
        """The avatar that was acquired last."""
        return self.avatars.held[-1]

    @property
    def video(self) -> FakeVideo:
        return self.held.videos[-1]

    @property
    def shown(self) -> list[Shown]:
        """The pictures of all videos of this session, in order."""
        return [shown for held in self.avatars.held for video in held.videos for shown in video.shown]

    async def say(self, message: Incoming) -> None:
        await self.actor.inbox.put(message)

    async def ticks(self, count: int) -> None:
        """Let so many frames pass; half a tick off the grid, so that no message falls on a tick."""
        now_s, begin_s = asyncio.get_running_loop().time(), 1000.0
        done = round((now_s - begin_s - 0.02) * 25)
        await asyncio.sleep(begin_s + (done + count) / 25 + 0.02 - now_s)

    async def until_silent(self) -> None:
        """Until all speech has ended and the mouth is closed."""
        actor = self.actor
        await self.ticks(10)
        while len(actor.inbox) or actor.conversation.speech.current or self.video.shown[-1].mouth is not None:
            await self.ticks(5)

    async def speak(self, samples: int, chunk_samples: int = FRAME_SAMPLES, *, real_time: bool, **data: Any) -> None:
        """GENERATE `samples` samples of the ramp."""
        pcm = ramp(samples)
        for start in range(0, len(pcm), 2 * chunk_samples):
            await self.say(generate(pcm[start : start + 2 * chunk_samples], **data))
            if real_time:
                await asyncio.sleep(chunk_samples / 16_000)


def ramp(samples: int, start: int = 0) -> bytes:
    """s16le; sample k says k + 1, so that no sample is silence and every one tells its place."""
    return ((np.arange(start, start + samples) % 32_000) + 1).astype("<i2").tobytes()


def message(kind: str, session_id: str | None = None, **data: Any) -> ClientMessage:
    """A client's message, through the wire's own parser."""
    return parse_text(json.dumps({"type": kind, "session_id": session_id, "data": data}))


def generate(pcm: bytes, session_id: str | None = None, base_video: str | None = None, **data: Any) -> ClientMessage:
    """GENERATE."""
    data["audio_chunk"] = {"data": b64encode(pcm).decode(), "duration_ms": FRAME_MS, **data.pop("chunk", {})}
    if base_video is not None:
        data["video_state"] = {"type": "speaking", "base_video": base_video}
    return message("GENERATE", session_id, **data)


def init(session_id: str | None = None, **data: Any) -> ClientMessage:
    """INIT."""
    return message("INIT", session_id, **{"user_id": USER, **data})


def in_virtual_time(scene: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A scene as a test: a coroutine function, run in virtual time."""

    def test() -> None:
        run_virtual(scene())

    test.__name__ = scene.__name__
    return test


def samples_of(stage: Stage) -> list[list[int]]:
    """The samples that each generated picture shows, as its mouth has them."""
    mouths = [shown.mouth for shown, frame in zip(stage.shown, stage.sink.frames, strict=True) if frame.generated]
    return [mouth.samples.tolist() for mouth in mouths]
