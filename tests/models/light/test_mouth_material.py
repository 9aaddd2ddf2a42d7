import cv2
import numpy as np
import pytest

from models.light.mouth_material import CANVAS_SHAPE, MATERIAL_KEYS, build_material
from tests.models.light.faces import portrait, toothy

MIDDLE = CANVAS_SHAPE[1] // 2
LIP_LINE = int(0.35 * (CANVAS_SHAPE[0] - 1))


def darkened(picture: np.ndarray, factor: float) -> np.ndarray:
    bgr = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    return cv2.cvtColor((bgr * factor).astype(np.uint8), cv2.COLOR_BGR2YUV_I420)


@pytest.mark.parametrize("face", [portrait(), toothy()], ids=["synthetic", "own"])
def test_the_material_is_plain_small_arrays(face) -> None:
    assert tuple(face.material) == MATERIAL_KEYS
    for key in MATERIAL_KEYS[:4]:
        assert face.material[key].shape == (*CANVAS_SHAPE, 4)
        assert face.material[key].dtype == np.uint8
    assert sum(array.nbytes for array in face.material.values()) < 2_000_000
    assert face.material["lip_inset"].shape == (2, 11)


def test_synthetic_upper_teeth_cover_the_lip_line_and_end_below_it() -> None:
    teeth = portrait().material["upper_teeth"]
    assert teeth[LIP_LINE, MIDDLE, 3] == 255
    assert teeth[LIP_LINE, MIDDLE, 0] > 140
    assert teeth[LIP_LINE + 25, MIDDLE, 3] == 0
    assert not teeth[:, :10, 3].any()


def test_own_upper_teeth_are_bright_down_to_an_even_edge() -> None:
    teeth = toothy().material["upper_teeth"]
    ends = [int(np.flatnonzero(teeth[:, column, 3] > 127).max()) for column in range(MIDDLE - 30, MIDDLE + 30)]
    assert np.abs(np.diff(ends)).max() <= 1
    edge = ends[30]
    assert (teeth[edge - 6 : edge - 2, MIDDLE - 20 : MIDDLE + 20, 0] > 110).all()


def test_the_cavity_is_opaque_dark_and_reddish() -> None:
    cavity = portrait().material["cavity"]
    assert (cavity[..., 3] == 255).all()
    assert cavity[..., 0].max() < 60
    assert (cavity[..., 2] >= 128).all()


def test_the_tongue_is_redder_than_the_teeth_and_only_in_the_middle() -> None:
    tongue, teeth = portrait().material["tongue"], portrait().material["lower_teeth"]
    row = LIP_LINE + 4
    assert tongue[row, MIDDLE, 2] > teeth[row, MIDDLE, 2] + 8
    assert tongue[row, MIDDLE, 3] > 200
    assert tongue[row, 20, 3] == 0


def test_a_dark_picture_gets_a_darker_mouth() -> None:
    dark = build_material(darkened(portrait().picture, 0.5)[None], portrait().landmarks[None])
    for key in ("cavity", "upper_teeth", "lower_teeth", "tongue"):
        assert dark[key][..., 0].mean() < portrait().material[key][..., 0].mean()


def test_teeth_that_the_picture_shows_are_taken_over() -> None:
    """Paint green teeth: they must be found again in the material."""
    face = toothy()
    picture = cv2.cvtColor(face.picture, cv2.COLOR_YUV2BGR_I420)
    mouth = face.landmarks[[78, 81, 13, 311, 308, 402, 14, 178]]
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(mouth).astype(np.int32)], 255)
    teeth = (picture.min(axis=2) > 110) & (inside > 0)
    assert teeth.sum() > 200
    picture[teeth] = (140, 235, 140)
    material = build_material(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)[None], face.landmarks[None])
    shown = material["upper_teeth"][..., 3] == 255
    shown[:, : MIDDLE - 30] = shown[:, MIDDLE + 30 :] = False
    assert (material["upper_teeth"][shown][:, 2] < 118).mean() > 0.9  # green: little red
    assert (face.material["upper_teeth"][shown][:, 2] < 118).mean() < 0.1


def test_the_widest_open_picture_decides() -> None:
    both = build_material(
        np.stack([portrait().picture, toothy().picture]), np.stack([portrait().landmarks, toothy().landmarks])
    )
    assert np.array_equal(both["upper_teeth"], toothy().material["upper_teeth"])


def test_an_open_mouth_without_bright_teeth_gets_synthetic_ones() -> None:
    face = toothy()
    bgr = cv2.cvtColor(face.picture, cv2.COLOR_YUV2BGR_I420)
    mouth = cv2.convexHull(np.rint(face.landmarks[[78, 81, 13, 311, 308, 402, 14, 178]]).astype(np.int32))
    cv2.fillPoly(bgr, [mouth], (20, 15, 40))
    material = build_material(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)[None], face.landmarks[None])
    assert set(material) == set(MATERIAL_KEYS)
    assert material["upper_teeth"][..., 3].any()


def test_the_inset_of_an_open_mouth_lies_between_the_contours() -> None:
    inset = toothy().material["lip_inset"]
    assert (inset >= 0.1).all()
    assert (inset <= 0.6).all()


def test_lips_begin_where_the_dark_beside_the_teeth_ends() -> None:
    """Paint the dark of a mouth's corner half-way over the lower lip: only there the lip begins further out."""
    face = toothy()
    inner, outer = face.landmarks[95], face.landmarks[146]
    bgr = cv2.cvtColor(face.picture, cv2.COLOR_YUV2BGR_I420)
    cv2.line(bgr, np.rint(inner).astype(int), np.rint((inner + outer) / 2).astype(int), (10, 8, 20), 2)
    inset = build_material(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)[None], face.landmarks[None])["lip_inset"]
    assert inset[1, 1] > face.material["lip_inset"][1, 1] + 0.1
    assert np.allclose(inset[1, 4:], face.material["lip_inset"][1, 4:], atol=0.05)


def test_the_same_pictures_make_the_same_material() -> None:
    again = build_material(toothy().picture[None], toothy().landmarks[None])
    assert all(np.array_equal(again[key], toothy().material[key]) for key in MATERIAL_KEYS)
