import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.survey import Survey
from models.preparation.survey import survey_clip as survey_any

MOST = 250


def survey_clip(path: Path, progress: Callable[[float], None]) -> Survey:
    return survey_any(path, MOST, progress)


def _silent(_: float) -> None:
    pass


@pytest.mark.parametrize(("rate", "count"), [(50, 70), (30, 42), (12, 18)])
def test_other_rates_are_brought_to_25_fps_at_the_same_speed(write_clip, swaying, rate, count):
    path = write_clip("fast.mp4", [swaying(index / rate) for index in range(count)], rate)
    clip = survey_clip(path, _silent)
    assert abs(len(clip.points) - count * 25 / rate) < 2
    # the nose goes round once a second
    nose = clip.points[:, 1, :2] - clip.points[:25, 1, :2].mean(axis=0)
    angle = np.unwrap(np.arctan2(nose[:, 1], nose[:, 0]))
    assert (angle[25] - angle[4]) / 21 * 25 == pytest.approx(2 * np.pi, rel=0.15)


def test_a_long_clip_is_used_for_its_first_seconds_only(write_clip, swaying):
    frames = [swaying(index / 50) for index in range(50)]
    path = write_clip("long.mp4", (frames * 6)[: MOST + 20])
    done: list[float] = []
    clip = survey_clip(path, done.append)
    assert len(clip.points) == MOST
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)


def test_a_frame_without_a_face_is_named(write_clip, swaying):
    frames = [swaying(0)] * 40
    frames[30:] = [np.full_like(frames[0], 90)] * 10
    with pytest.raises(PreparationError, match=r"^gone\.mp4, frame 30: no face was found"):
        survey_clip(write_clip("gone.mp4", frames), _silent)


def test_somebody_who_joins_later_is_noticed(write_clip, swaying):
    alone = np.hstack([swaying(0), np.full((512, 512, 3), 90, np.uint8)])
    together = np.hstack([swaying(0), swaying(0)])
    with pytest.raises(PreparationError, match=r"^two\.mp4, frame 25: 2 faces"):
        survey_clip(write_clip("two.mp4", [alone] * 20 + [together] * 20), _silent)


def test_a_truncated_clip_is_refused_with_the_frame_it_breaks_off_at(write_clip, swaying):
    path = write_clip("half.mp4", [swaying(index / 50) for index in range(60)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PreparationError, match=r"^half\.mp4: breaks off after frame \d+ of 60; the file is truncated"):
        survey_clip(path, _silent)


def test_a_cut_is_refused_with_the_frame_it_is_at(write_clip, swaying):
    frames = [swaying(index / 50) for index in range(60)]
    mirrored = [*frames[:30], *(frame[:, ::-1] for frame in frames[30:])]
    with pytest.raises(PreparationError, match=r"^cut\.mp4, frame 30: there is a cut; a face in one take is needed"):
        survey_clip(write_clip("cut.mp4", mirrored), _silent)
    closer = [*frames[:41], *(cv2.resize(frame[60:400, 90:430], (512, 512)) for frame in frames[41:])]
    with pytest.raises(PreparationError, match=r"^zoom\.mp4, frame 41: there is a cut"):
        survey_clip(write_clip("zoom.mp4", closer), _silent)


def test_a_cut_is_refused_beside_frames_without_a_face_too(write_clip, swaying):
    frames = [swaying(index / 50) for index in range(60)]
    mirrored = [*frames[:30], *(frame[:, ::-1] for frame in frames[30:])]
    mirrored[50] = np.zeros_like(frames[0])
    with pytest.raises(PreparationError, match=r"^cut\.mp4, frame 30: there is a cut"):
        survey_any(write_clip("cut.mp4", mirrored), MOST, _silent, tolerant=True)
    frames[30] = np.zeros_like(frames[0])
    assert set(survey_any(write_clip("dark.mp4", frames), MOST, _silent, tolerant=True).unusable) == {30}


def test_the_landmarks_lie_where_they_may_and_leave_nothing(write_clip, swaying, tmp_path):
    path = write_clip("short.mp4", [swaying(index / 50) for index in range(20)])
    with pytest.raises(FileNotFoundError):
        survey_any(path, MOST, _silent, scratch=tmp_path / "none")
    (tmp_path / "scratch").mkdir()
    assert len(survey_any(path, MOST, _silent, scratch=tmp_path / "scratch").points) == 20
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("rate", [8, 60])
def test_fast_movement_is_no_cut_at_any_rate(write_clip, swaying, rate):
    path = write_clip("fast.mp4", [swaying(2 * index / rate) for index in range(2 * rate)], rate)
    assert len(survey_clip(path, _silent).points) >= 48


def test_a_folder_is_called_a_folder(tmp_path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(PreparationError, match=r"^clips: is a folder"):
        survey_clip(tmp_path / "clips", _silent)


READ_A_BAD_FILE = """
import os, sys, cv2
from pathlib import Path
from models.errors import PreparationError
from models.preparation.survey import survey_clip
level, environment = cv2.utils.logging.getLogLevel(), dict(os.environ)
try:
    survey_clip(Path(sys.argv[1]), 250, print)
except PreparationError as error:
    print(error)
print(cv2.utils.logging.getLogLevel() == level, dict(os.environ) == environment)
"""


def test_nothing_but_the_error_is_told_about_a_bad_file(tmp_path):
    """In a process of its own: OpenCV reads the log level once, and its lines do not pass through Python."""
    path = tmp_path / "bad.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"no video at all" * 100)
    done = subprocess.run(
        [sys.executable, "-c", READ_A_BAD_FILE, path],
        cwd=Path(__file__).parents[3],
        env={name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("bad.mp4: not a video that can be read")
    assert done.stdout.splitlines()[1:] == ["True True"]


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    with pytest.raises(PreparationError, match=r"^odd\.mp4: "):
        survey_clip(path, _silent)
    with pytest.raises(PreparationError, match=r"^none\.mp4: "):
        survey_clip(tmp_path / "none.mp4", _silent)


def test_a_hand_before_the_mouth_is_refused_with_its_frame_or_passed_over(write_clip, portrait, detected):
    face = cv2.resize(portrait, (400, 400), interpolation=cv2.INTER_AREA)
    covered = face.copy()
    x, y = (detected[13, :2] * 400 / 1024).astype(int).tolist()
    skin = portrait[int(detected[50, 1]), int(detected[50, 0])].tolist()
    cv2.ellipse(covered, (x, y), (58, 44), 0, 0, 360, skin, -1)
    path = write_clip("hand.mp4", [face] * 12 + [covered] * 10 + [face] * 6)
    with pytest.raises(PreparationError, match=r"^hand\.mp4, frame 1[2-4]: the mouth is hidden"):
        survey_clip(path, _silent)
    clip = survey_any(path, MOST, _silent, tolerant=True)
    assert set(range(14, 22)) <= set(clip.unusable) <= set(range(12, 23))
