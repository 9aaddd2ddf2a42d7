import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import PreparationError
from models.preparation.face_warnings import lip_gaps
from models.preparation.recording import (
    MOST_IDLE,
    MOST_LOOP_SECONDS,
    MOST_SPEAKING,
    cut_recording,
    is_quiet,
)

_RNG = np.random.default_rng(7)
FACE = (_RNG.uniform(0, 200, (468, 2)) + 100).astype(np.float32)
FACE[[234, 454, 61, 291, 13, 14]] = (100, 200), (300, 200), (170, 260), (230, 260), (200, 260), (200, 261)


def _face(gaps: np.ndarray) -> np.ndarray:
    """Faces whose lips are this far apart, in widths of the mouth."""
    points = np.repeat(FACE[None], len(gaps), axis=0)
    points[:, 14, 1] = 260 + 60 * gaps
    return points


def _cut(points: np.ndarray, unusable: set[int], actions: dict) -> dict:
    return cut_recording(lip_gaps(points), lambda start, end: points[start:end], unusable, actions, "r.mp4")


def _turns(*seconds: tuple[float, bool]) -> np.ndarray:
    """Stretches of quiet (False) and speech (True)."""
    speaks = np.concatenate([np.full(round(length * 25), spoken) for length, spoken in seconds])
    time_s = np.arange(len(speaks)) / 25
    return np.where(speaks, 0.2 + 0.18 * np.sin(2 * np.pi * 4 * time_s), 0.02)


def _mains(videos: dict, name: str) -> set[int]:
    return {frame.main for frame in videos[name]}


def test_quiet_is_a_mouth_that_is_closed_and_still():
    quiet = is_quiet(_turns((3, False), (3, True), (3, False)))
    assert quiet[:65].all()
    assert not quiet[78:147].any()
    assert quiet[160:].all()
    held_open = np.concatenate([np.full(100, 0.02), np.full(100, 0.3)])
    assert not is_quiet(held_open)[110:].any()


def test_a_mouth_that_never_quite_closes_can_be_quiet():
    assert is_quiet(_turns((4, False), (4, True)) + 0.08)[:90].all()


def test_trembling_landmarks_are_no_speech():
    gaps = np.full(200, 0.02) + np.random.default_rng(1).normal(0, 0.004, 200)
    assert is_quiet(gaps).mean() > 0.95


def test_quiet_stretches_idle_and_the_others_speak():
    videos = _cut(_face(_turns((4, False), (5, True), (6, False), (3, True))), set(), {})
    assert sorted(videos) == ["idle_0", "idle_1", "speaking_0", "speaking_1"]
    assert _mains(videos, "idle_0") <= set(range(100))
    assert _mains(videos, "speaking_0") <= set(range(98, 228))
    assert _mains(videos, "idle_1") <= set(range(222, 378))
    assert all(len(frames) % 25 == 0 for frames in videos.values())


def test_the_longest_stretches_are_taken_up_to_a_number():
    turns = [(2.6 + 0.3 * index, index % 2 == 1) for index in range(14)]
    videos = _cut(_face(_turns(*turns)), set(), {})
    assert sum(name.startswith("idle") for name in videos) == MOST_IDLE
    assert sum(name.startswith("speaking") for name in videos) == MOST_SPEAKING


def test_a_long_stretch_gives_a_loop_of_bounded_length():
    (frames,) = _cut(_face(np.full(3000, 0.02)), set(), {}).values()
    assert len(frames) <= MOST_LOOP_SECONDS * 25 + 25


def test_marked_times_are_actions_and_nothing_else():
    points = _face(_turns((6, False), (5, True), (4, False)))
    videos = _cut(points, set(), {"action_1": (1.0, 2.5), "action_2": (11.5, 14.9)})
    assert [frame.main for frame in videos["action_1"]] == list(range(25, 50))
    assert len(videos["action_2"]) == 75
    others = set().union(*(_mains(videos, name) for name in videos if not name.startswith("action")))
    assert not others & (_mains(videos, "action_1") | _mains(videos, "action_2"))


def test_frames_without_a_usable_face_are_in_no_video():
    points = _face(np.full(500, 0.02))
    gone = set(range(200, 240)) | {400}
    videos = _cut(points, gone, {})
    assert not gone & {index for frames in videos.values() for frame in frames for index in (frame.main, frame.faded)}


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ((1.0, 1.5), "must last 1 to 10 seconds"),
        ((0.0, 15.0), "must last 1 to 10 seconds"),
        ((3.0, 2.0), "must last 1 to 10 seconds"),
        ((15.0, 25.0), "lies outside the recording's 20.0 s"),
        ((5.0, 8.0), "shows no usable face at each moment"),
    ],
)
def test_an_action_that_cannot_be_is_refused_by_name(times, sentence):
    with pytest.raises(PreparationError, match=rf"^r\.mp4: action_1 .*{sentence}"):
        _cut(_face(np.full(500, 0.02)), {150}, {"action_1": times})


def test_a_recording_without_a_quiet_stretch_is_refused():
    with pytest.raises(PreparationError, match=r"^r\.mp4: there are no 2 seconds in which the mouth is closed"):
        _cut(_face(_turns((20, True))), set(), {})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0.2, 9), st.booleans()), min_size=1, max_size=8), st.sets(st.integers(0, 400)))
def test_every_recording_gives_whole_loops_inside_it_or_is_refused(turns, gone):
    points = _face(_turns(*turns))
    gone = {index for index in gone if index < len(points)}
    try:
        videos = _cut(points, gone, {})
    except PreparationError:
        return
    assert "idle_0" in videos
    for frames in videos.values():
        assert len(frames) % 25 == 0
        assert all(frame.main < len(points) and frame.main not in gone for frame in frames)
