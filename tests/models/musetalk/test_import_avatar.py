# ruff: noqa: E402 - without torch this module is skipped
"""An avatar of MuseTalk's becomes one of ours: its pictures, boxes and masks in place, its latents as they were."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import AvatarError, ModelError
from models.interface import BaseFrame
from models.light.engine import LightEngine
from models.musetalk import import_avatar
from models.musetalk.blending import blend_bgr
from models.musetalk.engine import MuseTalkEngine
from models.musetalk.foreign_avatar import read_foreign_avatar, read_picture
from models.musetalk.import_avatar import ImportedAvatar, import_musetalk_avatar, to_and_fro
from models.musetalk.material import FILE_NAME, FaceTools, saved_material
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import load_avatar, save_avatar
from tests.models.musetalk.foreign_folder import STEP, write_foreign_folder

FRAMES = 6
TOOLS = FaceTools()


def silent(_: str, __: float) -> None:
    pass


@pytest.fixture(scope="module")
def made(golden, tmp_path_factory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("foreign") / "musetalks"
    return folder, write_foreign_folder(folder, golden["frame_bgr"], frames=FRAMES)


@pytest.fixture(scope="module")
def imported(made, tmp_path_factory) -> ImportedAvatar:
    return import_musetalk_avatar(made[0], "anna", tmp_path_factory.mktemp("avatars") / "anna", progress=silent)


@pytest.mark.parametrize("count", [1, 6, 12, 13, 25, 26, 750])
def test_to_and_fro_shows_every_frame_twice_and_waits_where_it_turns(count):
    order = to_and_fro(count)
    assert len(order) % 25 == 0
    assert 0 <= len(order) - 2 * count < 25
    steps = np.diff([*order, order[0]])
    assert set(steps.tolist()) <= {-1, 0, 1}
    assert order[:count] == list(range(count))


def test_the_avatar_moves_to_and_fro_as_musetalk_shows_it(imported):
    avatar = imported.avatar
    assert (avatar.name, list(avatar.videos), avatar.same_pose) == ("anna", ["idle_0", "speaking_0"], True)
    assert (imported.frames, imported.left_out) == (FRAMES, 0)
    idle = avatar.videos["idle_0"]
    assert len(idle.pictures) == 25
    noses = idle.landmarks[:, 4, 0]
    assert noses[FRAMES - 1] - noses[0] > STEP * 2
    assert np.array_equal(idle.pictures[0], idle.pictures[24])
    assert [entry.name for entry in avatar.folder.parent.iterdir()] == ["anna"]


def test_its_latents_are_used_as_they_came_whatever_the_weights(imported, made, nets):
    material = saved_material(load_avatar(imported.avatar.folder), nets, TOOLS)
    np.testing.assert_array_equal(material.latents, made[1])
    assert [int(row) for row in material.rows["speaking_0"]] == to_and_fro(FRAMES)


def test_a_face_is_seen_where_musetalk_itself_would_show_it(imported, made, nets):
    """A chequered face, put onto the source by MuseTalk's own blending and then cut out, and put onto the cut-out."""
    avatar = load_avatar(imported.avatar.folder)
    material = saved_material(avatar, nets, TOOLS)
    frames = read_foreign_avatar(made[0]).frames
    _, crop = import_avatar._survey(frames, silent)
    face = cv2.resize(np.indices((8, 8)).sum(0).astype(np.uint8) % 2 * 200 + 30, (256, 256))[..., None].repeat(3, 2)
    for row in (0, FRAMES - 1):
        frame = frames[row]
        source, mask = read_picture(frame.picture), read_picture(frame.mask, grey=True)
        theirs = crop.cut(blend_bgr(source, face, frame.box, frame.crop, mask)).astype(int)
        picture = np.array(avatar.videos["idle_0"].pictures[row])
        untouched = i420_to_bgr(picture).astype(int)
        material.masks[row].paint(face, picture, 1.0)
        ours = i420_to_bgr(picture).astype(int)
        assert np.abs(theirs - untouched).mean() > 3, "the face is seen"
        assert np.abs(theirs - ours).mean() < 0.1 * np.abs(theirs - untouched).mean() + 1


