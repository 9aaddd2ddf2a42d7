"""What a viewer sees where the stream changes from the loop to the session's encoder and back: nothing."""

from collections.abc import Callable

import numpy as np

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.test_speech import babble

Talk = Callable[..., Conversation]
FACE_BELOW_EYES = (slice(250, 470), slice(140, 370))  # rows, columns: all that a mouth may move
LOOP_FRAMES = 150


def changes(pictures: list[np.ndarray]) -> np.ndarray:
    """Mean absolute change from each picture to the next, outside the mouth's region, (pictures - 1,)."""
    seen = np.ones(pictures[0].shape[:2], bool)
    seen[FACE_BELOW_EYES] = False
    grey = np.stack([p[seen].mean(axis=1) for p in pictures])
    return np.abs(np.diff(grey, axis=0)).mean(axis=1)


async def test_splices_show_no_more_than_the_loops_own_idrs(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(LOOP_FRAMES + 10)
        await c.generate(babble(16000))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
        await c.frames_more(60)
    change = changes(c.pictures())
    spoken = [n for n, f in enumerate(c.frames) if f.data["generated"]]
    own_idrs = [n for n in range(25, LOOP_FRAMES, 25) if c.frames[n].data["keyframe"]]
    limit = max(change[n - 1] for n in own_idrs)
    back = next(n for n in range(spoken[-1] + 1, len(c.frames)) if n % 25 == 0)  # the loop takes over at its next group
    for splice in (spoken[0], spoken[-1] + 1, back):
        assert change[splice - 1] <= 1.1 * limit, f"at frame {splice}"


async def test_eyes_and_background_are_those_of_the_base_video_while_it_speaks(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(LOOP_FRAMES)
        await c.generate(babble(32000))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
    pictures = c.pictures()
    seen = np.ones(pictures[0].shape[:2], bool)
    seen[FACE_BELOW_EYES] = False
    for n, frame in enumerate(c.frames):
        if frame.data["generated"]:
            same_pose = pictures[n % LOOP_FRAMES]
            difference = np.abs(pictures[n][seen].astype(int) - same_pose[seen]).mean()
            assert difference < 1.5, f"frame {n}: only what encoding twice costs"
