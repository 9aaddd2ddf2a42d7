import cv2
import numpy as np
import pytest

from models.preparation.face_look import look_at
from tests.faces.obstacles import finger, patterned_cloth
from tests.faces.variants import beard, lipstick, moustache


def test_lips_are_told_from_a_chin_in_the_skins_colour(portrait, detected):
    lips = look_at(portrait, detected).lips
    assert lips.distinct > 0.98
    assert lips.chin_off < 15
    assert lips.lips_differ < 10
    assert lips.upper_lip_contrast > 10


def test_lips_are_told_from_a_beard_that_has_another_colour_than_skin(portrait, detected):
    lips = look_at(beard(portrait, detected, (40, 70, 150)), detected).lips
    assert lips.chin_off > 15
    assert lips.distinct > 0.9


@pytest.mark.parametrize("checks", [False, True])
@pytest.mark.parametrize("period", [0.06, 0.09, 0.13])
def test_a_pattern_does_not_tell_lips_from_chin(portrait, detected, period, checks):
    lips = look_at(patterned_cloth(2, period, checks=checks)(portrait, detected), detected).lips
    assert lips.distinct < 0.66
    assert lips.chin_off > 20


def test_an_upper_lip_under_a_finger_does_not_stand_out(portrait, detected):
    assert look_at(finger(portrait, detected), detected).lips.upper_lip_contrast < 1


def test_what_differs_from_the_lower_lip_covers_the_upper_one(portrait, detected):
    covered = portrait.copy()
    left, right = detected[[61, 291], 0].astype(int)
    top, bottom = detected[[0, 13], 1].astype(int)
    covered[top:bottom, left:right] = (200, 120, 30)
    assert look_at(covered, detected).lips.lips_differ > 40
    assert look_at(moustache(portrait, detected), detected).lips.lips_differ < 35
    assert look_at(lipstick(portrait, detected), detected).lips.lips_differ < 15


def test_light_and_shade_are_no_other_colour(portrait, detected):
    shaded = (portrait * np.linspace(1.0, 0.4, portrait.shape[1])[None, :, None]).astype(np.uint8)
    assert look_at(shaded, detected).lips.chin_off < 15
    assert look_at(shaded, detected).lips.distinct > 0.9


def test_the_size_of_the_picture_hardly_matters(portrait, detected):
    large = look_at(portrait, detected).lips
    small = look_at(cv2.resize(portrait, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), detected / 4).lips
    assert abs(small.chin_off - large.chin_off) < 4
    assert abs(small.distinct - large.distinct) < 0.05
