from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.musetalk.blending import FaceMask, blend_bgr, mix, plane_areas
from models.musetalk.jaw_mask import OFFLINE_BLUR, Box, crop_box, face_region, soft_mask
from models.preparation.colour import bgr_to_i420


@pytest.fixture
def box(golden) -> Box:
    return Box(*golden["bbox"].tolist())


@pytest.fixture
def mask(golden, box) -> FaceMask:
    return FaceMask.cut(golden["mask_jaw"], box, crop_box(box))


def test_blended_pictures_are_the_references(golden, box) -> None:
    for face, expected in zip(golden["generated_bgr"], golden["blended_bgr"], strict=False):
        blended = blend_bgr(golden["frame_bgr"], face, box, crop_box(box), golden["mask_jaw"])
        np.testing.assert_array_equal(blended, expected)


def test_the_offline_scripts_picture_is_the_references(golden, box) -> None:
    mask = soft_mask(face_region(golden["labels"]), box, crop_box(box), OFFLINE_BLUR)
    blended = blend_bgr(golden["frame_bgr"], golden["generated_bgr"][0], box, crop_box(box), mask)
    np.testing.assert_array_equal(blended, golden["offline_blend_bgr"][0])


def test_a_crop_that_leaves_the_picture_blends_as_the_reference_does(golden) -> None:
    box = Box(*golden["edge_bbox"].tolist())
    blended = blend_bgr(golden["frame_bgr"], golden["generated_bgr"][0], box, crop_box(box), golden["edge_mask"])
    np.testing.assert_array_equal(blended, golden["edge_blended_bgr"])


@given(front=st.integers(0, 255), back=st.integers(0, 255))
def test_mixing_rounds_as_pillow_does(front, back) -> None:
    shares = np.arange(256, dtype=np.uint8)[None]
    picture = Image.new("L", (256, 1), back)
    picture.paste(Image.new("L", (256, 1), front), mask=Image.fromarray(shares))
    fronts, backs = np.full((1, 256), front, np.uint8), np.full((1, 256), back, np.uint8)
    np.testing.assert_array_equal(mix(fronts, backs, shares), np.asarray(picture))


def test_painting_in_i420_is_blending_in_bgr_within_the_rounding_of_colours(golden, box, mask) -> None:
    picture = golden["frame_bgr"]
    face = np.full((256, 256, 3), (40, 200, 90), np.uint8)  # without detail: chroma is at half the resolution
    painted = bgr_to_i420(picture)
    mask.paint(face, painted, 1.0)
    expected = bgr_to_i420(blend_bgr(picture, face, box, crop_box(box), golden["mask_jaw"]))
    assert np.abs(painted.astype(int) - expected).max() <= 3


def test_painting_changes_nothing_outside_the_area_and_all_of_its_middle(golden, mask) -> None:
    base = bgr_to_i420(golden["frame_bgr"])
    painted = base.copy()
    mask.paint(golden["generated_bgr"][0], painted, 1.0)
    changed = painted != base
    for plane in plane_areas(changed, mask.area):
        assert plane.any()
        plane[:] = False
    assert not changed.any()


