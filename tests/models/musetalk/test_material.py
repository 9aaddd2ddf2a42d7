# ruff: noqa: E402 - without torch this module is skipped
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError
from models.interface import BaseFrame
from models.musetalk.audio_features import LogMel
from models.musetalk.blending import blend_bgr
from models.musetalk.face_box import ibug_points
from models.musetalk.jaw_mask import Box, crop_box, face_region, soft_mask
from models.musetalk.listening import tokens_of
from models.musetalk.material import (
    FILE_NAME,
    AvatarMaterial,
    FaceTools,
    avatar_material,
    encode,
    face_crop,
    keep_imported,
    make_material,
    saved_material,
)
from models.musetalk.voice import MuseTalkVoice
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import BaseVideo, PreparedAvatar, load_avatar, save_avatar
from tests.models.musetalk.faces import photo_avatar, saved_photo_avatar
from tests.models.musetalk.speech_windows import frames_of

DRAWN = FaceTools()


@pytest.fixture
def avatar(golden) -> PreparedAvatar:
    return photo_avatar(golden["frame_bgr"])


@pytest.fixture(scope="module")
def material(nets, golden) -> AvatarMaterial:
    return make_material(photo_avatar(golden["frame_bgr"]), nets, DRAWN)


def assert_same(one: AvatarMaterial, other: AvatarMaterial) -> None:
    assert one.rows.keys() == other.rows.keys()
    assert all((one.rows[name] == other.rows[name]).all() for name in one.rows)
    np.testing.assert_array_equal(one.latents, other.latents)
    for a, b in zip(one.masks, other.masks, strict=True):
        assert (a.box, a.area) == (b.box, b.area)
        np.testing.assert_array_equal(a.luma, b.luma)
        np.testing.assert_array_equal(a.chroma, b.chroma)


def test_crop_and_latents_of_a_picture_are_the_references(nets, golden) -> None:
    crop = face_crop(golden["frame_bgr"], Box(*golden["bbox"].tolist()))
    np.testing.assert_array_equal(crop, golden["crop256_bgr"])
    found, reference = encode(nets, [crop]), golden["latents"]
    assert np.abs(found - reference).max() <= 1e-5 * np.abs(reference).max()


def test_every_frame_has_the_box_mask_and_latents_of_its_own_picture(nets, avatar, material) -> None:
    for video in avatar.videos.values():
        for index in (0, 1, 2, 12, 24):
            row = material.row(BaseFrame(video.name, index))
            bgr = i420_to_bgr(video.pictures[index])
            expected = encode(nets, [face_crop(bgr, material.masks[row].box)])[0]
            np.testing.assert_allclose(material.latents[row], expected, atol=1e-5)
            chin = video.landmarks[index, 152]
            assert abs(material.masks[row].box.bottom - 10 - chin[1]) <= 1
            assert material.masks[row].luma.max() == 255


def test_pictures_shown_several_times_are_worked_on_once(avatar, material) -> None:
    assert len(material.masks) == len(material.latents) < 10 < sum(len(v.pictures) for v in avatar.videos.values())
    np.testing.assert_array_equal(material.rows["idle_0"], material.rows["speaking_0"])


def test_a_picture_that_is_not_there_is_refused(material) -> None:
    for base in (BaseFrame("idle_0", 25), BaseFrame("idle_0", -1), BaseFrame("action_9", 0)):
        with pytest.raises(ModelError, match="no picture"):
            material.row(base)


def test_what_was_made_is_saved_beside_the_avatar_and_read_the_next_time(nets, golden, material, tmp_path) -> None:
    avatar = saved_photo_avatar(golden["frame_bgr"], tmp_path / "ann")
    heard: list[float] = []
    made = avatar_material(avatar, nets, DRAWN, heard.append)
    assert heard[-1] == 1
    assert_same(made, material)
    with np.load(tmp_path / "ann" / FILE_NAME, allow_pickle=False) as stored:
        assert {"boxes", "areas", "masks", "latents", "origin"} <= set(stored.files)
    again: list[float] = []
    assert_same(avatar_material(avatar, nets, DRAWN, again.append), material)
    assert again == []
    assert sorted(path.name for path in (tmp_path / "ann").iterdir() if path.name.startswith(".")) == []


