# ruff: noqa: E402 - without torch this module is skipped
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.musetalk.blending import FaceMask
from models.musetalk.compositing import Placement, compose, place
from models.musetalk.jaw_mask import Box, crop_box, face_region, soft_mask
from models.preparation.colour import bgr_to_i420

CPU = torch.device("cpu")
BOXES = [(172, 62, 272, 192), (2, 10, 132, 150), (101, 81, 222, 232), (60, 40, 460, 500), (300, 200, 341, 257)]
AT_THE_EDGE = [(400, 380, 512, 512), (470, 300, 512, 345)]


@pytest.mark.parametrize("boxes", [BOXES, AT_THE_EDGE, BOXES[4:]])
@pytest.mark.parametrize("weight", [0.0, 1 / 3, 1.0])
def test_a_composed_batch_is_what_painting_makes_of_each(golden, boxes, weight) -> None:
    base = bgr_to_i420(golden["frame_bgr"])
    masks = []
    for numbers in boxes:
        box = Box(*numbers)
        masks.append(FaceMask.cut(soft_mask(face_region(golden["labels"]), box, crop_box(box)), box, crop_box(box)))
    faces = golden["generated_bgr"][[0, 1, 2, 3, 0][: len(boxes)]]
    whole_masks = torch.zeros((len(masks), 512, 512), dtype=torch.uint8)
    for whole, mask in zip(whole_masks, masks, strict=True):
        whole[mask.area.top : mask.area.bottom, mask.area.left : mask.area.right] = torch.from_numpy(mask.luma)
    placements = place([Placement(mask.box, mask.area, weight) for mask in masks], CPU)
    pictures = torch.from_numpy(base).repeat(len(masks), 1, 1)
    composed = compose(torch.from_numpy(faces), whole_masks, pictures, placements).numpy()
    assert composed.shape == (len(masks), 768, 512)
    for picture, face, mask in zip(composed, faces, masks, strict=True):
        expected = base.copy()
        mask.paint(face, expected, weight)
        difference = picture.astype(int) - expected
        assert np.abs(difference).max() <= 3
        assert np.abs(difference).mean() <= 0.06  # of the whole picture; single levels
        assert abs(difference.mean()) <= 0.03
        area = mask.area
        difference[area.top : area.bottom, area.left : area.right] = 0
        assert not difference[:512].any()


def test_only_the_rectangles_are_worked_on() -> None:
    small = Placement(Box(100, 100, 140, 150), Box(102, 120, 138, 150), 1.0)
    large = Placement(Box(300, 300, 512, 512), Box(310, 400, 512, 512), 1.0)
    assert place([small], CPU).rows.shape == (1, 32)
    assert place([small], CPU).columns.shape == (1, 64)
    both = place([small, large], CPU)
    assert both.rows.shape == (2, 128)  # one size for all, steps of 32
    assert both.columns.shape == (2, 224)
    assert both.rows.max() == both.columns.max() == 511  # moved so that it stays inside
    assert both.rows[1, 0] == 384
    assert both.rows[0, 0] == 120


def test_an_empty_mask_changes_nothing(golden) -> None:
    base = torch.from_numpy(bgr_to_i420(golden["frame_bgr"]))[None]
    placements = place([Placement(Box(10, 10, 50, 60), Box(0, 0, 0, 0), 1.0)], CPU)
    face = torch.from_numpy(golden["generated_bgr"][:1])
    composed = compose(face, torch.zeros((1, 512, 512), dtype=torch.uint8), base.clone(), placements)
    assert torch.equal(composed, base)
