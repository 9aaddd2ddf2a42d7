# ruff: noqa: E402 - without torch this module is skipped
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.musetalk.blending import FaceMask, blend_bgr
from models.musetalk.jaw_mask import Box, crop_box
from models.musetalk.nets import load_nets
from ws_service.engine_bench.reference_way import ReferenceFrame, ReferenceWay, blend


@pytest.fixture(scope="module")
def reference(random_weights) -> ReferenceWay:
    return ReferenceWay(random_weights, torch.device("cpu"), torch.float32)


def batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(size, 50, 384, generator=generator), torch.randn(size, 8, 32, 32, generator=generator)


def test_it_draws_the_faces_that_the_engine_draws(reference, random_weights) -> None:
    tokens, latents = batch(2)
    nets = load_nets(random_weights, "cpu", torch.float32)
    ours = nets.decode(nets.predict_latents(nets.add_positions(tokens), latents)).numpy()
    theirs = reference.faces(tokens, latents)
    assert theirs.shape == (2, 256, 256, 3)
    assert theirs.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_it_blends_as_musetalk_does(golden_face) -> None:
    picture, face, box, crop, mask = golden_face
    frame = ReferenceFrame(picture, box, mask, crop)
    untouched = picture.copy()
    np.testing.assert_array_equal(blend(face, frame), blend_bgr(picture, face, box, crop, mask))
    np.testing.assert_array_equal(picture, untouched)


def test_our_mask_becomes_one_of_the_crop(golden_face) -> None:
    picture, _, box, crop, mask = golden_face
    inside = np.zeros_like(mask)
    rows = slice(box.top - crop.top, box.bottom - crop.top)
    columns = slice(box.left - crop.left, box.right - crop.left)
    inside[rows, columns] = mask[rows, columns]
    frame = ReferenceFrame.of(picture, FaceMask.cut(mask, box, crop))
    assert frame.crop == crop
    np.testing.assert_array_equal(frame.mask, inside)


def test_the_whole_way_gives_one_picture_for_each_frame(reference, golden_face) -> None:
    picture, _, box, crop, mask = golden_face
    frame = ReferenceFrame(picture, box, mask, crop)
    made = reference.pictures(*batch(2), [frame, frame])
    assert [one.shape for one in made] == [(512, 512, 3)] * 2
    assert (made[0] != picture).any()
    assert (made[0] != made[1]).any()


@pytest.fixture
def golden_face() -> tuple:
    """A picture, a face, its box, the crop, and a mask of the crop."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (512, 512, 3), np.uint8)
    face = random.integers(0, 256, (256, 256, 3), np.uint8)
    box = Box(160, 140, 340, 330)
    crop = crop_box(box)
    mask = np.zeros((crop.height, crop.width), np.uint8)
    mask[crop.height // 2 : -60, 70:-70] = random.integers(
        0, 256, (crop.height - crop.height // 2 - 60, crop.width - 140)
    )
    return picture, face, box, crop, mask
