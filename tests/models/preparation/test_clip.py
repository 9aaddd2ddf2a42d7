from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.clip import LoopTarget, SteadyClip, fill_loops
from models.preparation.colour import i420_to_bgr
from models.preparation.face_motion import face_motion
from models.preparation.loop_plan import LoopFrame, plan_loop
from models.preparation.steadying import Steadying, steadiness
from models.preparation.survey import survey_clip
from tests.models.preparation.conftest import write_mp4
from tests.models.preparation.hand_held import hand_held


def _silent(_: float) -> None:
    pass


def _steady(path: Path, ways: Steadying = Steadying()) -> SteadyClip:  # noqa: B008
    return SteadyClip(survey_clip(path, 250, _silent), ways)


def _target(frames: list[LoopFrame]) -> LoopTarget:
    size = len(frames)
    return LoopTarget(frames, np.zeros((size, 768, 512), np.uint8), np.zeros((size, 468, 2), np.float32))


def _fill(clip: SteadyClip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    target = _target(plan_loop(clip.points(0, len(clip.survey)), "clip"))
    first = fill_loops(clip, [target], _silent)
    return target.pictures, target.landmarks, first


def test_a_clip_becomes_a_loop_without_a_seam(write_clip, swaying):
    path = write_clip("sway.mp4", [swaying(index / 50) for index in range(70)])
    clip = _steady(path)
    pictures, landmarks, first = _fill(clip)
    assert len(pictures) == 50
    assert first.shape == (512, 512, 3)
    change = [float(np.abs(np.roll(pictures, -1, 0)[i].astype(int) - pictures[i]).mean()) for i in range(50)]
    assert max(change[-10:]) < 1.5 * np.median(change)
    steps = np.linalg.norm(np.roll(landmarks, -1, 0) - landmarks, axis=-1).mean(axis=-1)
    assert steps.max() < 3 * np.median(steps)


def test_landmarks_follow_the_face_of_the_pictures(write_clip, swaying, mesh):
    path = write_clip("sway.mp4", [swaying(index / 50) for index in range(70)])
    pictures, landmarks, _ = _fill(_steady(path))
    for index in (0, 12, 30, 49):
        seen = mesh.find_one(i420_to_bgr(pictures[index]), "loop")[:, :2]
        assert np.abs(seen - landmarks[index]).mean() < 1.5


def test_a_clip_of_another_shape_is_cut_square_around_the_face(write_clip, swaying):
    wide = np.full((512, 900, 3), 90, np.uint8)
    wide[:, 300:812] = swaying(0)
    clip = _steady(write_clip("wide.mp4", [wide] * 30))
    assert 320 < clip.crop.left + clip.crop.side / 2 - 256 + 20 < 340
    pictures, _, _ = _fill(clip)
    shown = cv2.resize(i420_to_bgr(pictures[0]), (clip.crop.side, clip.crop.side), interpolation=cv2.INTER_AREA)
    there = wide[clip.crop.top :, clip.crop.left :][: clip.crop.side, : clip.crop.side]
    assert np.abs(shown.astype(int) - there).mean() < 4


@pytest.fixture(scope="module")
def shaken(tmp_path_factory, portrait):
    """Two seconds as from a camera in a hand."""
    return write_mp4(tmp_path_factory.mktemp("shaken") / "shaken.mp4", list(hand_held(portrait, 50)))


def _seen(mesh, pictures: np.ndarray) -> np.ndarray:
    points = [mesh.find_one(i420_to_bgr(pictures[0]), "picture")]
    for picture in pictures[1:]:
        points.append(mesh.follow(i420_to_bgr(picture), points[-1], "picture"))
    return np.stack(points)


@pytest.mark.parametrize("ways", [Steadying(), Steadying(tracking=False)], ids=["tracked", "landmarks"])
def test_a_shaken_face_is_steady_in_the_finished_pictures(shaken, mesh, ways):
    clip = _steady(shaken, ways)
    target = _target([LoopFrame(index) for index in range(50)])
    fill_loops(clip, [target], _silent)
    recorded = steadiness(face_motion(clip.crop.place(clip.survey.points), None))
    seen = _seen(mesh, target.pictures)
    finished = steadiness(face_motion(seen, None))
    assert recorded.jitter_px > 2
    assert finished.jitter_px < recorded.jitter_px / 2
    assert finished.scale_spread < recorded.scale_spread / 2
    assert np.abs(seen[..., :2] - target.landmarks).mean() < 1.5


def test_without_any_way_the_pictures_are_cut_as_they_are(shaken):
    clip = _steady(shaken, Steadying(box_filter=False, scale_lock=False))
    assert clip.after is clip.before
    assert clip.maps is None


def test_several_loops_are_filled_in_one_pass(write_clip, swaying):
    clip = _steady(write_clip("sway.mp4", [swaying(index / 50) for index in range(60)]))
    targets = [_target([LoopFrame(index) for index in range(start, start + 25)]) for start in (0, 20, 35)]
    told: list[float] = []
    fill_loops(clip, targets, told.append)
    assert told == sorted(told)
    assert np.array_equal(targets[0].pictures[20:], targets[1].pictures[:5])
    assert np.array_equal(targets[1].pictures[15:], targets[2].pictures[:10])
    assert all(target.blend_before.any() for target in targets)


def test_a_file_that_gives_fewer_frames_when_read_again_is_refused(write_clip, swaying):
    path = write_clip("sway.mp4", [swaying(index / 50) for index in range(40)])
    clip = _steady(path)
    write_clip("sway.mp4", [swaying(index / 50) for index in range(30)])
    with pytest.raises(PreparationError, match=r"^sway\.mp4: gave fewer frames"):
        fill_loops(clip, [_target([LoopFrame(index) for index in range(10, 35)])], _silent)


def test_a_clip_of_one_frame_is_no_crash(write_clip, swaying):
    assert _steady(write_clip("one.mp4", [swaying(0)])).maps is None


def test_landmarks_of_a_part_are_those_of_the_whole(shaken):
    clip = _steady(shaken)
    whole = clip.points(0, 50)
    assert np.abs(clip.points(20, 30) - whole[20:30]).max() < 0.02
    assert np.allclose(clip.points(0, 10), whole[:10], atol=0.02)
