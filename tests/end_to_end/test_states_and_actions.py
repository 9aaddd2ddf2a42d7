"""Base videos, both dialects of ACTION, and the stream through all of it."""

from collections.abc import Callable

import numpy as np

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.test_speech import babble

Talk = Callable[..., Conversation]


async def test_state_change_is_answered_at_once_and_shown(talk: Talk) -> None:
    async with talk() as c:
        await c.say("STATE_CHANGE", {"target_state": "speaking", "base_video": "speaking_0"})
        answer = await c.next("STATE_CHANGED")
        await c.frames_more(30)
        await c.say("STATE_CHANGE", {"target_state": "idle", "base_video": "idle_0"})
        await c.next("STATE_CHANGED", 2)
        await c.frames_more(30)
    assert answer.data == {"current_state": "speaking", "current_video": "speaking_0"}
    assert len(c.pictures()) == len(c.frames)


async def test_an_unknown_base_video_changes_nothing(talk: Talk) -> None:
    async with talk() as c:
        await c.say("STATE_CHANGE", {"target_state": "idle", "base_video": "idle_99"})
        first = await c.next("ERROR")
        await c.generate(babble(3200), video_state={"type": "speaking", "base_video": "speaking_99"})
        second = await c.next("ERROR", 2)
        await c.frames_more(12)
    for error in (first, second):
        assert error.data["code"] == "INVALID_MESSAGE"
        assert "idle_0" in str(error.data["details"])
    assert not c.generated
    assert not c.of("STATE_CHANGED", "SPEAK_STARTED")


async def test_a_state_that_does_not_match_its_video_is_allowed(talk: Talk) -> None:
    async with talk() as c:
        await c.say("STATE_CHANGE", {"target_state": "idle", "base_video": "speaking_0"})
        answer = await c.next("STATE_CHANGED")
    assert answer.data == {"current_state": "idle", "current_video": "speaking_0"}


async def test_action_by_index_plays_as_video_frames_and_ends_by_itself(talk: Talk) -> None:
    async with talk() as c:
        await c.say("ACTION", {"action_index": 1})
        answer = await c.next("ACTION_TRIGGERED")
        await c.until(lambda: any(f.data["state"] == "action" for f in c.frames))
        await c.say("ACTION", {"action_index": 2})
        error = await c.next("ERROR")
        await c.until(lambda: c.frames[-1].data["state"] == "idle")
        await c.frames_more(28)
    assert answer.data == {"action_index": 1, "inserted": True}
    assert error.data["code"] == "INVALID_MESSAGE"
    assert "Action already in progress" in error.data["message"]
    assert not c.of("ACTION_FRAME")
    assert len(c.pictures()) == len(c.frames)


async def test_an_action_index_out_of_range_is_refused(talk: Talk) -> None:
    async with talk() as c:
        for index in (0, 99, -1):
            await c.say("ACTION", {"action_index": index})
        await c.until(lambda: len(c.of("ERROR")) == 3)
        await c.frames_more(3)
    assert {e.data["code"] for e in c.of("ERROR")} == {"INVALID_MESSAGE"}
    assert not c.of("ACTION_TRIGGERED")


async def test_a_1_0_action_comes_as_action_frames_with_its_audio_spoken(talk: Talk) -> None:
    import base64

    chunk = {"format": "pcm_s16le", "sample_rate": 16000, "data": base64.b64encode(babble(12800)).decode()}
    async with talk() as c:
        await c.say("ACTION", {"action_type": "action_1", "audio_chunk": chunk})
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
        await c.until(lambda: bool(c.of("ACTION_FRAME")) and c.frames[-1].type == "VIDEO_FRAME")
        await c.frames_more(3)
    action = c.of("ACTION_FRAME")
    progress = [f.data["action_progress"] for f in action]
    assert progress == sorted(progress)
    assert 0 < progress[0] < 0.1
    assert progress[-1] == 1
    assert len(c.generated) == 20
    assert all(f.type == "ACTION_FRAME" for f in c.generated), "spoken while the action ran"
    assert not c.of("ACTION_TRIGGERED")
    assert len({f.data["frame_timestamp"] for f in c.frames}) == len(c.frames), "each picture once"
    assert [f.data["frame_timestamp"] for f in c.frames] == [40 * n for n in range(len(c.frames))]


async def assert_a_stream_with_everything_decodes(talk: Talk, frames: tuple[int, int]) -> None:
    """Speech, an action, an interrupt after so many frames, speech of so many, another action, another base video."""
    async with talk() as c:
        await c.frames_more(30)
        await c.generate(babble(32000), video_state={"type": "speaking", "base_video": "speaking_0"})
        await c.until(lambda: len(c.generated) >= frames[0])
        await c.say("ACTION", {"action_index": 2})
        await c.frames_more(20)
        await c.say("INTERRUPT")
        await c.frames_more(7)
        await c.generate(babble(640 * frames[1]))
        await c.next("SPEAK_ENDED", 2)
        await c.say("ACTION", {"action_type": "action_1"})
        await c.frames_more(90)
        await c.say("STATE_CHANGE", {"target_state": "speaking", "base_video": "speaking_0"})
        await c.frames_more(40)
    pictures = c.pictures()
    assert len(pictures) == len(c.frames)
    assert all(p.shape == (512, 512, 3) for p in pictures)
    keyframes = [n for n, f in enumerate(c.frames) if f.data["keyframe"]]
    assert keyframes[0] == 0
    assert max(np.diff([*keyframes, len(c.frames)])) <= 25
    assert [f.data["frame_timestamp"] for f in c.frames] == [40 * n for n in range(len(c.frames))]


async def test_one_stream_with_everything_in_it_decodes_picture_by_picture(talk: Talk) -> None:
    await assert_a_stream_with_everything_decodes(talk, (10, 15))
