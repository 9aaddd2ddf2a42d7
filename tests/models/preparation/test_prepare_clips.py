import numpy as np
import pytest

from models.errors import PreparationError
from models.light.mouth_material import MATERIAL_KEYS
from models.preparation.colour import i420_to_bgr
from models.preparation.prepare_clips import prepare_video


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