def test_material_of_other_weights_tools_or_pictures_is_made_again(nets, golden, tmp_path) -> None:
    avatar = saved_photo_avatar(golden["frame_bgr"], tmp_path / "ann")
    avatar_material(avatar, nets, DRAWN)
    heard: list[float] = []
    all_skin = FaceTools(labels=lambda rgb: np.ones((512, 512), np.uint8))
    avatar_material(avatar, nets, all_skin, heard.append)
    assert heard
    heard.clear()
    other = saved_photo_avatar(np.roll(golden["frame_bgr"], 6, axis=0), tmp_path / "other")
    (tmp_path / "other" / FILE_NAME).write_bytes((tmp_path / "ann" / FILE_NAME).read_bytes())
    avatar_material(other, nets, all_skin, heard.append)
    assert heard


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PK" + data])
def test_a_damaged_file_is_made_again(nets, golden, material, tmp_path: Path, damage) -> None:
    avatar = saved_photo_avatar(golden["frame_bgr"], tmp_path / "ann")
    avatar_material(avatar, nets, DRAWN)
    path = tmp_path / "ann" / FILE_NAME
    path.write_bytes(damage(path.read_bytes()))
    assert_same(avatar_material(avatar, nets, DRAWN), material)
    assert_same(avatar_material(avatar, nets, DRAWN, pytest.fail), material)


@pytest.mark.parametrize(
    ("save", "change"),
    [
        (np.savez_compressed, {"latents": lambda latents: latents * 0}),
        (np.savez, {"latents": lambda latents: latents * np.nan}),
        (np.savez, {"latents": lambda latents: latents[:, :4]}),
        (np.savez, {"rows.idle_0": lambda rows: rows - 1}),
        (np.savez, {"rows.idle_0": lambda rows: rows.astype(np.float32)}),
        (np.savez, {"masks": lambda masks: masks[:-1]}),
        (np.savez, {"masks": lambda masks: masks.astype(np.float32)}),
        (np.savez, {"boxes": lambda boxes: boxes + np.array([-46_123, -45_872, 46_448, 46_699], np.int32)}),
        (np.savez, {"boxes": lambda boxes: boxes + np.array([300, 0, 300, 0], np.int32)}),
        (np.savez, {"boxes": lambda boxes: boxes.astype(np.float32)}),
        (np.savez, {"areas": lambda areas: areas + np.array([400, 0, 400, 0], np.int32)}),
        (np.savez, {"areas": lambda areas: areas + np.array([1, 0, 1, 0], np.int32)}),
    ],
    ids=[
        "would swell",
        "no numbers",
        "other shape",
        "negative rows",
        "rows of another type",
        "short masks",
        "masks of another type",
        "giant boxes",
        "boxes elsewhere",
        "boxes of another type",
        "areas outside",
        "areas on odd pixels",
    ],
)
def test_material_that_would_fail_while_somebody_speaks_counts_as_none(
    nets, golden, material, tmp_path: Path, save, change
) -> None:
    avatar = saved_photo_avatar(golden["frame_bgr"], tmp_path / "ann")
    path = tmp_path / "ann" / FILE_NAME
    keep_imported(avatar, material)
    assert saved_material(avatar, nets, DRAWN) is not None
    with np.load(path) as stored:
        arrays = {name: change.get(name, np.copy)(stored[name]) for name in stored.files}
    save(path, **arrays)
    assert saved_material(avatar, nets, DRAWN) is None


def test_a_folder_that_is_gone_costs_only_the_saving(nets, golden, material, tmp_path: Path) -> None:
    avatar = replace(photo_avatar(golden["frame_bgr"]), folder=tmp_path / "gone")
    assert_same(avatar_material(avatar, nets, DRAWN), material)
    assert list(tmp_path.iterdir()) == []


