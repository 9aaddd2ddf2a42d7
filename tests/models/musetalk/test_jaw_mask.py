import numpy as np
import pytest

from models.musetalk.jaw_mask import (
    LOWER_LIP,
    MOUTH,
    NOSE,
    OFFLINE_BLUR,
    SKIN,
    UPPER_LIP,
    Box,
    cheek_columns,
    crop_box,
    draw_labels,
    face_region,
    narrow_kernel,
    parsing_input,
    soft_mask,
    spread_kernel,
)
from tests.models.musetalk.faces import photograph_points


@pytest.fixture
def box(golden) -> Box:
    return Box(*golden["bbox"].tolist())


@pytest.fixture
def crop(box) -> Box:
    return crop_box(box)


def test_the_crop_is_the_references_also_where_it_leaves_the_picture(golden, crop) -> None:
    assert crop == tuple(golden["crop_box"])
    assert crop_box(Box(*golden["edge_bbox"].tolist())) == tuple(golden["edge_crop_box"])
    assert golden["edge_crop_box"].min() < 0


def test_the_kernels_are_the_references(golden) -> None:
    np.testing.assert_array_equal(spread_kernel(), golden["jaw_kernel"])
    np.testing.assert_array_equal(narrow_kernel(), golden["cheek_kernel"])
    np.testing.assert_array_equal(cheek_columns(), golden["cheek_mask"])


def test_a_skin_pixel_spreads_up_more_than_down() -> None:
    labels = np.zeros((512, 512), np.uint8)
    labels[300, 256] = SKIN
    rows, columns = np.nonzero(face_region(labels))
    assert (rows.min(), rows.max()) == (300 - 16, 300 + 6)
    assert np.ptp(columns) + 1 == 21


@pytest.mark.parametrize("mode", ["jaw", "raw", "neck"])
def test_regions_and_masks_are_the_references(golden, box, crop, mode) -> None:
    region = face_region(golden["labels"], mode)
    np.testing.assert_array_equal(region, golden[f"parsing512_{mode}"])
    np.testing.assert_array_equal(soft_mask(region, box, crop), golden[f"mask_{mode}"])


def test_a_mask_whose_crop_leaves_the_picture_is_the_references(golden) -> None:
    box = Box(*golden["edge_bbox"].tolist())
    mask = soft_mask(face_region(golden["labels"]), box, crop_box(box))
    np.testing.assert_array_equal(mask, golden["edge_mask"])


def test_a_smaller_blur_gives_a_harder_edge(golden, box, crop) -> None:
    region = face_region(golden["labels"])
    soft, hard = soft_mask(region, box, crop), soft_mask(region, box, crop, OFFLINE_BLUR)
    assert ((hard > 0) & (hard < 255)).sum() < 0.7 * ((soft > 0) & (soft < 255)).sum()


def test_the_mask_leaves_the_upper_half_alone(golden, box, crop) -> None:
    mask = soft_mask(face_region(golden["labels"]), box, crop)
    assert mask.shape == (crop.height, crop.width)
    assert not mask[: int(0.45 * crop.height)].any()
    assert (mask == 255).sum() > 500


def test_the_parsing_nets_input_is_the_crop_in_rgb_and_black_outside_the_picture(golden) -> None:
    picture = golden["frame_bgr"]
    whole = parsing_input(picture, Box(0, 0, 512, 512))
    np.testing.assert_array_equal(whole, picture[..., ::-1])
    edge = parsing_input(picture, Box(-100, -100, 412, 412))
    assert not edge[:100].any()
    np.testing.assert_array_equal(edge[100:, 100:], picture[:412, :412, ::-1])


def test_labels_drawn_from_landmarks_have_every_part_where_it_belongs(golden, crop) -> None:
    points = photograph_points(golden["frame_bgr"].tobytes())
    labels = draw_labels(points, crop)
    assert set(np.unique(labels)) == {0, SKIN, NOSE, MOUTH, UPPER_LIP, LOWER_LIP}

    def middle(part: int) -> float:
        return float(np.nonzero(labels == part)[0].mean())

    assert middle(NOSE) < middle(UPPER_LIP) < middle(MOUTH) < middle(LOWER_LIP)
    x, y = (np.array([points[1], points[17]]) - (crop.left, crop.top)).T * 512 / crop.width
    assert labels[int(y[0]), int(x[0])] == NOSE  # its tip
    assert labels[int(y[1]) - 4, int(x[1])] == LOWER_LIP  # above its lower edge


def test_a_mask_from_landmarks_shows_mouth_and_chin_and_hides_the_eyes(golden, box, crop) -> None:
    points = photograph_points(golden["frame_bgr"].tobytes())
    mask = soft_mask(face_region(draw_labels(points, crop)), box, crop)

    def shown(point: int) -> int:
        x, y = np.rint(points[point] - (crop.left, crop.top)).astype(int)
        return int(mask[y, x])

    assert min(shown(point) for point in (13, 14, 17, 61, 291)) > 200
    assert max(shown(point) for point in (33, 263, 10)) == 0
    assert shown(1) < 80  # the tip of the nose, but for the blur
