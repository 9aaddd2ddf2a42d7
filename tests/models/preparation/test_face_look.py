import cv2
import numpy as np

from models.preparation.face_look import look_at


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


def test_light_from_one_side_is_seen(portrait, detected):
    shade = np.linspace(1.0, 0.5, portrait.shape[1])[None, :, None]
    look = look_at((portrait * shade).astype(np.uint8), detected)
    plain = look_at(portrait, detected)
    assert look.left / look.right > 1.15 * plain.left / plain.right


def test_points_beside_the_picture_are_no_crash(portrait, detected):
    for shift in (-3000, 3000):
        assert np.isfinite(look_at(portrait, detected + np.float32(shift)).lip_contrast)
