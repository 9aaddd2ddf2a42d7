"""Simulated users in one process: who they are, when they come, what they say.

A message costs its user one header read and three array appends; no video is decoded. Owns its connections and its
own lateness probe. Must not import the service.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from protocol import client_messages as say
from protocol.binary import HEADER, HEADER_BYTES, AudioUpload, MediaFlag, MediaKind
from test_client.audio_file import Speech, resample
from test_client.connection import closing_error, open_socket
from test_client.errors import ClientError
from test_client.events import ControlEvent, VideoEvent, decode
from test_client.load_figures import LoadFigures, UserRecord, load_figures
from test_client.speech_upload import CHUNK_MS, Pace, chunks
from test_client.statistics import Distribution, StreamStatistics

_RAMP_S_PER_USER = 0.02
_MAX_RAMP_S = 15.0
_SETTLE_S = 1.0  # between the last connect and the time that counts
_PAUSE_S = 1.0  # of a speaking user between utterances
_UTTERANCE_TIMEOUT_S = 10.0
_PROBE_S = 0.01
_TAIL_CHARS = 300  # the fields of a text VIDEO_FRAME that are not video
_KEYFRAME, _GENERATED, _VIDEO = int(MediaFlag.KEYFRAME), int(MediaFlag.GENERATED), int(MediaKind.VIDEO)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to run. `speech` is what speaking users say, again and again, each beginning at another time."""

    url: str
    idle: int
    speaking: int
    seconds: float
    speech: Speech
    binary: bool = True
    token: str | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The figures, and what a picture of them needs."""

    figures: LoadFigures
    records: list[UserRecord]
    from_s: float
    until_s: float


def run_load(plan: LoadPlan) -> LoadResult:
    """Runs the plan on an event loop of its own (uvloop where there is one)."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(run_plan(plan))


class LoadUser:
    """One simulated user and what it saw."""

    def __init__(self, name: str, speaks: bool, plan: LoadPlan, messages: Sequence[str | bytes]) -> None:
        self.record = UserRecord(speaks, StreamStatistics())
        self.connected = asyncio.Event()  # or refused
        self._name = name
        self._plan = plan
        self._messages = messages
        self._speak_ended = asyncio.Event()

    async def run(self, wait_s: float) -> None:
        """Comes after `wait_s`, stays until cancelled; a failure is noted in `record`."""
        await asyncio.sleep(wait_s)
        self.record.statistics = StreamStatistics(connect_began_s=time.monotonic())
        socket: ClientConnection | None = None
        speaker: asyncio.Task[None] | None = None
        try:
            socket = await open_socket(
                self._plan.url, self._name, binary=self._plan.binary, token=self._plan.token, open_timeout_s=30.0
            )
            init = say.Init(data=say.InitData(user_id=self._name, auth_token=self._plan.token))
            await socket.send(init.model_dump_json(exclude_none=True))
            self.connected.set()
            if self.record.speaks:
                speaker = asyncio.create_task(self._speak(socket))
            await self._read(socket)
        except ConnectionClosed as closed:
            self.record.failure = str(closing_error(closed) or "The server closed the conversation.")
        except ClientError as error:
            self.record.failure = str(error).replace(self._name, "USER")
        finally:
            self.connected.set()
            if speaker is not None:
                speaker.cancel()
            if socket is not None:
                await socket.close()

    async def _read(self, socket: ClientConnection) -> None:
        take = self.record.statistics.frame
        unpack = HEADER.unpack_from
        while True:
            raw = await socket.recv()
            now_s = time.monotonic()
            if isinstance(raw, bytes):
                kind, flags, _, _, timestamp_ms, _ = unpack(raw)
                if kind == _VIDEO:
                    generated, keyframe = bool(flags & _GENERATED), bool(flags & _KEYFRAME)
                    take(now_s, timestamp_ms, generated, keyframe, len(raw) - HEADER_BYTES)
            elif not _take_text_frame(raw, now_s, take):
                event = decode(raw, now_s)
                if isinstance(event, VideoEvent):
                    self.record.statistics.video(event)
                elif isinstance(event, ControlEvent) and event.message.type == "SPEAK_ENDED":
                    self._speak_ended.set()

    async def _speak(self, socket: ClientConnection) -> None:
        """Says the speech, waits for its end, pauses, and again. Ends quietly with the socket: the reader reports."""
        end = say.SpeakEnd().model_dump_json(exclude_none=True)
        with suppress(ConnectionClosed):
            while True:
                pace = Pace(CHUNK_MS / 1000)
                self._speak_ended.clear()
                for index, message in enumerate(self._messages):
                    await pace.next()
                    if index == 0:
                        self.record.statistics.speech_sent(time.monotonic())
                    await socket.send(message)
                await socket.send(end)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._speak_ended.wait(), _UTTERANCE_TIMEOUT_S)
                await asyncio.sleep(_PAUSE_S)


