import numpy as np
import pytest

from models.errors import PreparationError
from models.light.mouth_material import MATERIAL_KEYS
from models.preparation.colour import i420_to_bgr
from models.preparation.drawn_videos import REPORT_NAME
from models.preparation.face_warnings import lip_gaps
from models.preparation.prepare_clips import prepare_clips, prepare_recording, prepare_video
from tests.models.preparation.talking import talking


def test_a_clip_becomes_an_avatar_on_disk(tmp_path, write_clip, swaying, mesh):
    path = write_clip("sway.mp4", [swaying(index / 50) for index in range(70)])
    told: list[float] = []
    shown: list[np.ndarray] = []
    folder = tmp_path / "ben"
    avatar = prepare_video(path, "ben", folder, progress=lambda _, share: told.append(share), thumbnail=shown.append)
    assert told == sorted(told)
    assert [picture.shape for picture in shown] == [(160, 160, 3)] * 3, "one for each second"
    lengths = {name: len(video.pictures) for name, video in avatar.videos.items()}
    assert lengths == {"idle_0": 50, "speaking_0": 50, "action_1": 50, "action_2": 50}
    idle, speaking = avatar.videos["idle_0"], avatar.videos["speaking_0"]
    assert np.array_equal(idle.pictures, speaking.pictures)
    assert avatar.same_pose
    nod = avatar.videos["action_1"]
    for index in (0, -1):
        assert np.abs(nod.pictures[index, :512].astype(int) - idle.pictures[0, :512]).mean() < 1
    seen = mesh.find_one(i420_to_bgr(nod.pictures[20]), "nod")[:, :2]
    assert np.abs(seen - nod.landmarks[20]).mean() < 2.5
    assert set(avatar.material) == set(MATERIAL_KEYS)


def test_a_clip_that_cannot_be_used_leaves_nothing_behind(tmp_path, write_clip, swaying):
    path = write_clip("short.mp4", [swaying(0)] * 5)
    with pytest.raises(PreparationError):
        prepare_video(path, "ben", tmp_path / "avatars" / "ben")
    assert list((tmp_path / "avatars").iterdir()) == []


def test_each_base_video_can_have_a_clip_of_its_own(tmp_path, write_clip, swaying):
    still = write_clip("still.mp4", [swaying(0)] * 30)
    sway = write_clip("sway.mp4", [swaying(index / 50) for index in range(60)])
    told: list[float] = []
    avatar = prepare_clips(
        {"idle_0": still, "speaking_0": sway, "action_3": sway},
        "ben",
        tmp_path / "ben",
        progress=lambda _, share: told.append(share),
    )
    assert told == sorted(told)
    assert {name: len(video.pictures) for name, video in avatar.videos.items()} == {
        "idle_0": 50,
        "speaking_0": 50,
        "action_3": 50,
    }
    assert not avatar.same_pose
    report = (tmp_path / "ben" / REPORT_NAME).read_text()
    assert [title in report for title in ("idle_0, from still.mp4", "speaking_0, from sway.mp4")] == [True, True]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["idle_1"], "idle_0 is missing"),
        (["idle_0", "dance_1"], "'dance_1': a base video is"),
        (["idle_0", "action_0"], "'action_0': .* actions count from 1"),
        (["idle_0", "action_01"], "'action_01': .* actions count from 1"),
        ([], "idle_0"),
    ],
)
def test_base_videos_have_the_names_that_clients_know(tmp_path, names, sentence):
    with pytest.raises(PreparationError, match=sentence):
        prepare_clips(dict.fromkeys(names, tmp_path / "none.mp4"), "ben", tmp_path / "ben")


def test_one_recording_becomes_idle_speaking_and_an_action(tmp_path, write_clip, still):
    pictures = list(talking(still, 220, lambda index: 70 <= index < 150))
    pictures[160] = np.full_like(pictures[0], 90)  # somebody turned away for a moment
    recording = write_clip("long.mp4", pictures)
    avatar = prepare_recording(recording, "ben", tmp_path / "ben", actions={"action_1": (7.0, 8.4)})
    lengths = {name: len(video.pictures) for name, video in avatar.videos.items()}
    assert lengths.keys() == {"idle_0", "speaking_0", "action_1"}
    assert lengths["action_1"] == 25
    gaps = {name: lip_gaps(video.landmarks) for name, video in avatar.videos.items()}
    assert gaps["idle_0"].max() < 0.1
    assert gaps["speaking_0"].max() > 0.2
    assert not avatar.same_pose


def test_a_recording_that_begins_without_a_face_is_refused(tmp_path, write_clip, swaying):
    recording = write_clip("late.mp4", [np.full_like(swaying(0), 90)] + [swaying(0)] * 30)
    with pytest.raises(PreparationError, match=r"^late\.mp4, frame 0: no face"):
        prepare_recording(recording, "ben", tmp_path / "ben")
    for action in ("idle_1", "action_0"):
        with pytest.raises(PreparationError, match=f"'{action}': marked times are named action_1"):
            prepare_recording(recording, "ben", tmp_path / "ben", actions={action: (0, 1)})
