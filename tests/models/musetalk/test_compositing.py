# ruff: noqa: E402 - without torch this module is skipped
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.interface import BaseFrame
from models.musetalk import compositing
from models.musetalk.blending import FaceMask
from models.musetalk.compositing import PictureStore, compose, resident_bytes, upload
from models.musetalk.engine import MuseTalkEngine
from models.musetalk.jaw_mask import Box, crop_box, face_region, soft_mask
from models.musetalk.material import AvatarMaterial, FaceTools, make_material
from models.preparation.colour import bgr_to_i420
from tests.models.musetalk.faces import photo_avatar
from tests.models.musetalk.speech_windows import frames_of

CPU = torch.device("cpu")
BOXES = [(172, 62, 272, 192), (2, 10, 132, 150), (101, 81, 222, 232), (60, 40, 460, 500), (300, 200, 341, 257)]


@pytest.fixture(scope="module")
def material(nets, golden) -> AvatarMaterial:
    return make_material(photo_avatar(golden["frame_bgr"]), nets, FaceTools())


@pytest.fixture
def in_use_for_two_batches(monkeypatch) -> None:
    monkeypatch.setattr(compositing, "_IN_USE_BATCHES", 2)


@pytest.mark.parametrize("weight", [0.0, 1 / 3, 1.0])
def test_a_composed_batch_is_what_painting_makes_of_each(golden, weight) -> None:
    base = bgr_to_i420(golden["frame_bgr"])
    masks = []
    for numbers in BOXES:
        box = Box(*numbers)
        masks.append(FaceMask.cut(soft_mask(face_region(golden["labels"]), box, crop_box(box)), box, crop_box(box)))
    faces = golden["generated_bgr"][[0, 1, 2, 3, 0]]
    whole_masks = torch.zeros((len(masks), 512, 512), dtype=torch.uint8)
    for whole, mask in zip(whole_masks, masks, strict=True):
        whole[mask.area.top : mask.area.bottom, mask.area.left : mask.area.right] = torch.from_numpy(mask.luma)
    composed = compose(
        torch.from_numpy(faces),
        torch.tensor(BOXES),
        whole_masks,
        torch.from_numpy(base).expand(len(masks), -1, -1),
        torch.full((len(masks),), weight),
    ).numpy()
    for picture, face, mask in zip(composed, faces, masks, strict=True):
        expected = base.copy()
        mask.paint(face, expected, weight)
        difference = picture.astype(int) - expected
        assert np.abs(difference).max() <= 3
        assert np.abs(difference).mean() <= 0.06  # of the whole picture; single levels
        assert abs(difference.mean()) <= 0.03


def test_uploaded_rows_are_the_materials(golden, material) -> None:
    avatar = photo_avatar(golden["frame_bgr"])
    resident = upload(avatar, material, CPU)
    assert resident.size_bytes == resident_bytes(material)
    for video in avatar.videos.values():
        for index in (0, 1, 2, 24):
            row = material.row(BaseFrame(video.name, index))
            np.testing.assert_array_equal(resident.pictures[row].numpy(), video.pictures[index])
            assert tuple(resident.boxes[row].tolist()) == material.masks[row].box
            area = material.masks[row].area
            cut = resident.masks[row, area.top : area.bottom, area.left : area.right]
            np.testing.assert_array_equal(cut.numpy(), material.masks[row].luma)
            assert int(resident.masks[row].sum()) == int(material.masks[row].luma.astype(int).sum())


def test_the_longest_unused_avatar_makes_room(golden, material, in_use_for_two_batches) -> None:
    avatars = {name: photo_avatar(golden["frame_bgr"], name) for name in ("ann", "bob", "cleo")}
    store = PictureStore(2 * resident_bytes(material), CPU)
    assert store.add(avatars["ann"], material)
    assert store.add(avatars["bob"], material)
    assert not store.add(avatars["cleo"], material)  # both were added just now
    for _ in range(3):
        assert [found is None for found in store.of_batch(["ann", "cleo"])] == [False, True]
    assert store.add(avatars["cleo"], material)
    assert [found is None for found in store.of_batch(["ann", "bob", "cleo"])] == [False, True, False]
    assert store.size_bytes == 2 * resident_bytes(material)
    store.remove("ann")
    store.remove("ann")
    assert store.size_bytes == resident_bytes(material)


def test_an_avatar_larger_than_the_budget_stays_out_and_drives_nobody_out(golden, material) -> None:
    store = PictureStore(resident_bytes(material), CPU)
    assert store.add(photo_avatar(golden["frame_bgr"]), material)
    store_too_small = PictureStore(resident_bytes(material) - 1, CPU)
    assert not store_too_small.add(photo_avatar(golden["frame_bgr"]), material)
    assert store_too_small.size_bytes == 0


def test_the_engine_gives_the_composed_picture_where_it_fits_and_paints_elsewhere(nets, golden) -> None:
    avatar = photo_avatar(golden["frame_bgr"])
    pcm = golden["pcm16k"][20_000 : 20_000 + 640 * 2]
    painting, composing = MuseTalkEngine(nets), MuseTalkEngine(nets, picture_budget_bytes=100_000_000)
    painted, composed = [], []
    for engine, mouths in ((painting, painted), (composing, composed)):
        engine.load_avatar(avatar)
        for frame in frames_of(engine.new_voice(), pcm, avatar=avatar):
            mouths += engine.generate([frame])
    assert composing.describe()["picture_bytes"] > 0 == painting.describe()["picture_bytes"]
    here, elsewhere = BaseFrame("idle_0", 0), BaseFrame("speaking_0", 2)
    for mouth, expected in zip(composed, painted, strict=True):
        assert mouth.picture is not None
        assert expected.picture is None
        one, other = composing.paint(mouth, 1.0, avatar, here), painting.paint(expected, 1.0, avatar, here)
        np.testing.assert_array_equal(one, mouth.picture)
        assert np.abs(one.astype(int) - other).max() <= 2
        for weight, base in ((0.5, here), (1.0, elsewhere)):
            one = composing.paint(mouth, weight, avatar, base)
            np.testing.assert_array_equal(one, painting.paint(expected, weight, avatar, base))
    kept = composed[-1].picture.copy()
    composing.paint(composed[-1], 1.0, avatar, here)[:] = 0
    np.testing.assert_array_equal(composed[-1].picture, kept)


def test_pictures_of_an_avatar_that_was_replaced_are_not_used(nets, golden) -> None:
    engine = MuseTalkEngine(nets, picture_budget_bytes=100_000_000)
    engine.load_avatar(photo_avatar(golden["frame_bgr"]))
    turned = photo_avatar(golden["frame_bgr"])
    videos = {
        name: replace(video, pictures=np.roll(video.pictures, 1, axis=0), landmarks=np.roll(video.landmarks, 1, axis=0))
        for name, video in turned.videos.items()
    }
    turned = replace(turned, videos=videos)
    engine.load_avatar(turned)
    resident = engine._pictures.of_batch(["ann"])[0]
    row = engine._loaded(turned).material.row(BaseFrame("idle_0", 2))
    np.testing.assert_array_equal(resident.pictures[row].numpy(), turned.videos["idle_0"].pictures[2])
    engine.unload_avatar("ann")
    assert engine.describe()["picture_bytes"] == 0
