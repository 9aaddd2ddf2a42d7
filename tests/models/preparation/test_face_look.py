import cv2
import numpy as np
import pytest

from models.preparation.face_look import look_at
from tests.faces.obstacles import half_mouth


def test_lips_stand_out_and_the_face_is_lit_evenly(portrait, detected):
    look = look_at(portrait, detected)
    assert look.lip_contrast > 10
    assert 0.85 < look.left / look.right < 1.15


def test_a_hand_before_the_mouth_hides_the_lips(portrait, detected):
    covered = portrait.copy()
    x, y = detected[13, :2].astype(int)
    skin = portrait[int(detected[50, 1]), int(detected[50, 0])].tolist()
    cv2.ellipse(covered, (int(x), int(y)), (150, 110), 0, 0, 360, skin, -1)
    assert look_at(covered, detected).lip_contrast < 3


@pytest.mark.parametrize("side", [-1, 1])
def test_half_a_mouth_that_is_hidden_is_seen(portrait, detected, side):
    assert look_at(portrait, detected).half_lip_contrast > 10
    assert look_at(half_mouth(portrait, detected, side), detected).half_lip_contrast < 2


def test_a_cover_whose_edge_is_taken_for_a_mouth_has_no_lower_lip(portrait, detected):
    covered = portrait.copy()
    covered[int(detected[14, 1]) :] = (30, 30, 160)
    assert look_at(covered, detected).half_lip_contrast < 1


def test_light_from_one_side_is_seen(portrait, detected):
    shade = np.linspace(1.0, 0.5, portrait.shape[1])[None, :, None]
    look = look_at((portrait * shade).astype(np.uint8), detected)
    plain = look_at(portrait, detected)
    assert look.left / look.right > 1.15 * plain.left / plain.right


def test_points_beside_the_picture_are_no_crash(portrait, detected):
    for shift in (-3000, 3000):
        assert np.isfinite(look_at(portrait, detected + np.float32(shift)).lip_contrast)


def test_a_good_picture_is_sharp_and_neither_white_nor_dark(portrait, detected):
    look = look_at(portrait, detected)
    assert look.detail > 0.6
    assert look.white == 0
    assert 200 < look.brightest < 250
    assert look.lip_redness > 10


def test_blur_is_seen_whatever_the_size_of_the_picture(portrait, detected):
    blurred = cv2.GaussianBlur(portrait, (0, 0), 10)
    small = cv2.resize(blurred, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    assert look_at(blurred, detected).detail < 0.3
    assert look_at(small, detected * np.float32(0.4)).detail < 0.3
    sharp = cv2.resize(portrait, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    assert look_at(sharp, detected * np.float32(0.2)).detail > 0.5


def test_too_much_and_too_little_light_are_seen(portrait, detected):
    assert look_at(cv2.convertScaleAbs(portrait, alpha=3), detected).white > 0.5
    assert look_at(cv2.convertScaleAbs(portrait, alpha=0.1), detected).brightest < 30
