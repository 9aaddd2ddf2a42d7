import json

import cv2
import numpy as np
import pytest

from models.errors import AvatarError, PreparationError
from models.light.mouth_material import MATERIAL_KEYS
from models.preparation.colour import i420_to_bgr
from models.preparation.prepare_clips import prepare_clips, prepare_recording
from models.preparation.prepare_photo import prepare_photo
from models.prepared_avatar import load_avatar
from tests.models.preparation.conftest import BUILTIN


@pytest.fixture(scope="module")
def photo(tmp_path_factory, portrait):
    path = tmp_path_factory.mktemp("photo") / "face.jpg"
    cv2.imwrite(str(path), cv2.resize(portrait, (600, 600), interpolation=cv2.INTER_AREA))
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, photo):
    """The folder of an avatar made from a plain photo, the progress that was told and the thumbnails shown."""
    folder, told, shown = tmp_path_factory.mktemp("avatars") / "anna", [], []
    prepare_photo(photo, "anna", folder, progress=lambda *step: told.append(step), thumbnail=shown.append)
    return folder, told, shown


def test_a_photo_becomes_an_avatar_on_disk(prepared):
    avatar = load_avatar(prepared[0])
    assert avatar.name == "anna"
    assert avatar.same_pose
    lengths = {name: len(video.pictures) for name, video in avatar.videos.items()}
    assert lengths == {"idle_0": 150, "speaking_0": 150, "action_1": 50, "action_2": 50}
    assert set(avatar.material) == set(MATERIAL_KEYS)


def test_its_landmarks_lie_on_its_pictures(prepared, mesh):
    avatar = load_avatar(prepared[0])
    for name, index in (("idle_0", 0), ("idle_0", 75), ("speaking_0", 100), ("action_1", 20), ("action_2", 25)):
        video = avatar.videos[name]
        seen = mesh.find_one(i420_to_bgr(video.pictures[index]), name)[:, :2]
        assert np.abs(seen - video.landmarks[index]).mean() < 2.5, (name, index)


def test_its_mouth_is_closed_in_every_picture(prepared):
    for video in load_avatar(prepared[0]).videos.values():
        gap = np.linalg.norm(video.landmarks[:, 13] - video.landmarks[:, 14], axis=-1)
        width = np.linalg.norm(video.landmarks[:, 61] - video.landmarks[:, 291], axis=-1)
        assert (gap / width).max() < 0.06


def test_progress_goes_from_nothing_to_all(prepared):
    shares = [share for _, share in prepared[1]]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert {"looking for the face", "drawing idle_0", "saving", "done"} <= {step for step, _ in prepared[1]}


def test_the_thumbnail_shows_the_face(prepared, photo):
    (shown,) = prepared[2]
    first = i420_to_bgr(load_avatar(prepared[0]).videos["idle_0"].pictures[0])
    small = cv2.resize(first, (160, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shown).mean() < 8  # the loop has moved the head a little


def test_the_same_photo_gives_the_same_avatar(prepared, photo, tmp_path):
    again = prepare_photo(photo, "anna", tmp_path / "again")
    first = load_avatar(prepared[0])
    for name, video in first.videos.items():
        assert np.array_equal(video.pictures[::10], again.videos[name].pictures[::10])
        assert np.array_equal(video.landmarks, again.videos[name].landmarks)


def test_an_avatar_that_is_there_gives_way_only_when_told(prepared, photo):
    before = json.loads((prepared[0] / "manifest.json").read_text())
    with pytest.raises(AvatarError, match="exists already"):
        prepare_photo(photo, "other", prepared[0])
    assert json.loads((prepared[0] / "manifest.json").read_text()) == before


def test_a_photo_that_cannot_be_used_leaves_nothing_behind(tmp_path, portrait):
    blank = tmp_path / "wall.png"
    cv2.imwrite(str(blank), np.full((400, 400, 3), 120, np.uint8))
    with pytest.raises(PreparationError, match=r"^wall\.png: no face"):
        prepare_photo(blank, "wall", tmp_path / "avatars" / "wall")
    assert list((tmp_path / "avatars").iterdir()) == []


def test_a_face_with_closed_eyes_drawn_must_have_them_at_its_own_size(tmp_path, photo):
    with pytest.raises(PreparationError, match=r"^portrait\.png: must be as large as face\.jpg"):
        prepare_photo(photo, "odd", tmp_path / "odd", closed_eyes={1.0: BUILTIN / "portrait.png"})


@pytest.mark.parametrize("name", ["", "a\nb", "anna\n", "x" * 65, "a b", "../a", "größe", "a.b"])
def test_a_name_must_be_one_that_clients_can_say(tmp_path, photo, name):
    with pytest.raises(PreparationError, match="a name is"):
        prepare_photo(photo, name, tmp_path / "odd")
    with pytest.raises(PreparationError, match="a name is"):
        prepare_clips({"idle_0": photo}, name, tmp_path / "odd")
    with pytest.raises(PreparationError, match="a name is"):
        prepare_recording(photo, name, tmp_path / "odd")


@pytest.mark.parametrize("name", ["_anna", "-anna", "9", "x" * 64])
def test_every_name_that_clients_can_say_is_taken(tmp_path, name):
    with pytest.raises(PreparationError, match=r"^none\.png: cannot be read"):
        prepare_photo(tmp_path / "none.png", name, tmp_path / "odd")
