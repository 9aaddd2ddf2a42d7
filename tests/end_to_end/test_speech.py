"""Speech in, generated frames out: counts, events, order, and what real clients do wrong."""

import asyncio
import base64
import random
from collections.abc import Callable
from math import ceil
from uuid import uuid4

import numpy as np

from tests.end_to_end.conversation import Conversation, Received

Talk = Callable[..., Conversation]


def babble(samples: int, seed: int = 0) -> bytes:
    """Speech-like PCM: a voiced buzz whose level follows syllables."""
    t = np.arange(samples) / 16000
    buzz = sum(np.sin(2 * np.pi * 120 * k * t + k * seed) / k for k in range(1, 20))
    wave = buzz * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t)) * 0.15
    return (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()


def audio_positions(frames: list[Received]) -> list[int]:
    return [f.data["audio_ms"] for f in frames]


async def assert_any_cutting_gives_all_frames(talk: Talk, lengths: tuple[int, ...]) -> None:
    """Utterances of so many samples, each cut at random places."""
    rng = random.Random(4)
    for samples in lengths:
        pcm = babble(samples)
        async with talk() as c:
            at = 0
            while at < len(pcm):
                size = rng.choice([1, 3, 640, 1280, 2048, 5000])
                await c.generate(pcm[at : at + size])
                at += size
            await c.say("SPEAK_END")
            await c.next("SPEAK_ENDED")
        assert len(c.generated) == ceil(samples / 640)
        assert audio_positions(c.generated) == [40 * n for n in range(len(c.generated))]


async def test_any_cutting_gives_ceil_n_over_640_frames(talk: Talk) -> None:
    await assert_any_cutting_gives_all_frames(talk, (1, 640, 641, 6400, 15999))


async def test_events_stand_around_the_first_and_last_generated_frame(talk: Talk) -> None:
    wanted = "greeting-1"
    async with talk() as c:
        await c.generate(babble(6400), utterance_id=wanted)
        await c.say("SPEAK_END")
        ended = await c.next("SPEAK_ENDED")
        await c.frames_more(2)
    started = c.of("SPEAK_STARTED")
    assert [s.data["utterance_id"] for s in started] == [wanted]
    assert ended.data == {"utterance_id": wanted, "position_ms": 400, "interrupted": False}
    order = [r for r in c.received if r.type.startswith("SPEAK_") or r.data.get("generated")]
    assert [r.type for r in order] == ["SPEAK_STARTED", *["VIDEO_FRAME"] * 10, "SPEAK_ENDED"]


async def test_silence_of_the_client_ends_the_utterance_without_speak_end(talk: Talk) -> None:
    async with talk() as c:
        await c.generate(babble(1600))
        ended = await c.next("SPEAK_ENDED")
        minted = c.of("SPEAK_STARTED")[0].data["utterance_id"]
    assert len(c.generated) == 3
    assert ended.data["position_ms"] == 120
    assert minted == ended.data["utterance_id"]


async def test_a_burst_is_played_at_25_fps_from_the_first_chunk(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(3)
        for _ in range(4):
            await c.generate(babble(16000))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
    assert len(c.generated) == 100
    first, last = c.generated[0], c.generated[-1]
    assert last.at_s - first.at_s > 99 * 0.04 * 0.9, "not faster than real time"
    assert last.data["frame_timestamp"] - first.data["frame_timestamp"] >= 99 * 40


async def test_audio_slower_than_real_time_holds_a_closed_mouth_and_keeps_the_clock(talk: Talk) -> None:
    async with talk() as c:
        for _ in range(6):
            await c.generate(babble(640))
            await asyncio.sleep(0.1)
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
    assert len(c.generated) == 6
    assert len(c.of("SPEAK_STARTED")) == len(c.of("SPEAK_ENDED")) == 1
    assert audio_positions(c.generated) == [0, 40, 80, 120, 160, 200]
    timestamps = [f.data["frame_timestamp"] for f in c.frames]
    assert timestamps == [40 * n for n in range(len(timestamps))]


async def test_past_the_bound_the_answer_says_what_was_taken(talk: Talk) -> None:
    async with talk() as c:
        second = bytes(32000)
        for _ in range(62):
            await c.generate(second)
        error = await c.next("ERROR")
        await c.say("INTERRUPT")
        await c.next("INTERRUPTED")
    assert error.data["code"] == "RATE_LIMIT_EXCEEDED"
    assert error.data["details"]["bytes_taken"] + error.data["details"]["bytes_refused"] == len(second)


async def test_a_second_utterance_waits_for_the_first(talk: Talk) -> None:
    async with talk() as c:
        await c.generate(babble(6400), utterance_id="a")
        await c.say("SPEAK_END")
        await c.generate(babble(3200), utterance_id="b")
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED", 2)
    events = [(r.type, r.data["utterance_id"]) for r in c.of("SPEAK_STARTED", "SPEAK_ENDED")]
    assert events == [("SPEAK_STARTED", "a"), ("SPEAK_ENDED", "a"), ("SPEAK_STARTED", "b"), ("SPEAK_ENDED", "b")]
    assert audio_positions(c.generated) == [*range(0, 400, 40), *range(0, 200, 40)]


async def test_audio_out_gives_each_generated_frame_its_own_sound(talk: Talk) -> None:
    pcm = babble(6500)
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester", "audio_out": True})
        await c.next("INIT_SUCCESS")
        await c.generate(pcm)
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
    sounds = c.of("AUDIO_FRAME")
    assert b"".join(base64.b64decode(s.data["data"]) for s in sounds) == pcm.ljust(11 * 1280, b"\0")
    media = [r for r in c.received if r.type == "AUDIO_FRAME" or r.data.get("generated")]
    for sound, frame in zip(media[::2], media[1::2], strict=True):
        assert (sound.type, frame.type) == ("AUDIO_FRAME", "VIDEO_FRAME")
        assert sound.data["frame_timestamp"] == frame.data["frame_timestamp"]
        assert sound.data["audio_ms"] == frame.data["audio_ms"]


async def test_other_rates_and_stereo_are_resampled(talk: Talk) -> None:
    for rate, channels in ((8000, 1), (24000, 1), (48000, 2)):
        chunk = {
            "format": "pcm_s16le",
            "sample_rate": rate,
            "channels": channels,
            "data": base64.b64encode(bytes(rate * channels)).decode(),
        }
        async with talk() as c:
            await c.say("GENERATE", {"audio_chunk": chunk})
            await c.say("SPEAK_END")
            await c.next("SPEAK_ENDED")
        assert len(c.generated) == 13, "half a second is 12.5 frames"


async def test_interrupt_stops_at_once_and_says_where(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INTERRUPT")
        assert (await c.next("INTERRUPTED")).data == {"position_ms": 0}
        await c.generate(babble(160000), utterance_id="long")
        await c.until(lambda: len(c.generated) >= 6)
        await c.say("FLUSH")
        answer = await c.next("INTERRUPTED", 2)
        at = len(c.received)
        count = len(c.generated)
        await c.frames_more(30)
        await c.say("INTERRUPT")
        assert (await c.next("INTERRUPTED", 3)).data == {"position_ms": 0}
    assert answer.data == {"position_ms": 40 * count}
    assert len(c.generated) == count, "no generated frame after the answer"
    ended = c.of("SPEAK_ENDED")
    assert [e.data for e in ended] == [{"utterance_id": "long", "position_ms": 40 * count, "interrupted": True}]
    assert c.received.index(ended[0]) < at
    assert not [r for r in c.received[at:] if r.type == "SPEAK_STARTED"]


async def test_speech_works_again_after_an_interrupt(talk: Talk) -> None:
    async with talk() as c:
        await c.generate(babble(160000), utterance_id="one")
        await c.until(lambda: len(c.generated) >= 5)
        await c.say("INTERRUPT")
        await c.next("INTERRUPTED")
        before = len(c.generated)
        await c.generate(babble(3200), utterance_id="two")
        await c.say("SPEAK_END")
        await c.until(lambda: len(c.of("SPEAK_ENDED")) == 2)
    assert audio_positions(c.generated[before:]) == [0, 40, 80, 120, 160]


async def test_binary_upload_and_end_of_utterance(talk: Talk) -> None:
    import struct

    async with talk() as c:
        header = struct.pack("<BBHIQI", 16, 1, 1, 16000, 0, 0)
        await c.socket.send(header + babble(3200))
        await c.next("SPEAK_ENDED")
    assert len(c.generated) == 5


async def assert_two_sessions_speak(talk: Talk, frames: tuple[int, int]) -> None:
    """At once, each so many frames."""
    async with talk("a") as a, talk("b") as b:
        for c, count in zip((a, b), frames, strict=True):
            await c.generate(babble(640 * count), utterance_id=str(uuid4()))
        for c in (a, b):
            await c.say("SPEAK_END")
        for c in (a, b):
            await c.next("SPEAK_ENDED")
    assert (len(a.generated), len(b.generated)) == frames


async def test_two_sessions_speak_without_disturbing_each_other(talk: Talk) -> None:
    await assert_two_sessions_speak(talk, (25, 15))
