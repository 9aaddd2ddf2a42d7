"""A small server that keeps the protocol: real sockets, real x264, no face. For tests of the client alone.

A grey picture drifts; while it speaks, a box is as bright as its 40 ms of sound are loud, so that a recording can be
checked sample by frame. `tick_s` may be shortened: stream time stays 40 ms a frame, only the waiting is less.
"""

import asyncio
from base64 import b64encode
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import uuid4

import av
import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from protocol import client_messages as said
from protocol import server_messages as say
from protocol.binary import AudioUpload, MediaFlag, MediaHeader, MediaKind
from protocol.codes import CloseCode, CloseReason, ErrorCode
from protocol.timing import BINARY_SUBPROTOCOL, FRAME_BYTES, FRAME_MS, GOP_FRAMES, SAMPLE_RATE_HZ
from protocol.wire import ProtocolViolation, parse_binary, parse_text

VIDEOS = ["idle_0", "speaking_0", "action_1", "action_2"]
AVATARS = ("anna", "bert")
MOUTH = (slice(300, 360), slice(200, 312))  # rows, columns of the box
ACTION_FRAMES = 10
_DRY_TICKS = 9  # 350 ms


class AvatarServer:
    """`async with AvatarServer() as server:` serves `server.url`. Beyond `max_sessions` it refuses with 4429."""

    def __init__(self, *, tick_s: float = 0.004, max_sessions: int = 100, max_queued_bytes: int = 1 << 22) -> None:
        self.url = ""
        self.tick_s = tick_s
        self.max_queued_bytes = max_queued_bytes
        self.received: list[said.ClientMessage | AudioUpload] = []
        self._max_sessions = max_sessions
        self._open: set[ServerConnection] = set()
        self._server: Server | None = None

    async def __aenter__(self) -> "AvatarServer":
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol(BINARY_SUBPROTOCOL)],
            select_subprotocol=lambda _, offered: BINARY_SUBPROTOCOL if BINARY_SUBPROTOCOL in offered else None,
            compression=None,
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def drop_all(self) -> None:
        """Breaks every connection, as a network does."""
        for socket in self._open:
            socket.transport.abort()

    async def shut_down(self) -> None:
        """Says goodbye to everybody."""
        ack = say.CloseAckData(reason=CloseReason.SERVER_SHUTDOWN)
        await self.shout(say.CloseAck(session_id=str(uuid4()), data=ack).to_json())
        for socket in list(self._open):
            await socket.close(1001)

    async def shout(self, text: str) -> None:
        """Says something to everybody, of the protocol or not."""
        for socket in self._open:
            await socket.send(text)

    async def _serve(self, socket: ServerConnection) -> None:
        conversation = _Conversation(socket, self)
        with suppress(ConnectionClosed):
            if len(self._open) >= self._max_sessions:
                await conversation.error(ErrorCode.SERVICE_NOT_READY, "All places are taken.")
                await socket.close(CloseCode.AT_CAPACITY, "at capacity")
                return
            self._open.add(socket)
            ticking = asyncio.create_task(conversation.tick_for_ever())
            try:
                await conversation.obey()
            finally:
                self._open.discard(socket)
                ticking.cancel()


@dataclass
class _Utterance:
    utterance_id: str
    pcm: bytearray = field(default_factory=bytearray)
    frames: int = 0
    ended: bool = False
    dry_ticks: int = 0