def test_the_area_is_on_even_pixels_and_as_small_as_the_mask_allows(mask, box) -> None:
    area = mask.area
    assert not any(side % 2 for side in area)
    assert box.left - 1 <= area.left < area.right <= box.right + 1
    assert mask.luma.shape == (area.height, area.width)
    assert mask.chroma.shape == (area.height // 2, area.width // 2)
    assert mask.luma[:2].any()
    assert mask.luma[-2:].any()
    assert mask.luma[:, :2].any()
    assert mask.luma[:, -2:].any()


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_boxes_on_odd_pixels_paint_like_those_on_even_ones(golden, shift) -> None:
    x, y = shift
    box = Box(100 + x, 80 + y, 221 + x, 231 + y)
    mask = FaceMask.cut(soft_mask(face_region(golden["labels"]), box, crop_box(box)), box, crop_box(box))
    picture, face = golden["frame_bgr"], np.full((256, 256, 3), 120, np.uint8)
    painted = bgr_to_i420(picture)
    mask.paint(face, painted, 1.0)
    expected = blend_bgr(
        picture, face, box, crop_box(box), soft_mask(face_region(golden["labels"]), box, crop_box(box))
    )
    assert np.abs(painted.astype(int) - bgr_to_i420(expected)).max() <= 3


def test_weight_moves_from_the_base_picture_to_the_face(golden, mask) -> None:
    base = bgr_to_i420(golden["frame_bgr"])
    distances = []
    for weight in (0.0, 1 / 3, 2 / 3, 1.0):
        painted = base.copy()
        mask.paint(golden["generated_bgr"][0], painted, weight)
        distances.append(np.abs(painted.astype(int) - base).sum())
    assert distances[0] == 0
    assert distances[1:3] == pytest.approx([distances[3] / 3, distances[3] * 2 / 3], rel=0.05)


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (-220, 3), (300, -31), (301, 401)])
def test_what_was_cut_can_be_painted(golden, box, place) -> None:
    moved, crop = (Box(*np.add(edges, place * 2).tolist()) for edges in (box, crop_box(box)))
    mask = FaceMask.cut(golden["mask_jaw"], moved, crop)
    assert mask.can_paint()
    mask.paint(golden["generated_bgr"][0], bgr_to_i420(golden["frame_bgr"]), 1.0)


@pytest.mark.parametrize(
    "box",
    [
        (-2000, 0, 512, 512),
        (0, -2000, 512, 512),
        (300, 0, 300, 512),
        (300, 0, 200, 512),
        (0, 0, 512, 100),
        (70, 0, 512, 512),
    ],
)
def test_a_box_that_is_no_faces_or_not_around_the_area_cannot_be_painted(box) -> None:
    mask = FaceMask.of_area(Box(0, 0, 512, 512), Box(64, 64, 256, 256), np.full((192, 192), 255, np.uint8))
    assert mask.can_paint()
    assert not replace(mask, box=Box(*box)).can_paint()


@pytest.mark.parametrize("area", [(65, 64, 257, 256), (-2, 64, 190, 256), (322, 64, 514, 256), (64, 64, 64, 64)])
def test_an_area_that_is_not_of_the_picture_cannot_be_painted(area) -> None:
    mask = FaceMask.of_area(Box(-1, 0, 515, 512), Box(64, 64, 256, 256), np.full((192, 192), 255, np.uint8))
    assert not replace(mask, area=Box(*area)).can_paint()


def test_an_empty_mask_paints_nothing(golden, box) -> None:
    crop = crop_box(box)
    mask = FaceMask.cut(np.zeros((crop.height, crop.width), np.uint8), box, crop)
    assert mask.can_paint()
    painted = bgr_to_i420(golden["frame_bgr"])
    mask.paint(golden["generated_bgr"][0], painted, 1.0)
    np.testing.assert_array_equal(painted, bgr_to_i420(golden["frame_bgr"]))


def test_a_pictures_own_face_put_back_changes_nothing_but_fine_detail(golden, box, mask) -> None:
    base = bgr_to_i420(golden["frame_bgr"])
    own = golden["crop256_bgr"]
    painted = base.copy()
    mask.paint(own, painted, 1.0)
    difference = painted.astype(int) - base
    assert abs(difference.mean()) < 0.01
    luma = difference[mask.area.top : mask.area.bottom, mask.area.left : mask.area.right]
    assert np.abs(luma).mean() < 2
    shifted = base.copy()
    mask.paint(np.roll(own, 4, axis=1), shifted, 1.0)  # a pixel and a half of the picture
    assert np.abs(shifted.astype(int) - base).sum() > 3 * np.abs(difference).sum()
