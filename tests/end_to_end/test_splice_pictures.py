"""What a viewer sees where the stream changes from the loop to the session's encoder and back: nothing."""

from collections.abc import Callable

import numpy as np

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.test_speech import babble

Talk = Callable[..., Conversation]
FACE_BELOW_EYES = (slice(250, 470), slice(140, 370))  # rows, columns: all that a mouth may move
LOOP_FRAMES = 150
ENCODED_TWICE = 1.8  # levels between two encodings of a picture at this quantizer: 1.5 to 1.7 were seen


def unmoved() -> np.ndarray:
    """Which pixels no mouth may move, (512, 512) bool."""
    seen = np.ones((512, 512), bool)
    seen[FACE_BELOW_EYES] = False
    return seen


def changes(pictures: list[np.ndarray]) -> np.ndarray:
    """Mean absolute change from each picture to the next, outside the mouth's region, (pictures - 1,)."""
    grey = np.stack([p[unmoved()].mean(axis=1) for p in pictures])
    return np.abs(np.diff(grey, axis=0)).mean(axis=1)


def changes_at_splices(c: Conversation, idle_frames: int) -> tuple[dict[int, float], float]:
    """The changes where a stream that spoke once was spliced, by frame, and the largest one at the loop's own IDRs.

    The first `idle_frames` showed the loop.
    """
    change = changes(c.pictures())
    spoken = [n for n, f in enumerate(c.frames) if f.data["generated"]]
    own_idrs = [n for n in range(25, idle_frames, 25) if c.frames[n].data["keyframe"]]
    back = next(n for n in range(spoken[-1] + 1, len(c.frames)) if n % 25 == 0)  # the loop takes over at its next group
    splices = {n: float(change[n - 1]) for n in (spoken[0], spoken[-1] + 1, back)}
    return splices, float(max(change[n - 1] for n in own_idrs))


def differences_behind_speech(c: Conversation, loop_frames: int) -> list[float]:
    """How far each generated frame is from the loop's picture of the same pose, outside the mouth's region."""
    pictures = c.pictures()
    return [
        float(np.abs(pictures[n][unmoved()].astype(int) - pictures[n % loop_frames][unmoved()]).mean())
        for n, frame in enumerate(c.frames)
        if frame.data["generated"]
    ]


async def test_splices_show_no_more_than_the_loops_own_idrs(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(LOOP_FRAMES + 10)
        await c.generate(babble(16000))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
        await c.frames_more(60)
    splices, limit = changes_at_splices(c, LOOP_FRAMES)
    for frame, change in splices.items():
        assert change <= 1.1 * limit, f"at frame {frame}"


async def test_eyes_and_background_are_those_of_the_base_video_while_it_speaks(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(LOOP_FRAMES)
        await c.generate(babble(32000))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
    assert max(differences_behind_speech(c, LOOP_FRAMES)) < ENCODED_TWICE