class _Conversation:
    def __init__(self, socket: ServerConnection, server: AvatarServer) -> None:
        self._socket = socket
        self._server = server
        self._binary = socket.subprotocol == BINARY_SUBPROTOCOL
        self._session_id = str(uuid4())
        self._utterances: deque[_Utterance] = deque()
        self._frames = self._media = self._since_idr = 0
        self._all_intra = self._audio_out = False
        self._action_left = 0
        self._action_by_name = False
        self._encoder = open_encoder()
        self._lock = asyncio.Lock()  # a message never falls into the middle of a tick

    async def obey(self) -> None:
        async for raw in self._socket:
            try:
                message = parse_binary(raw) if isinstance(raw, bytes) else parse_text(raw)
            except ProtocolViolation as violation:
                await self.error(violation.code, violation.message, violation.details)
                continue
            self._server.received.append(message)
            if isinstance(message, said.Close):
                ack = say.CloseAckData(reason=CloseReason.CLIENT_REQUEST)
                await self._say(say.CloseAck(session_id=self._session_id, data=ack))
                return
            async with self._lock:
                await self._do(message)

    async def tick_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        with suppress(ConnectionClosed):
            while True:
                async with self._lock:
                    await self._tick()
                due_s = max(due_s + self._server.tick_s, loop.time())
                await asyncio.sleep(due_s - loop.time())

    async def error(self, code: ErrorCode, message: str, details: dict[str, object] | None = None) -> None:
        data = say.ErrorData(code=code, message=message, details=details or {})
        await self._say(say.ErrorMessage(session_id=self._session_id, data=data))

    async def _do(self, message: said.ClientMessage | AudioUpload) -> None:
        here = {"session_id": self._session_id}
        match message:
            case said.Init(data=data) if data.avatar_id not in (None, *AVATARS):
                await self.error(ErrorCode.MODEL_NOT_FOUND, f"There is no avatar named {data.avatar_id!r}")
            case said.Init(session_id=wanted, data=data):
                self._session_id = wanted or self._session_id
                self._all_intra, self._audio_out = data.video_config.all_intra, data.audio_out
                answer = say.InitSuccessData(
                    model_loaded=True, available_videos=VIDEOS, default_video=VIDEOS[0], codec="avc1.42C01E"
                )
                await self._say(say.InitSuccess(session_id=self._session_id, data=answer))
            case said.Generate(data=data):
                chunk = data.audio_chunk
                await self._hear(chunk.data, chunk.sample_rate, chunk.channels, data.utterance_id)
            case AudioUpload():
                await self._hear(message.pcm, message.sample_rate, message.channels, None)
            case said.SpeakEnd():
                if self._utterances:
                    self._utterances[-1].ended = True
            case said.StateChange(data=data):
                if data.base_video not in VIDEOS:
                    await self.error(ErrorCode.INVALID_MESSAGE, f"There is no video {data.base_video}.")
                    return
                changed = say.StateChangedData(current_state=data.target_state, current_video=data.base_video)
                await self._say(say.StateChanged(**here, data=changed))
            case said.Action(data=data):
                await self._act(data)
            case said.Interrupt():
                await self._interrupt()

    async def _act(self, data: said.ActionData) -> None:
        if self._action_left:
            await self.error(ErrorCode.INVALID_MESSAGE, "Action already in progress")
        elif data.action_index is not None and not 1 <= data.action_index <= 2:
            await self.error(ErrorCode.INVALID_MESSAGE, f"There is no action {data.action_index}; there are 1 to 2.")
        else:
            self._action_left, self._action_by_name = ACTION_FRAMES, data.action_index is None
            if data.action_index is not None:
                triggered = say.ActionTriggeredData(action_index=data.action_index)
                await self._say(say.ActionTriggered(session_id=self._session_id, data=triggered))

    async def _hear(self, pcm: bytes, sample_rate: int, channels: int, utterance_id: str | None) -> None:
        if sum(len(one.pcm) for one in self._utterances) + len(pcm) > self._server.max_queued_bytes:
            await self.error(ErrorCode.RATE_LIMIT_EXCEEDED, "Too much speech.", {"taken": 0, "refused": len(pcm)})
            return
        if not self._utterances or self._utterances[-1].ended:
            self._utterances.append(_Utterance(utterance_id or str(uuid4())))
        samples = np.frombuffer(pcm, "<i2").reshape(-1, channels)[:, 0]
        # nearest sample: the tests of this server listen for loudness only
        at = np.arange(round(samples.size * SAMPLE_RATE_HZ / sample_rate)) * sample_rate // SAMPLE_RATE_HZ
        self._utterances[-1].pcm += samples[at].tobytes()

    async def _interrupt(self) -> None:
        position_ms = 0
        if self._utterances and self._utterances[0].frames:
            position_ms = self._utterances[0].frames * FRAME_MS
            await self._end(self._utterances[0], interrupted=True)
        self._utterances.clear()
        answer = say.InterruptedData(position_ms=position_ms)
        await self._say(say.Interrupted(session_id=self._session_id, data=answer))

    async def _end(self, utterance: _Utterance, *, interrupted: bool) -> None:
        data = say.SpeakEndedData(
            utterance_id=utterance.utterance_id, position_ms=utterance.frames * FRAME_MS, interrupted=interrupted
        )
        await self._say(say.SpeakEnded(session_id=self._session_id, data=data))

    async def _tick(self) -> None:
        utterance = self._utterances[0] if self._utterances else None
        sound = b""
        if utterance is not None and (len(utterance.pcm) >= FRAME_BYTES or (utterance.ended and utterance.pcm)):
            sound = bytes(utterance.pcm[:FRAME_BYTES]).ljust(FRAME_BYTES, b"\0")
            del utterance.pcm[:FRAME_BYTES]
            utterance.dry_ticks = 0
            if not utterance.frames:
                started = say.SpeakStartedData(utterance_id=utterance.utterance_id)
                await self._say(say.SpeakStarted(session_id=self._session_id, data=started))
        await self._send_picture(sound, utterance)
        if utterance is None:
            return
        if sound:
            utterance.frames += 1
        else:
            utterance.dry_ticks += 1
        if not utterance.pcm and (utterance.ended or utterance.dry_ticks >= _DRY_TICKS):
            self._utterances.popleft()
            await self._end(utterance, interrupted=False)

    async def _send_picture(self, sound: bytes, utterance: _Utterance | None) -> None:
        timestamp_ms = self._frames * FRAME_MS
        audio_ms = utterance.frames * FRAME_MS if sound and utterance else None
        keyframe = self._all_intra or self._since_idr % GOP_FRAMES == 0
        picture = _picture(self._frames, sound)
        picture.pict_type = av.video.frame.PictureType.I if keyframe else av.video.frame.PictureType.NONE
        packet = bytes(self._encoder.encode(picture)[0])
        progress: float | None = None
        if self._action_left:
            progress = 1 - (self._action_left - 1) / ACTION_FRAMES
            self._action_left -= 1
        progress = progress if self._action_by_name else None
        self._since_idr = 1 if keyframe else self._since_idr + 1
        self._frames += 1
        if sound and self._audio_out and audio_ms is not None:
            await self._send_sound(sound, audio_ms, timestamp_ms)
        if self._binary:
            flags = MediaFlag.KEYFRAME * keyframe | MediaFlag.GENERATED * bool(sound)
            flags |= MediaFlag.ACTION * (progress is not None)
            header = MediaHeader(MediaKind.VIDEO, flags, progress or 0.0, self._media, timestamp_ms, audio_ms)
            self._media += 1
            await self._socket.send(header.pack() + packet)
            return
        text = say.video_frame_json(
            self._session_id, b64encode(packet).decode(), timestamp_ms, keyframe=keyframe, generated=bool(sound),
            state="speaking" if sound else "idle", audio_ms=audio_ms, action_progress=progress,
        )  # fmt: skip
        await self._socket.send(text)

    async def _send_sound(self, sound: bytes, audio_ms: int, timestamp_ms: int) -> None:
        if self._binary:
            header = MediaHeader(MediaKind.AUDIO, MediaFlag.NONE, 0.0, self._media, timestamp_ms, audio_ms)
            self._media += 1
            await self._socket.send(header.pack() + sound)
        else:
            data = say.AudioFrameData(data=sound, audio_ms=audio_ms, frame_timestamp=timestamp_ms)
            await self._say(say.AudioFrame(session_id=self._session_id, data=data))

    async def _say(self, message: say.ServerMessage) -> None:
        await self._socket.send(message.to_json())


def open_encoder() -> av.VideoCodecContext:
    """x264 as the protocol wants it: baseline, zerolatency, Annex B, SPS and PPS in each IDR."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = 512
    encoder.pix_fmt = "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "28", "forced-idr": "1",
        "x264-params": "keyint=25:min-keyint=1:scenecut=0:repeat-headers=1:annexb=1:sliced-threads=0",
    }  # fmt: skip
    return encoder


def _picture(index: int, sound: bytes) -> av.VideoFrame:
    planes = np.full((768, 512), 128, np.uint8)
    planes[:512] = 60 + (index * 2) % 40
    if sound:
        loudness = np.abs(np.frombuffer(sound, "<i2").astype(np.float64)).mean()
        planes[:512][MOUTH] = min(loudness / 32, 255)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts = index
    return frame