def test_material_made_of_an_avatar_that_was_replaced_meanwhile_is_not_saved_with_the_new_one(
    nets, golden, material, tmp_path: Path
) -> None:
    avatar = saved_photo_avatar(golden["frame_bgr"], tmp_path / "ann")
    imported = replace(material, latents=material.latents + 1)

    def replaced(share: float) -> None:
        if share == 1:
            save_avatar(replace(avatar, name="ben"), tmp_path / "ann", replace=True)
            keep_imported(load_avatar(tmp_path / "ann"), imported)

    assert_same(avatar_material(avatar, nets, DRAWN, replaced), material)
    found = saved_material(load_avatar(tmp_path / "ann"), nets, DRAWN)
    assert found is not None
    assert_same(found, imported)


def test_face_parsing_draws_the_masks_where_it_is_there(nets, golden, avatar) -> None:
    def parse(rgb: np.ndarray) -> np.ndarray:
        assert rgb.shape == (512, 512, 3)
        return golden["labels"]

    tools = FaceTools(labels=parse)
    assert tools.describe() == "boxes landmarks, masks parsing"
    parsed, drawn = make_material(avatar, nets, tools), make_material(avatar, nets, DRAWN)
    np.testing.assert_array_equal(parsed.latents, drawn.latents)
    assert parsed.masks[0].box == drawn.masks[0].box
    assert parsed.masks[0].luma.shape != drawn.masks[0].luma.shape


def test_the_points_of_a_pose_net_make_the_boxes_where_it_is_there(nets, golden, avatar) -> None:
    left, top, right, bottom = golden["bbox_raw"]
    points = np.tile([left, (top + bottom) // 2], (68, 1))
    points[8], points[16] = (left, bottom), (right, top)
    material = make_material(avatar, nets, FaceTools(points=lambda bgr: points))
    assert material.masks[0].box == tuple(golden["bbox"])


def test_the_points_of_a_picture_are_looked_for_once(nets, avatar) -> None:
    looked_at = []

    def points(bgr):
        looked_at.append(bgr.tobytes())
        return ibug_points(avatar.videos["idle_0"].landmarks[0])

    make_material(avatar, nets, FaceTools(points=points))
    assert len(looked_at) == len(set(looked_at)) == 3  # of fifty frames


def test_pictures_without_a_face_box_name_their_video(nets, avatar) -> None:
    outside = {
        name: BaseVideo(name, video.pictures, np.full_like(video.landmarks, 900))
        for name, video in avatar.videos.items()
    }
    with pytest.raises(ModelError, match="video idle_0"):
        make_material(replace(avatar, videos=outside), nets, DRAWN)


def test_golden_picture_and_box_give_the_golden_face_from_the_first_sample_to_the_last_pixel(nets, golden) -> None:
    box = Box(*golden["bbox"].tolist())
    latents = torch.from_numpy(encode(nets, [face_crop(golden["frame_bgr"], box)]))
    mask = soft_mask(face_region(golden["labels"]), box, crop_box(box))
    blend = partial(blend_bgr, golden["frame_bgr"], box=box, crop=crop_box(box), mask=mask)
    voice, faces = MuseTalkVoice(LogMel()), {}
    for frame in frames_of(voice, golden["pcm16k"], whole=True):
        heard = voice.hear(frame)
        if frame.index in golden["unet_frames"]:
            tokens = nets.add_positions(tokens_of(nets, [heard]))
            faces[frame.index] = nets.decode(nets.predict_latents(tokens, latents))[0].numpy()
    for index, expected in zip(golden["unet_frames"].tolist(), golden["generated_bgr"], strict=True):
        difference = np.abs(faces[index].astype(int) - expected)
        assert difference.max() <= 2
        assert difference.mean() <= 0.05
    for index, expected in zip(golden["unet_frames"].tolist(), golden["blended_bgr"], strict=False):
        assert np.abs(blend(face=faces[index]).astype(int) - expected).max() <= 3
