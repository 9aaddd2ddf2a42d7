"""Conversations that run by themselves: one file spoken, or commands typed in.

Owns the order of things and the waits between them; prints through a function it is given. Must not import the service.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from protocol.timing import FRAME_MS
from test_client.audio_file import Speech
from test_client.client import AvatarClient, new_utterance_id
from test_client.errors import ClientError, ServerError
from test_client.observation import Observation

_SPEAK_ENDED_SLACK_S = 10.0
_DEFAULT_CHUNKS = 50
_QUIT = ("quit", "exit", "q")

HELP = (
    "init | generate [chunks of 40 ms] | state idle|speaking|action VIDEO | action INDEX or NAME | "
    "interrupt | help | quit"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Which server, and how to speak with it."""

    url: str
    user_id: str
    binary: bool = True
    token: str | None = None
    avatar_id: str | None = None
    audio_out: bool = False
    all_intra: bool = False

    def client(self) -> AvatarClient:
        """A client for one conversation."""
        return AvatarClient(
            self.url,
            self.user_id,
            binary=self.binary,
            token=self.token,
            avatar_id=self.avatar_id,
            audio_out=self.audio_out,
            all_intra=self.all_intra,
        )

    def observation(self) -> Observation:
        """What to watch it with. Its clock starts now."""
        return Observation(all_intra=self.all_intra, audio_out=self.audio_out)


async def speak_file(target: Target, speech: Speech, *, realtime: bool = True, lead_s: float = 1.0) -> Observation:
    """Connects, waits for `lead_s`, speaks, waits for the end and as long again, closes.

    Raises:
        ClientError: the connection was refused. What broke it later is in the observation's `failure`.
    """
    observation = target.observation()
    client = target.client()
    async with observation.of(client):
        await client.init()
        await asyncio.sleep(lead_s)
        await say(client, observation, speech, realtime=realtime)
        await asyncio.sleep(lead_s)
    return observation


async def say(client: AvatarClient, observation: Observation, speech: Speech, *, realtime: bool = True) -> None:
    """One utterance, from its first chunk to its SPEAK_ENDED."""
    utterance_id = new_utterance_id()
    observation.speech_begins(speech, utterance_id)
    observation.statistics.speech_sent(time.monotonic())  # before, not after: speech may be cut off while it is sent
    await client.speak(speech.pcm, speech.sample_rate, speech.channels, realtime=realtime, utterance_id=utterance_id)
    await client.speak_end()
    left_s = 0.0 if realtime else speech.duration_s
    await observation.speak_ended(utterance_id, left_s + _SPEAK_ENDED_SLACK_S)


class TypedConversation:
    """Obeys typed commands (`HELP`) while all events are watched. `tell` gets what a person should read."""

    def __init__(self, target: Target, speech: Speech, tell: Callable[[str], None]) -> None:
        self._target = target
        self._speech = speech
        self._tell = tell
        self._client = target.client()
        self._observation = target.observation()
        self._speaking: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def run(self, commands: AsyncIterator[str]) -> Observation:
        """Until `quit`, the end of the commands or of the conversation.

        Raises:
            ClientError: the connection was refused. What broke it later is in the observation's `failure`.
        """
        async with self._observation.of(self._client) as watching:
            self._tell(HELP)
            while (line := await _next(commands, watching)) is not None:
                words = line.split()
                if words and words[0] in _QUIT:
                    break
                if words:
                    self._tell(await self._obey(words))
            self._stop_speaking()
        self._stop_speaking()
        return self._observation

    async def _obey(self, words: list[str]) -> str:
        try:
            match words:
                case ["init"]:
                    self._stop_speaking()
                    self._observation.rules.speech.init_sent()
                    reply = (await self._client.init()).data
                    return f"session {self._client.session_id}, videos {', '.join(reply.available_videos)}"
                case ["generate"]:
                    return self._generate(_DEFAULT_CHUNKS)
                case ["generate", count] if count.isdecimal() and int(count) > 0:
                    return self._generate(int(count))
                case ["state", ("idle" | "speaking" | "action") as state, base_video]:
                    changed = (await self._client.set_state(state, base_video)).data
                    return f"now {changed.current_state}, {changed.current_video}"
                case ["action", index] if index.isdecimal():
                    await self._client.action(int(index))
                    return f"action {index} begins"
                case ["action", name]:
                    await self._client.action_by_name(name)
                    return f"asked for {name}"
                case ["interrupt"]:
                    return await self._interrupt()
        except ServerError as error:
            return str(error)
        return HELP

    def _generate(self, chunk_count: int) -> str:
        piece = _beginning(self._speech, chunk_count)
        task = asyncio.create_task(self._say(piece))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)
        return f"speaking for {piece.duration_s:.2f} s"

    async def _say(self, piece: Speech) -> None:
        with suppress(ClientError):  # a broken connection is told by the watcher
            async with self._one_at_a_time:
                await say(self._client, self._observation, piece)

    async def _interrupt(self) -> str:
        self._stop_speaking()
        began_s = time.monotonic()
        self._observation.rules.speech.interrupt_sent()
        self._observation.statistics.interrupt_sent(began_s)
        position_ms = await self._client.interrupt()
        return f"cut at {position_ms} ms, {(time.monotonic() - began_s) * 1000:.0f} ms after the command"

    def _stop_speaking(self) -> None:
        for task in self._speaking:
            task.cancel()


async def _next(commands: AsyncIterator[str], watching: asyncio.Task[None]) -> str | None:
    """The next command; None after the last one, or when the conversation is over."""

    async def take() -> str | None:
        return await anext(commands, None)

    command = asyncio.create_task(take())
    await asyncio.wait({command, watching}, return_when=asyncio.FIRST_COMPLETED)
    if command.done():
        return command.result()
    command.cancel()
    return None


def _beginning(speech: Speech, chunk_count: int) -> Speech:
    """The first chunks of 40 ms; from the beginning again where the sound is shorter."""
    size_bytes = speech.sample_rate * FRAME_MS // 1000 * 2 * speech.channels * chunk_count
    repeats = -(-size_bytes // len(speech.pcm))
    return Speech((speech.pcm * repeats)[:size_bytes], speech.sample_rate, speech.channels)