async def run_plan(plan: LoadPlan) -> LoadResult:
    """Runs the plan on the running event loop."""
    messages = await _speech_messages(plan)
    total = plan.idle + plan.speaking
    users = [
        # speaking users come between the idle ones, not all at the end
        LoadUser(
            f"load-{index}", index * plan.speaking // total != (index + 1) * plan.speaking // total, plan, messages
        )
        for index in range(total)
    ]
    ramp_s = min(total * _RAMP_S_PER_USER, _MAX_RAMP_S)
    tasks = [asyncio.create_task(user.run(ramp_s * index / total)) for index, user in enumerate(users)]
    late_s: list[float] = []
    probe: asyncio.Task[None] | None = None
    try:
        for user in users:
            await user.connected.wait()
        await asyncio.sleep(_SETTLE_S)
        probe = asyncio.create_task(_measure_lateness(late_s))
        from_s, cpu_began_s = time.monotonic(), time.process_time()
        await asyncio.wait(tasks, timeout=plan.seconds)
        until_s = time.monotonic()
        cpu_share = (time.process_time() - cpu_began_s) / (until_s - from_s)
    finally:
        if probe is not None:
            probe.cancel()
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):  # a fault of this program, not of the server
            raise outcome
    records = [user.record for user in users]
    figures = load_figures(records, from_s, until_s, cpu_share, Distribution.of_seconds(late_s))
    return LoadResult(figures, records, from_s, until_s)


async def _speech_messages(plan: LoadPlan) -> list[str | bytes]:
    """The speech as ready messages, made once for all users."""
    speech = resample(plan.speech)
    messages: list[str | bytes] = []
    async for chunk in chunks(speech.pcm, speech.sample_rate, 1):
        if plan.binary:
            messages.append(AudioUpload(chunk).pack())
        else:
            generate = say.Generate(data=say.GenerateData(audio_chunk=say.AudioChunk(data=chunk)))
            messages.append(generate.model_dump_json(exclude_none=True))
    return messages


def _take_text_frame(raw: str, now_s: float, take: Callable[[float, int, bool, bool, int], None]) -> bool:
    """Reads a text VIDEO_FRAME by its tail, without parsing its base64. False: it is not laid out that way."""
    tail = raw[-_TAIL_CHARS:]
    label = '"frame_timestamp":'
    at = tail.find(label)
    if at < 0 or '"AUDIO_FRAME"' in raw[:200]:
        return False
    digits = tail[at + len(label) :].lstrip()
    end = next((index for index, char in enumerate(digits) if not char.isdigit()), len(digits))
    if not end:
        return False
    compact = tail.replace(" ", "")
    # base64 has four characters for three bytes
    size_bytes = len(raw) * 3 // 4
    take(now_s, int(digits[:end]), '"generated":true' in compact, '"keyframe":true' in compact, size_bytes)
    return True


async def _measure_lateness(late_s: list[float]) -> None:
    while True:
        began_s = time.monotonic()
        await asyncio.sleep(_PROBE_S)
        late_s.append(time.monotonic() - began_s - _PROBE_S)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