def test_both_engines_paint_on_it(imported, nets):
    avatar = load_avatar(imported.avatar.folder)
    engine = MuseTalkEngine(nets)
    engine.load_avatar(avatar)
    assert LightEngine().load_avatar(avatar) > 0
    mask = engine._loaded(avatar).material.masks[0]
    face = cv2.resize(np.full((8, 8, 3), (40, 200, 90), np.uint8), (256, 256))
    picture = np.array(avatar.videos["idle_0"].pictures[0])
    mask.paint(face, picture, 1.0)
    changed = picture[:512] != avatar.videos["idle_0"].pictures[0][:512]
    mouth = avatar.videos["idle_0"].landmarks[0, 13]
    assert changed[round(float(mouth[1])), round(float(mouth[0]))]
    assert 0.005 < changed.mean() < 0.2
    assert engine._loaded(avatar).material.row(BaseFrame("idle_0", 24)) == 0


def test_what_is_wrong_leaves_nothing(made, tmp_path):
    source = Path(shutil.copytree(made[0], tmp_path / "source"))
    small = cv2.resize(cv2.imread(str(source / "full_imgs" / "00000002.png")), (320, 320))
    for name in ("00000002.png", "00000009.png"):
        cv2.imwrite(str(source / "full_imgs" / name), small)
    with pytest.raises(ModelError, match=r"full_imgs/00000002\.png: is of another size"):
        import_musetalk_avatar(source, "anna", tmp_path / "avatars" / "anna", progress=silent)
    shutil.copytree(made[0] / "full_imgs", source / "full_imgs", dirs_exist_ok=True)
    cv2.imwrite(str(source / "mask" / "00000001.png"), np.zeros((5, 5), np.uint8))
    with pytest.raises(ModelError, match=r"mask/00000001\.png: is not as large as its crop"):
        import_musetalk_avatar(source, "anna", tmp_path / "avatars" / "anna", progress=silent)
    assert not list((tmp_path / "avatars").iterdir()) if (tmp_path / "avatars").exists() else True


@pytest.mark.parametrize(
    ("file", "box", "what"),
    [
        (
            "coords.pkl",
            (-20_000, -20_000, 20_500, 20_500),
            r"coords\.pkl: .* is 40500 x 40500 pixels, .* most \d+ each",
        ),
        ("coords.pkl", (200, 200, 300, 3_200), r"coords\.pkl: .* is 100 x 3000 pixels"),
        ("coords.pkl", (700, 200, 800, 320), r"coords\.pkl: .* is not on the face"),
        ("mask_coords.pkl", (0, 0, 3_000, 1), r"mask_coords\.pkl: .* is 3000 x 1 pixels"),
        ("mask_coords.pkl", (0, 0, 90, 80), r"coords\.pkl: .* is not on the face, or not in its mask's crop"),
    ],
)
def test_a_box_that_no_face_has_is_refused_by_its_frame(made, tmp_path, file, box, what):
    source = Path(shutil.copytree(made[0], tmp_path / "source"))
    boxes = pickle.loads((source / file).read_bytes())
    boxes[2] = boxes[-3] = box
    (source / file).write_bytes(pickle.dumps(boxes))
    if file == "mask_coords.pkl":
        for number in (2, 2 * FRAMES - 3):
            cv2.imwrite(str(source / "mask" / f"{number:08d}.png"), np.zeros((box[3], box[2]), np.uint8))
    with pytest.raises(ModelError, match=f"^{what}"):
        import_musetalk_avatar(source, "anna", tmp_path / "avatars" / "anna", progress=silent)
    assert not list((tmp_path / "avatars").glob("*"))


def test_an_avatar_that_comes_in_its_place_meanwhile_does_not_get_its_latents(made, tmp_path, monkeypatch):
    other = import_musetalk_avatar(made[0], "ben", tmp_path / "ben", progress=silent).avatar
    kept = import_avatar.keep_imported

    def replaced_before(avatar, material):
        save_avatar(other, avatar.folder, replace=True)
        kept(avatar, material)

    monkeypatch.setattr(import_avatar, "keep_imported", replaced_before)
    with pytest.raises(AvatarError, match="another avatar has come in its place"):
        import_musetalk_avatar(made[0], "anna", tmp_path / "anna", progress=silent)
    assert load_avatar(tmp_path / "anna").name == "ben"
    assert not (tmp_path / "anna" / FILE_NAME).exists()
